"""What the runtime of language models is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

ABOUT, TABLES, GRAPH = "language.json", "language.npz", "language.onnx"
RUNTIME = Runtime(
    name="language",
    title="Language model (pieces, and tables of counts or an ONNX graph)",
    is_inline=False,  # it tells its answers in chunks
    uploads=True,
    suffixes=(".json", ".npz", ".onnx"),
)
