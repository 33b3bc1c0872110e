"""The inline runtime: an ONNX graph in this process, one thread, no spinning."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.gateway.plane.columns import INTEGERS
from aimass.gateway.plane.decode import Input
from aimass.gateway.plane.encode import dtype_of
from aimass.gateway.plane.errors import WorkerFailed
from aimass.gateway.plane.package import PLATFORMS, Package
from aimass.gateway.plane.runtimes.port import Done
from aimass.gateway.plane.runtimes.single import single_row
from aimass.gateway.plane.tensors import Tensor
from aimass.infra.devices import CPU
from aimass.infra.rows import session_on
from aimass.kernel.errors import Invalid

_NUMBERS: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
_PORTS = {
    "BYTES": "tensor(string)",
    "BOOL": "tensor(bool)",
    "FP16": "tensor(float16)",
    "FP32": "tensor(float)",
    "FP64": "tensor(double)",
    **{name: f"tensor({name.lower()})" for name in INTEGERS},
}
_FLOATS = frozenset({"tensor(float)", "tensor(double)"})


class OnnxRuntime:
    """A loaded package; :meth:`run` takes checked columns and returns arrays by output name."""

    platform = PLATFORMS["onnx"]
    is_ready = True
    used_at = 0.0

    def __init__(self, package: Package, device: str = CPU) -> None:
        self.session, self.device = session_on(package.model or b"", str(package.folder), device)
        ports = {port.name: port.type for port in self.session.get_inputs()}
        if set(ports) != set(package.columns):
            wrong = sorted(set(ports) ^ set(package.columns))
            raise Invalid(f"the graph and the signature differ in the inputs {wrong}", field="signature", value=wrong)
        present = [port.name for port in self.session.get_outputs()]
        self._outputs = [spec["name"] for spec in package.signature["outputs"]]
        missing = [name for name in self._outputs if name not in present]
        if missing:
            raise Invalid(f"the graph has no outputs {missing}", field="signature", value=missing, allowed=present)
        self._kinds = {name: _kind(package.columns[name], port) for name, port in ports.items()}
        self._types = [dtype_of(spec) for spec in package.signature["outputs"]]
        self.single = self.reader = single_row(package, self.session, self.run) if self.device.name == CPU else None

    def run(self, values: dict[str, Any]) -> dict[str, Any]:
        """Run the graph on any number of rows."""
        feeds = {name: _array(values[name], kind) for name, kind in self._kinds.items()}
        arrays = self.session.run(self._outputs, feeds)
        return {
            name: np.asarray(array).astype(dtype, copy=False)
            for name, array, dtype in zip(self._outputs, arrays, self._types, strict=True)
        }

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Answer at once."""
        del rows, timeout_s
        try:
            outputs = self.run(values)
        except Exception as reason:  # noqa: BLE001 onnxruntime raises what it likes; the request gets it as one error
            done(None, WorkerFailed(f"the model failed on this request: {str(reason)[:200]}"))
        else:
            done(outputs, None)

    async def connect(self) -> None:
        """Do nothing: the model is in this process."""

    def close(self) -> None:
        """Do nothing: the memory goes with the last reference."""


def _kind(column: Input, port: str) -> Any:
    """Return the type of array that an input of the graph takes; None for a tensor, which comes as it is."""
    if isinstance(column, Tensor):
        if _PORTS[column.datatype] != port:
            raise Invalid(f"input {column.name!r} is {column.datatype} in the signature and {port} in the graph")
        return None
    if column.kind == "string" and port == "tensor(string)":
        return object
    if column.kind == "string" or port not in _NUMBERS:
        raise Invalid(
            f"input {column.name!r} is {column.kind} in the signature and {port} in the graph", field="signature"
        )
    if column.nullable and port not in _FLOATS:
        raise Invalid(f"input {column.name!r} may be null, and {port} knows no null", field="signature")
    return _NUMBERS[port]


def _array(values: Any, kind: Any) -> Any:
    if kind is None:
        return values
    if kind is object:
        values = ["" if value is None else value for value in values]
    return np.asarray(values, dtype=kind).reshape(-1, 1)
