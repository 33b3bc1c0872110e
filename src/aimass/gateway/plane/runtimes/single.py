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

from aimass.gateway.plane.columns import Column
from aimass.gateway.plane.runtimes.strings import words_graph

_NAN = float("nan")
_UNTOUCHED = "\x00untouched"
_ROUNDING = 0.01
_UNUSUAL = (KeyError, TypeError, ValueError, OverflowError, struct.error)
_DATATYPES = {"string": ("BYTES",), "float": ("FP32", "FP64"), "integer": ("INT64",), "boolean": ("BOOL",)}
_TYPES = {"float": (float, int), "integer": (int,), "boolean": (bool,)}


class _Slot:
    """Where one input goes: a table of ready tensors, or a place among the numbers.

    ``square`` is the usual description of its tensor without the data, ``others`` are the less usual ones.
    """

    __slots__ = ("bit", "bound", "index", "name", "nullable", "others", "square", "table", "types")

    def __init__(self, column: Column, bit: int) -> None:
        self.name = column.name
        self.bit = bit
        datatypes = _DATATYPES[column.kind]
        described = [{"name": column.name, "datatype": d, "shape": s} for d in datatypes for s in ([1, 1], [1])]
        self.square, self.others = described[0], described[1:]
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
        self, session: onnxruntime.InferenceSession, slots: list[_Slot], outputs: tuple[str, str, list[str]]
    ) -> None:
        label, probabilities, classes = outputs
        self._slots = {slot.name: slot for slot in slots}
        self._full = (1 << len(slots)) - 1
        self._numbers: list[Any] = [0.0] * sum(slot.table is None for slot in slots)
        self._block = np.zeros(len(self._numbers), dtype=np.float32)
        self._view = self._block.data.cast("B")
        self._pack = struct.Struct(f"<{len(self._numbers)}f").pack_into
        self._session = session
        self._binding = session.io_binding()
        self._bind = _inner(self._binding, "_iobinding").bind_ortvalue_input
        self.row = np.zeros((1, len(classes)), dtype=np.float32)
        self._label = _tensors([_UNTOUCHED], shape=(1,))[_UNTOUCHED]
        self._binding.bind_ortvalue_output(label, self._label)
        self._binding.bind_ortvalue_output(probabilities, onnxruntime.OrtValue.ortvalue_from_numpy(self.row))
        self.labels = {name: orjson.dumps(name) for name in classes}
        self.record = b"{%b:[%%b],%b:[%%b]}" % (_name(label), _name(probabilities))
        self.reply = (
            b'"id":%%b,"outputs":[{"name":%b,"datatype":"BYTES","shape":[1],"data":[%%b]},'
            b'{"name":%b,"datatype":"FP32","shape":[1,%d],"data":%%b}]}'
        ) % (_name(label), _name(probabilities), len(classes))
        for slot in slots:
            self._bind_first(slot)

    def _bind_first(self, slot: _Slot) -> None:
        if slot.table is None:
            place = self._block[slot.index : slot.index + 1].reshape(1, 1)
            slot.bound = _inner(onnxruntime.OrtValue.ortvalue_from_numpy(place), "_ortvalue")
        else:
            slot.table = {word: _inner(tensor, "_ortvalue") for word, tensor in slot.table.items()}
            slot.bound = next(iter(slot.table.values()))
        self._bind(slot.name, slot.bound)

    @classmethod
    def of(
        cls, session: onnxruntime.InferenceSession, columns: dict[str, Column], outputs: list[dict[str, Any]]
    ) -> SingleRow | None:
        """Return the cheap path for a graph, or None where its shape does not allow one."""
        names = _two_outputs(outputs)
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
        """Run once and see whether the bound memory was written: a label of the classes, shares that add up to one."""
        self.row[:] = -1.0
        try:
            label = self.run()
        except Exception:  # noqa: BLE001 a graph whose outputs cannot be bound is served by the general path
            return False
        return label in self.labels and bool(abs(float(self.row.sum()) - 1.0) < _ROUNDING)

    def take(self, inputs: Any) -> dict[str, Any] | None:
        """Bind one row; return its values by column, or None when the general path must look at it.

        The tensors are used up: who goes on with the request must read its body again.
        """
        slots, numbers, seen = self._slots, self._numbers, 0
        kept: dict[str, Any] = {}
        try:
            for item in inputs:
                slot = slots[item["name"]]
                (value,) = kept[slot.name] = item.pop("data")
                if item != slot.square and item not in slot.others:
                    return None
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

    def run(self) -> str:
        """Run the bound row; return its label, and leave the probabilities in :attr:`row`."""
        self._session.run_with_iobinding(self._binding)
        return self._label.numpy()[0]


def _inner(wrapper: Any, name: str) -> Any:
    """Return the object inside a thin wrapper of onnxruntime: calling through the wrapper costs as much as the call."""
    return getattr(wrapper, name)


def _name(name: str) -> bytes:
    """Return an output's name as JSON that may stand in a template."""
    return orjson.dumps(name).replace(b"%", b"%%")


def _fits(column: Column, port: str) -> bool:
    if column.kind == "string":
        return bool(column.categories) and port == "tensor(string)"
    return column.categories is None and port == "tensor(float)"


def _two_outputs(outputs: list[dict[str, Any]]) -> tuple[str, str, list[str]] | None:
    """Return (label, probabilities, classes) when the outputs are exactly these."""
    if [spec["type"] for spec in outputs] != ["string", "float"] or not outputs[1].get("classes"):
        return None
    return outputs[0]["name"], outputs[1]["name"], outputs[1]["classes"]


def _tensors(words: list[str], shape: tuple[int, ...] = (1, 1)) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(words_graph(words), options, providers=["CPUExecutionProvider"])
    found: dict[str, Any] = {}
    for index, word in enumerate(words):
        place = onnxruntime.OrtValue.ortvalue_from_numpy(np.full(shape, index, dtype=np.int64))
        (found[word],) = session.run_with_ort_values(["y"], {"i": place})
    return found
