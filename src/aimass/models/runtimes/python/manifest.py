"""What the Python runtime is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

RUNTIME = Runtime(name="python", title="Python (skops)", is_inline=False, uploads=False, suffixes=(".skops",))
