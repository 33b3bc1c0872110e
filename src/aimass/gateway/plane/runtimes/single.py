"""The cheap path for one row: every category is a tensor already, numbers are written into bound memory.

It is optimistic: whatever is unusual in a request makes :meth:`SingleRow.take` return None, and the general path, which
knows every refusal, does the work.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import onnxruntime
import orjson

from aimass.gateway.plane.columns import DATATYPES, Column
from aimass.gateway.plane.runtimes.strings import words_graph

_NAN = float("nan")
_ONE, _ONE_BY_ONE = [1], [1, 1]
_UNUSUAL = (KeyError, TypeError, ValueError, OverflowError, struct.error)
_TYPES = {"float": (float, int), "integer": (int,), "boolean": (bool,)}


class _Slot:
    """Where one input goes: a table of ready tensors, or a place among the numbers."""

    __slots__ = ("bit", "bound", "datatypes", "index", "name", "nullable", "table", "types")

    def __init__(self, column: Column, bit: int) -> None:
        self.name = column.name
        self.bit = bit
        self.datatypes = frozenset(DATATYPES[column.kind])
        if column.kind == "float":
            self.datatypes &= {"FP32", "FP64"}
        if column.kind == "integer":
            self.datatypes = frozenset({"INT64"})
        self.nullable = column.nullable
        self.types = _TYPES.get(column.kind, ())
        self.table: dict[Any, Any] | None = None
        self.bound: Any = None
        self.index = -1

    def null(self, value: Any) -> float:
        """Return the number that stands for null, or refuse what is no number."""
        if value is None and self.nullable:
            return _NAN
        raise TypeError(value)


class SingleRow:
    """A session with its inputs and outputs bound once."""

    def __init__(
        self, session: onnxruntime.InferenceSession, slots: list[_Slot], outputs: tuple[str, str, int]
    ) -> None:
        label, probabilities, classes = outputs
        self._session = session
        self._slots = {slot.name: slot for slot in slots}
        self._full = (1 << len(slots)) - 1
        self._numbers: list[Any] = [0.0] * sum(slot.table is None for slot in slots)
        self._block = np.zeros(len(self._numbers), dtype=np.float32)
        self._view = self._block.data.cast("B")
        self._pack = struct.Struct(f"{len(self._numbers)}f").pack_into
        self._binding = session.io_binding()
        self._bind = self._binding.bind_ortvalue_input
        self._row = np.zeros((1, classes), dtype=np.float32)
        self.record = b"{%b:[%%b],%b:[%%b]}" % (_name(label), _name(probabilities))
        self.reply = (
            b'"id":%%b,"outputs":[{"name":%b,"datatype":"BYTES","shape":[1],"data":[%%b]},'
            b'{"name":%b,"datatype":"FP32","shape":[1,%d],"data":%%b}]}'
        ) % (_name(label), _name(probabilities), classes)
        self._binding.bind_output(label, "cpu")
        self._binding.bind_ortvalue_output(probabilities, onnxruntime.OrtValue.ortvalue_from_numpy(self._row))
        for slot in slots:
            self._bind_first(slot)

    def _bind_first(self, slot: _Slot) -> None:
        if slot.table is None:
            place = self._block[slot.index : slot.index + 1].reshape(1, 1)
            slot.bound = onnxruntime.OrtValue.ortvalue_from_numpy(place)
        else:
            slot.bound = next(iter(slot.table.values()))
        self._bind(slot.name, slot.bound)

    @classmethod
    def of(
        cls, session: onnxruntime.InferenceSession, columns: dict[str, Column], outputs: list[dict[str, Any]]
    ) -> SingleRow | None:
        """Return the cheap path for a graph, or None where its shape does not allow one."""
        names = _binary_outputs(outputs)
        ports = {port.name: port.type for port in session.get_inputs()}
        if names is None or not all(_fits(column, ports[name]) for name, column in columns.items()):
            return None
        slots = [_Slot(column, 1 << bit) for bit, column in enumerate(columns.values())]
        words = sorted({word for c in columns.values() if c.kind == "string" for word in (c.categories or ())} | {""})
        tensors = _tensors(words)
        count = 0
        for slot, column in zip(slots, columns.values(), strict=True):
            if column.kind == "string":
                slot.table = {word: tensors[word] for word in column.categories or ()}
                if column.nullable:
                    slot.table[None] = tensors[""]
            else:
                slot.index = count
                count += 1
        path = cls(session, slots, names)
        return path if path.is_right() else None

    def is_right(self) -> bool:
        """Run once and see whether the bound memory was written: the rows of probabilities add up to one."""
        self._row[:] = -1.0
        try:
            self.run()
        except Exception:  # noqa: BLE001 a graph whose outputs cannot be bound is served by the general path
            return False
        return bool(abs(float(self._row.sum()) - 1.0) < 0.01)  # noqa: PLR2004 any probability passes, untouched memory not

    def take(self, inputs: Any) -> dict[str, Any] | None:
        """Bind one row; return its values by column, or None when the general path must look at it."""
        slots, numbers, seen = self._slots, self._numbers, 0
        kept: dict[str, Any] = {}
        try:
            for item in inputs:
                slot = slots[item["name"]]
                shape = item["shape"]
                if item["datatype"] not in slot.datatypes or (shape != _ONE_BY_ONE and shape != _ONE) or len(item) != 4:  # noqa: PLR1714, PLR2004 two comparisons are cheaper than a search
                    return None
                kept[slot.name] = data = item["data"]
                (value,) = data
                seen |= slot.bit
                table = slot.table
                if table is not None:
                    tensor = table[value]
                    if tensor is not slot.bound:
                        self._bind(slot.name, tensor)
                        slot.bound = tensor
                else:
                    numbers[slot.index] = value if type(value) in slot.types else slot.null(value)
            if seen != self._full or len(inputs) != len(slots):
                return None
            self._pack(self._view, 0, *numbers)
        except _UNUSUAL:
            return None
        return kept

    def run(self) -> tuple[str, Any]:
        """Run the bound row; the probabilities (one row) are overwritten by the next run."""
        self._session.run_with_iobinding(self._binding)
        return self._binding.get_outputs()[0].numpy()[0], self._row


def _name(name: str) -> bytes:
    """Return an output's name as JSON that may stand in a template."""
    return orjson.dumps(name).replace(b"%", b"%%")


def _fits(column: Column, port: str) -> bool:
    if column.kind == "string":
        return bool(column.categories) and port == "tensor(string)"
    return column.categories is None and port == "tensor(float)"


def _binary_outputs(outputs: list[dict[str, Any]]) -> tuple[str, str, int] | None:
    """Return (label, probabilities, number of classes) when the outputs are exactly these."""
    if [spec["type"] for spec in outputs] != ["string", "float"] or not outputs[1].get("classes"):
        return None
    return outputs[0]["name"], outputs[1]["name"], len(outputs[1]["classes"])


def _tensors(words: list[str]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(words_graph(words), options, providers=["CPUExecutionProvider"])
    found: dict[str, Any] = {}
    for index, word in enumerate(words):
        place = onnxruntime.OrtValue.ortvalue_from_numpy(np.array([[index]], dtype=np.int64))
        (found[word],) = session.run_with_ort_values(["y"], {"i": place})
    return found
