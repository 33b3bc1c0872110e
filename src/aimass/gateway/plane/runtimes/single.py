"""The cheap path for one row: everything is bound once, and a request only writes numbers into that memory.

What prepares a row is folded out of the graph (:mod:`.fold`); a request is read by its layout (:mod:`.layout`). The
path is optimistic: whatever is unusual in a request makes :meth:`SingleRow.take` return None, and the general path,
which knows every refusal, does the work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime
import orjson

from aimass.gateway.plane.columns import OFFERED, Column
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.runtimes.fold import Cell, Folded, Vector, fold
from aimass.gateway.plane.runtimes.layout import Input, Layouts, Taken
from aimass.gateway.plane.runtimes.session import new_session
from aimass.gateway.plane.runtimes.strings import words_graph

Run = Callable[[dict[str, Any]], dict[str, Any]]

_UNTOUCHED = "\x00untouched"
_MAX_FOLDED_BYTES = 8 * 1024 * 1024
_TRIED_ROWS = 32


class SingleRow:
    """A session with its inputs and outputs bound once."""

    def __init__(self, session: onnxruntime.InferenceSession, package: Package, folded: Folded) -> None:
        self._binding = session.io_binding()
        self._bind = _inner(self._binding, "_iobinding").bind_ortvalue_input
        self._run = _inner(session, "_sess").run_with_iobinding
        self._bound = _inner(self._binding, "_iobinding")
        cells = self._bind_numbers(folded.vectors)
        texts = [c for c in package.table.values() if c.kind == "string" and c.name not in cells]
        self._bind_texts(texts)
        inputs = [Input(c, cells.get(c.name, ()), self._tensors) for c in package.table.values()]
        self._layouts = Layouts(inputs, list(cells))
        self.learn = self._layouts.learn
        self._bind_outputs(package.signature["outputs"], folded.words)

    def _bind_numbers(self, vectors: Mapping[str, Vector]) -> dict[str, list[Cell]]:
        """Bind each vector to its part of the memory; return the cells of each column in the order of the memory."""
        total = sum(len(vector.cells) for vector in vectors.values())
        self._block = np.zeros(total + 1, dtype=np.float32)
        self._memory = self._block.data.cast("B")[: 4 * total]
        cells: dict[str, list[Cell]] = {}
        start = 0
        for name, vector in vectors.items():
            for cell in vector.cells:
                cells.setdefault(cell.column, []).append(cell)
            memory = self._block[start : start + len(vector.cells)].reshape(vector.shape)
            self._bind(name, _inner(onnxruntime.OrtValue.ortvalue_from_numpy(memory), "_ortvalue"))
            start += len(vector.cells)
        return cells

    def _bind_texts(self, columns: list[Column]) -> None:
        words = sorted({word for column in columns for word in column.categories or ()} | {""})
        self._tensors = ready_tensors(words, (1, 1)) if columns else {}
        for column in columns:
            self._bind(column.name, self._tensors[words[0]])

    def _bind_outputs(self, outputs: list[dict[str, Any]], words: list[str] | None) -> None:
        self.names = label, probabilities = outputs[0]["name"], outputs[1]["name"]
        classes: list[str] = outputs[1]["classes"]
        self.row = np.zeros((1, len(classes)), dtype=np.float32)
        self.first = self.row[0]
        if words is None:
            self._text = ready_tensors([_UNTOUCHED], (1,), is_raw=False)[_UNTOUCHED]
            self._binding.bind_ortvalue_output(label, self._text)
            self.run = self._run_for_text
        else:
            self._number = np.zeros(1, dtype=np.int64)
            self._label = self._number.data
            self._binding.bind_ortvalue_output(label, onnxruntime.OrtValue.ortvalue_from_numpy(self._number))
            self.run = self._run_for_number
        self._binding.bind_ortvalue_output(probabilities, onnxruntime.OrtValue.ortvalue_from_numpy(self.row))
        self.labels: dict[int | str, bytes] = {word: orjson.dumps(word) for word in classes}
        self.labels |= {number: orjson.dumps(word) for number, word in enumerate(words or ())}
        self.record = b"{%b:[%%b],%b:[%%b]}" % (_json(label), _json(probabilities))
        self.reply = (
            b'"id":"%%b","outputs":[{"name":%b,"datatype":"BYTES","shape":[1],"data":[%%b]},'
            b'{"name":%b,"datatype":"FP32","shape":[1,%d],"data":%%b}]}'
        ) % (_json(label), _json(probabilities), len(classes))

    def take(self, body: bytes) -> Taken | None:
        """Bind one row; return its id and its values as JSON members, or None when the general path must look at it."""
        matched = self._layouts.match(body)
        if matched is None:
            return None
        given, layout, entries = matched
        chunks, members, tensors = zip(*entries, strict=True)
        self._memory[:] = b"".join(layout.order(chunks))
        for number, name in layout.texts:
            self._bind(name, tensors[number])
        return given, b",".join(members)

    def _run_for_number(self) -> int | str:
        """Run the bound row; return what leads to its label, and leave the probabilities in :attr:`row`."""
        self._run(self._bound, None)
        return self._label[0]

    def _run_for_text(self) -> int | str:
        self._run(self._bound, None)
        return self._text.numpy()[0]

    def label(self, found: int | str) -> bytes:
        """Return a label as JSON."""
        return self.labels.get(found) or orjson.dumps(found)

    def outputs(self, label: bytes) -> dict[str, Any]:
        """Return the answer of the row that ran last as arrays, for who compares it later."""
        name, probabilities = self.names
        return {name: np.array([orjson.loads(label)], dtype=object), probabilities: self.row.copy()}

    def agrees(self, columns: dict[str, Column], run: Run) -> bool:
        """Tell whether made-up rows get the same answers as on the general path, to the last bit."""
        label, probabilities = self.names
        dice = random.Random(0)  # noqa: S311 the same rows each time
        for number in range(_TRIED_ROWS):
            values = {name: [_made_up(column, dice)] for name, column in columns.items()}
            document = {"inputs": [_tensor(column, values[name]) for name, column in columns.items()]}
            body, expected = orjson.dumps(document), run(values)
            if not number:
                self.learn(body, document, 1.0)
            if self.take(body) is None or orjson.loads(self.label(self.run())) != expected[label][0]:
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
    columns = package.table
    if len(columns) != len(ports) or not all(_fits(column, ports[name]) for name, column in columns.items()):
        return None
    for make in (_folded, lambda package: SingleRow(session, package, unfolded(package))):
        try:
            path = make(package)
            if path is not None and path.agrees(package.table, run):
                return path
        except Exception:  # noqa: BLE001, S112 a graph that cannot be bound or folded is served by the general path
            continue
    return None


def _folded(package: Package) -> SingleRow | None:
    texts = {name for name, column in package.columns.items() if column.kind == "string"}
    if package.model is None or len(package.model) > _MAX_FOLDED_BYTES:
        return None
    folded = fold(package.model, texts, set(package.columns) - texts, package.signature["outputs"][0]["name"])
    return None if folded is None else SingleRow(new_session(folded.model, str(package.folder)), package, folded)


def unfolded(package: Package) -> Folded:
    """Return the graph as it is: one number per column that is no text."""
    numbers = [name for name, column in package.columns.items() if column.kind != "string"]
    vectors = {name: Vector(shape=(1, 1), cells=(Cell(column=name),)) for name in numbers}
    return Folded(model=package.model or b"", vectors=vectors, words=None)


def ready_tensors(words: list[str], shape: tuple[int, ...], *, is_raw: bool = True) -> dict[str, Any]:
    """Return a tensor of text for each word."""
    session = new_session(words_graph(words))
    found: dict[str, Any] = {}
    for index, word in enumerate(words):
        place = onnxruntime.OrtValue.ortvalue_from_numpy(np.full(shape, index, dtype=np.int64))
        (tensor,) = session.run_with_ort_values(["y"], {"i": place})
        found[word] = _inner(tensor, "_ortvalue") if is_raw else tensor
    return found


def _tensor(column: Column, data: list[Any]) -> dict[str, Any]:
    return {"name": column.name, "datatype": OFFERED[column.kind], "shape": [1, 1], "data": data}


def _made_up(column: Column, dice: random.Random) -> Any:
    if column.nullable and dice.random() < 0.1:  # noqa: PLR2004 a null now and then
        return None
    if column.kind == "string":
        return dice.choice(sorted(column.categories or ()))
    if column.kind == "boolean":
        return dice.random() < 0.5  # noqa: PLR2004 half
    number = dice.choice((dice.randint(0, 3), dice.randint(0, 100), dice.gauss(0, 10_000)))
    return int(number) if column.kind == "integer" else number


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
