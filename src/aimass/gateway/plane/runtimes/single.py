"""The cheap path for one row: everything is bound once, and a request only writes numbers into that memory.

Text columns that feed a one-hot encoder are lifted out of the graph (:mod:`.lift`): a category is a place among the
numbers. Other text columns have a ready tensor per category. The path is optimistic: whatever is unusual in a request
makes :meth:`SingleRow.take` return None, and the general path, which knows every refusal, does the work.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import orjson

from aimass.gateway.plane.columns import Column
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.runtimes.lift import lift_one_hot
from aimass.gateway.plane.runtimes.session import new_session
from aimass.gateway.plane.runtimes.strings import words_graph

Encoders = dict[str, tuple[str, list[str]]]
Run = Callable[[dict[str, Any]], dict[str, Any]]

_NAN = float("nan")
_UNTOUCHED = "\x00untouched"
_MAX_LIFTED_BYTES = 8 * 1024 * 1024
_TRIED_ROWS = 6
_UNUSUAL = (KeyError, TypeError, ValueError, OverflowError, struct.error)
_DATATYPES = {"string": ("BYTES",), "float": ("FP32", "FP64"), "integer": ("INT64",), "boolean": ("BOOL",)}
_TYPES = {"float": (float, int), "integer": (int,), "boolean": (bool,)}


class _Slot:
    """Where one input goes.

    ``square`` is the usual description of its tensor without the data, ``others`` are the less usual ones. ``table``
    leads from a category to its ready tensor, or (``is_hot``) to its place among the numbers.
    """

    __slots__ = ("bit", "bound", "index", "is_hot", "name", "nullable", "others", "square", "table", "types")

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
        self.is_hot = False

    def null(self, value: Any) -> float:
        """Return the number that stands for null, or refuse what is no number."""
        if value is None and self.nullable:
            return _NAN
        raise TypeError(value)


class SingleRow:
    """A session with its inputs and outputs bound once."""

    def __init__(self, session: onnxruntime.InferenceSession, package: Package, encoders: Encoders) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._bind = _inner(self._binding, "_iobinding").bind_ortvalue_input
        columns = package.columns
        self._slots = {name: _Slot(column, 1 << bit) for bit, (name, column) in enumerate(columns.items())}
        self._full = (1 << len(columns)) - 1
        places = [len(encoders[name][1]) if name in encoders else 1 for name in columns]
        self._numbers: list[Any] = [0.0] * (sum(places) + 1)
        self._block = np.zeros(len(self._numbers), dtype=np.float32)
        self._view = self._block.data.cast("B")
        self._pack = struct.Struct(f"<{len(self._numbers)}f").pack_into
        self._bind_inputs(columns, encoders, places)
        self._bind_outputs(*two_outputs(package.signature["outputs"]))

    def _bind_inputs(self, columns: dict[str, Column], encoders: Encoders, places: list[int]) -> None:
        texts = [column for name, column in columns.items() if column.kind == "string" and name not in encoders]
        words = sorted({word for column in texts for word in (column.categories or ())} | {""})
        tensors = ready_tensors(words, (1, 1))
        start = 0
        for (name, column), size in zip(columns.items(), places, strict=True):
            slot = self._slots[name]
            slot.index = start
            if column.kind == "string" and name not in encoders:
                slot.table = {word: tensors[word] for word in column.categories or ()}
                slot.table |= {None: tensors[""]} if column.nullable else {}
                slot.bound = next(iter(slot.table.values()))
                self._bind(name, slot.bound)
            else:
                port, known = encoders.get(name, (name, []))
                slot.is_hot = bool(known)
                slot.table = _places(column, known, start, len(self._numbers) - 1) if known else None
                slot.bound = len(self._numbers) - 1
                memory = self._block[start : start + size].reshape((1, 1, size) if known else (1, 1))
                self._bind(port, _inner(onnxruntime.OrtValue.ortvalue_from_numpy(memory), "_ortvalue"))
            start += size

    def _bind_outputs(self, label: str, probabilities: str, classes: list[str]) -> None:
        self.row = np.zeros((1, len(classes)), dtype=np.float32)
        self._label = ready_tensors([_UNTOUCHED], (1,), is_raw=False)[_UNTOUCHED]
        self._binding.bind_ortvalue_output(label, self._label)
        self._binding.bind_ortvalue_output(probabilities, onnxruntime.OrtValue.ortvalue_from_numpy(self.row))
        self.names = label, probabilities
        self.labels = {name: orjson.dumps(name) for name in classes}
        self.record = b"{%b:[%%b],%b:[%%b]}" % (_json(label), _json(probabilities))
        self.reply = (
            b'"id":%%b,"outputs":[{"name":%b,"datatype":"BYTES","shape":[1],"data":[%%b]},'
            b'{"name":%b,"datatype":"FP32","shape":[1,%d],"data":%%b}]}'
        ) % (_json(label), _json(probabilities), len(classes))

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
                if table is None:
                    numbers[slot.index] = value if type(value) in slot.types else slot.null(value)
                elif table[value] is not slot.bound:
                    self._turn(slot, table[value])
            if seen != self._full or len(inputs) != len(slots):
                return None
            self._pack(self._view, 0, *numbers)
        except _UNUSUAL:
            return None
        return kept

    def _turn(self, slot: _Slot, found: Any) -> None:
        if slot.is_hot:
            self._numbers[slot.bound] = 0.0
            self._numbers[found] = 1.0
        else:
            self._bind(slot.name, found)
        slot.bound = found

    def run(self) -> str:
        """Run the bound row; return its label, and leave the probabilities in :attr:`row`."""
        self._session.run_with_iobinding(self._binding)
        return self._label.numpy()[0]

    def agrees(self, columns: dict[str, Column], run: Run) -> bool:
        """Tell whether a few made-up rows get the same answers as on the general path, to the last bit."""
        label, probabilities = self.names
        for number in range(_TRIED_ROWS):
            values = {name: _made_up(column, number) for name, column in columns.items()}
            inputs = [{**slot.square, "data": [values[name]]} for name, slot in self._slots.items()]
            expected = run({name: [value] for name, value in values.items()})
            if self.take(inputs) is None or self.run() != expected[label][0]:
                return False
            if not np.array_equal(self.row, expected[probabilities]):
                return False
        return True


def single_row(package: Package, session: onnxruntime.InferenceSession, run: Run) -> SingleRow | None:
    """Return the cheap path of a package, or None where its graph does not allow one."""
    ports = {port.name: port.type for port in session.get_inputs()}
    outputs = package.signature["outputs"]
    if [spec["type"] for spec in outputs] != ["string", "float"] or not outputs[1].get("classes"):
        return None
    if not all(_fits(column, ports[name]) for name, column in package.columns.items()):
        return None
    for make in (_lifted, lambda package: SingleRow(session, package, {})):
        try:
            path = make(package)
            if path is not None and path.agrees(package.columns, run):
                return path
        except Exception:  # noqa: BLE001, S112 a graph that cannot be bound or lifted is served by the general path
            continue
    return None


def _lifted(package: Package) -> SingleRow | None:
    texts = {name for name, column in package.columns.items() if column.kind == "string"}
    if package.model is None or len(package.model) > _MAX_LIFTED_BYTES or not texts:
        return None
    lifted = lift_one_hot(package.model, texts)
    return (
        None if lifted is None else SingleRow(new_session(lifted.model, str(package.folder)), package, lifted.encoders)
    )


def two_outputs(outputs: list[dict[str, Any]]) -> tuple[str, str, list[str]]:
    """Return the names of label and probabilities, and the classes."""
    return outputs[0]["name"], outputs[1]["name"], outputs[1]["classes"]


def ready_tensors(words: list[str], shape: tuple[int, ...], *, is_raw: bool = True) -> dict[str, Any]:
    """Return a tensor of text for each word."""
    session = new_session(words_graph(words))
    found: dict[str, Any] = {}
    for index, word in enumerate(words):
        place = onnxruntime.OrtValue.ortvalue_from_numpy(np.full(shape, index, dtype=np.int64))
        (tensor,) = session.run_with_ort_values(["y"], {"i": place})
        found[word] = _inner(tensor, "_ortvalue") if is_raw else tensor
    return found


def _places(column: Column, known: list[str], start: int, nowhere: int) -> dict[Any, int]:
    """Return where each category has its 1; what the encoder does not know has none."""
    places = {word: start + known.index(word) if word in known else nowhere for word in column.categories or ()}
    if column.nullable:
        places[None] = start + known.index("") if "" in known else nowhere
    return places


def _made_up(column: Column, number: int) -> Any:
    if column.kind == "string":
        words = sorted(column.categories or ())
        return words[number % len(words)]
    return number % 2 == 0 if column.kind == "boolean" else number * 17


def _fits(column: Column, port: str) -> bool:
    if column.kind == "string":
        return bool(column.categories) and port == "tensor(string)"
    return column.categories is None and port == "tensor(float)"


def _inner(wrapper: Any, name: str) -> Any:
    """Return the object inside a thin wrapper of onnxruntime: calling through the wrapper costs as much as the call."""
    return getattr(wrapper, name)


def _json(name: str) -> bytes:
    """Return an output's name as JSON that may stand in a template."""
    return orjson.dumps(name).replace(b"%", b"%%")
