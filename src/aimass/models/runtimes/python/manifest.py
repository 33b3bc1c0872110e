"""What the Python runtime is."""

from __future__ import annotations

from aimass.models.runtimes import Runtime

RUNTIME = Runtime(
    name="python",
    title="Python (a skops pipeline, or any class with predict)",
    is_inline=False,
    uploads=True,
    suffixes=(
        *(".skops", ".py", ".lock", ".json", ".jsonl", ".txt", ".csv", ".toml", ".yaml", ".md", ".jinja"),
        *(".npz", ".npy", ".safetensors", ".onnx", ".bin", ".model", ".ubj", ".parquet", ".tiktoken", ".vocab"),
        *(".pkl", ".pickle", ".joblib", ".pt", ".pth"),
    ),
)
