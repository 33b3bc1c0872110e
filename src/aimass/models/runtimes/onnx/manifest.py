"""What the ONNX runtime is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

RUNTIME = Runtime(name="onnx", title="ONNX Runtime", is_inline=True, uploads=True, suffixes=(".onnx",))
