"""Load an ONNX package and answer columns with columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort

from aimass.infra.devices import CPU, device_of, device_used
from aimass.infra.rows import PackedRows, RowColumn, packed_rows
from aimass.models.package import Column, Package

FILE = "model.onnx"
_DTYPES: dict[str, Any] = {
    "BYTES": object,
    "BOOL": np.bool_,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
_QUIET = 3


class OnnxModel:
    """An ONNX graph in memory: one named input per column, shape ``[None, 1]``, or per tensor."""

    def __init__(self, package: Package, *, threads: int = 1, device: str = CPU) -> None:
        chosen = device_of(device, ort.get_available_providers())
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            str(package.folder / FILE), sess_options=options, providers=list(chosen.providers)
        )
        self.device = device_used(chosen, self._session)
        self._columns = package.manifest.signature.inputs
        self._outputs = [output.name for output in package.manifest.signature.outputs]
        self._package = package

    @cached_property
    def rows(self) -> PackedRows | None:
        """What answers one row at a time for less, where the graph is one of a label and its probabilities."""
        package = self._package
        outputs = package.manifest.signature.outputs
        is_table = all(column.shape is None for column in self._columns) and self.device.name == CPU
        if not is_table or [output.type for output in outputs] != ["string", "float"] or not outputs[1].classes:
            return None
        columns = [
            RowColumn(name=c.name, kind=c.type, nullable=c.nullable, categories=tuple(c.categories or ()))
            for c in self._columns
        ]
        if any((column.kind == "string") != bool(column.categories) for column in columns):
            return None
        names, classes = (outputs[0].name, outputs[1].name), len(outputs[1].classes)
        model = (package.folder / FILE).read_bytes()
        try:
            return packed_rows(model, columns, names, classes, self.predict, str(package.folder))
        except Exception:  # noqa: BLE001 a graph that cannot be folded is asked with columns
            return None

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Answer columns of inputs with columns of outputs, row by row."""
        arrays = {column.name: _array(column, columns[column.name]) for column in self._columns}
        return self.answer(arrays)

    def answer(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Answer arrays of inputs with arrays of outputs; several threads may ask at once."""
        feeds = {
            column.name: arrays[column.name] if column.shape is not None else arrays[column.name].reshape(-1, 1)
            for column in self._columns
        }
        answers = self._session.run(self._outputs, feeds)
        return {name: np.asarray(answer) for name, answer in zip(self._outputs, answers, strict=True)}


def _array(column: Column, values: Any) -> Any:
    if column.shape is not None:
        return np.asarray(values, dtype=_DTYPES.get(column.element, column.element.lower()))
    return _COLUMNS[column.type](values)


def _strings(values: Any) -> Any:
    return np.array(["" if value is None else value for value in values], dtype=object)


def _numbers(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)


_COLUMNS: dict[str, Callable[[Any], Any]] = {
    "string": _strings,
    "float": _numbers,
    "integer": _numbers,
    "boolean": _numbers,
}


def load(package: Package, *, threads: int = 1, device: str = CPU) -> OnnxModel:
    """Load a package."""
    return OnnxModel(package, threads=threads, device=device)
