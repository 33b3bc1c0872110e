"""What the runtime of summaries is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

FILE = "sentences.json"
RUNTIME = Runtime(
    name="sentences",
    title="Summaries (weights by which sentences are chosen)",
    is_inline=False,
    uploads=True,
    suffixes=(".json",),
)
