"""What the graph runtime is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

RUNTIME = Runtime(
    name="graph",
    title="Graph of models",
    is_inline=False,
    uploads=True,
    suffixes=("",),  # which files its steps may have is asked of their own runtimes
)
