"""What every peer's program shares: the ONNX file, one thread, one row in and its probabilities out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime as ort


class Session:
    """The model of the benchmark."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
        self._types = {i.name: _TYPES[i.type] for i in self._session.get_inputs()}

    def run(self, row: dict[str, Any]) -> dict[str, Any]:
        """Answer one row."""
        feeds = {name: np.array([[_text(row[name])]], dtype=kind) for name, kind in self._types.items()}
        label, probabilities = self._session.run(None, feeds)[:2]
        return {"label": np.asarray(label).tolist(), "probabilities": np.asarray(probabilities).tolist()}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


_TYPES = {"tensor(string)": object, "tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
