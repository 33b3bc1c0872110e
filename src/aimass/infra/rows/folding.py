"""Fold the preparation of a row out of a graph: for one row it is cheaper to write numbers into bound memory.

One-hot encoding, imputing, scaling and putting side by side are known for one row when its values are known, and cost
more as nodes than a whole model does. They are taken out as far as every value they read is an input; the vector that
they made becomes an input itself. The rest of the graph stays byte for byte as it is.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aimass.infra.rows.graph import (
    ATTRIBUTE,
    FLOAT,
    INPUT,
    INT64,
    NODE,
    OUTPUT,
    VALUE_INFO,
    Graph,
    Node,
    name_of,
)
from aimass.infra.rows.protobuf import Field, port, read_fields, write_bytes, write_number

_WITH_SUBGRAPHS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_CLASSES = {
    "TreeEnsembleClassifier": "classlabels_int64s",
    "LinearClassifier": "classlabels_ints",
    "SVMClassifier": "classlabels_ints",
}
_FLOAT = struct.Struct("<f")
_INTS = 7  # the type of an attribute


def _rounded(value: float) -> float:
    """Return the nearest ``float32``; one operation on such numbers in ``float64``, rounded, is what ``float32`` gives."""
    return _FLOAT.unpack(_FLOAT.pack(value))[0]


@dataclass(frozen=True, slots=True)
class Fill:
    """Put a number in place of null."""

    number: float

    def __call__(self, value: float) -> float:
        """Do it."""
        return self.number if math.isnan(value) else value


@dataclass(frozen=True, slots=True)
class Scale:
    """Take an offset away and multiply, in ``float32`` as the graph does."""

    offset: float
    factor: float

    def __call__(self, value: float) -> float:
        """Do it."""
        return _rounded(_rounded(value - self.offset) * self.factor)


Step = Fill | Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where one number of a row comes from: a column's number, or whether the column has this ``word``."""

    column: str
    word: str | None = None
    steps: tuple[Step, ...] = ()

    def number(self, value: float) -> float:
        """Return what the graph would have made of a number."""
        made = _rounded(value)
        for step in self.steps:
            made = step(made)
        return made

    @property
    def keeps(self) -> bool:
        """Whether every number but null stays what it is."""
        return all(isinstance(step, Fill) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """An input that holds numbers of one row."""

    shape: tuple[int, ...]
    cells: tuple[Cell, ...]

    def then(self, steps: tuple[Step, ...]) -> Vector:
        """Return the vector with one more step for each cell."""
        cells = (
            Cell(column=c.column, word=c.word, steps=(*c.steps, step))
            for c, step in zip(self.cells, steps, strict=True)
        )
        return Vector(shape=self.shape, cells=tuple(cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A graph for one row.

    Attributes
    ----------
    vectors
        The inputs that hold numbers; text columns that could not be folded are inputs as before.
    words
        The labels by number when the label is a number now, else None.
    """

    model: bytes
    vectors: dict[str, Vector]
    words: list[str] | None

    def all_cells(self) -> Iterator[Cell]:
        """Go through the cells in the order of the memory."""
        return (cell for vector in self.vectors.values() for cell in vector.cells)

    @property
    def cell_count(self) -> int:
        """How many numbers a row has in memory."""
        return sum(len(vector.cells) for vector in self.vectors.values())

    @property
    def cells(self) -> dict[str, list[Cell]]:
        """The cells of each column, in the order of the memory."""
        found: dict[str, list[Cell]] = {}
        for cell in self.all_cells():
            found.setdefault(cell.column, []).append(cell)
        return found

    @property
    def format(self) -> str:
        """What two programs that speak of the memory of a row must have in common."""
        said = repr([*((name, vector.shape, vector.cells) for name, vector in self.vectors.items()), self.words])
        return hashlib.sha256(said.encode() + self.model).hexdigest()[:32]


def fold(model: bytes, texts: set[str], numbers: set[str], label: str) -> Folded | None:
    """Return the graph for one row, or None when it holds parts that this module does not look into."""
    parts = Graph.read(model)
    if any(node.operator in _WITH_SUBGRAPHS for node in parts.nodes):
        return None
    folding = _Folding(parts, texts, numbers)
    for node in parts.nodes:
        folding.try_node(node)
    words = _number_the_label(parts, label)
    inputs = texts - folding.texts | numbers
    outputs = {label} if words is not None else set[str]()
    kept = [part.raw for part in parts.others if not _is_gone(part, inputs, outputs)]
    kept += [write_bytes(INPUT, port(name, FLOAT, vector.shape)) for name, vector in folding.vectors.items()]
    kept += [write_bytes(OUTPUT, port(name, INT64, (1,))) for name in outputs]
    return Folded(model=parts.write(kept), vectors=folding.vectors, words=words)


def _is_gone(part: Field, inputs: set[str], outputs: set[str]) -> bool:
    if part.number == INPUT:
        return name_of(part) in inputs
    return part.number == VALUE_INFO or (part.number == OUTPUT and name_of(part) in outputs)


_RULES = {
    "OneHotEncoder": "_one_hot",
    "Concat": "_concat",
    "Reshape": "_reshape",
    "Imputer": "_imputer",
    "Scaler": "_scaler",
    "Identity": "_same",
    "Cast": "_cast",
}


class _Folding:
    """The state of the work: which vectors are inputs by now, and which texts are left."""

    def __init__(self, parts: Graph, texts: set[str], numbers: set[str]) -> None:
        self._parts = parts
        self.texts = set(texts)
        self.vectors = {name: Vector(shape=(1, 1), cells=(Cell(column=name),)) for name in sorted(numbers)}

    def try_node(self, node: Node) -> None:
        """Fold one node away when a rule knows how."""
        rule = _RULES.get(node.operator)
        if rule is None or len(node.outputs) != 1 or node.outputs[0] in self._parts.outputs:
            return
        made: Vector | None = getattr(self, rule)(node)
        if made is not None:
            for name in node.inputs:
                self.vectors.pop(name, None)
                self.texts.discard(name)
            self.vectors[node.outputs[0]] = made
            node.raw = b""

    def _is_alone(self, name: str) -> bool:
        return self._parts.uses[name] == 1 and name not in self._parts.outputs

    def _vector(self, name: str) -> Vector | None:
        return self.vectors.get(name) if self._is_alone(name) else None

    def _one_hot(self, node: Node) -> Vector | None:
        (name,) = node.inputs
        words = node.attributes["cats_strings"].strings() if "cats_strings" in node.attributes else []
        is_strict = "zeros" in node.attributes and not node.attributes["zeros"].integer()
        if name not in self.texts or not self._is_alone(name) or not words or is_strict:
            return None
        return Vector(shape=(1, 1, len(words)), cells=tuple(Cell(column=name, word=word) for word in words))

    def _concat(self, node: Node) -> Vector | None:
        vectors = [found for found in map(self._vector, node.inputs) if found is not None]
        dimensions = {len(vector.shape) for vector in vectors}
        if len(vectors) != len(node.inputs) or len(dimensions) != 1:
            return None
        (dimension,) = dimensions
        if node.attributes["axis"].integer() not in (-1, dimension - 1):
            return None
        cells = tuple(cell for vector in vectors for cell in vector.cells)
        return Vector(shape=(*(1,) * (dimension - 1), len(cells)), cells=cells)

    def _reshape(self, node: Node) -> Vector | None:
        vector, wanted = self._vector(node.inputs[0]), self._parts.constant(node.inputs[1])
        if vector is None or wanted is None or 0 in wanted or wanted.count(-1) > 1:
            return None
        size = len(vector.cells)
        known = math.prod(number for number in wanted if number != -1)
        shape = tuple(size // known if number == -1 else number for number in wanted)
        is_row = math.prod(shape) == size and bool(shape) and shape[-1] == size
        return Vector(shape=shape, cells=vector.cells) if is_row else None

    def _imputer(self, node: Node) -> Vector | None:
        vector, attributes = self._vector(node.inputs[0]), node.attributes
        fills = _spread(node, "imputed_value_floats", vector)
        replaced = attributes["replaced_value_float"].floats() if "replaced_value_float" in attributes else (0.0,)
        if vector is None or fills is None or not math.isnan(replaced[0]):
            return None
        return vector.then(tuple(map(Fill, fills)))

    def _scaler(self, node: Node) -> Vector | None:
        vector = self._vector(node.inputs[0])
        offsets, factors = _spread(node, "offset", vector), _spread(node, "scale", vector)
        if vector is None or offsets is None or factors is None:
            return None
        return vector.then(tuple(map(Scale, offsets, factors)))

    def _same(self, node: Node) -> Vector | None:
        return self._vector(node.inputs[0])

    def _cast(self, node: Node) -> Vector | None:
        return self._vector(node.inputs[0]) if node.attributes["to"].integer() == FLOAT else None


def _spread(node: Node, name: str, vector: Vector | None) -> tuple[float, ...] | None:
    """Return an attribute as one number per cell."""
    numbers = node.attributes[name].floats() if name in node.attributes else ()
    wanted = len(vector.cells) if vector is not None else 0
    if len(numbers) == 1:
        return numbers * wanted
    return numbers if len(numbers) == wanted else None


def _number_the_label(parts: Graph, label: str) -> list[str] | None:
    """Let the classifier say the number of a label instead of its text; return the texts, or None where it cannot."""
    chain = [label]
    makers = {name: node for node in parts.nodes for name in node.outputs}
    while chain[-1] in makers and makers[chain[-1]].operator == "Identity":
        chain.append(makers[chain[-1]].inputs[0])
    node = makers.get(chain[-1])
    if node is None or node.operator not in _CLASSES or "classlabels_strings" not in node.attributes:
        return None
    is_read_elsewhere = any(parts.uses.get(name) != 1 or name in parts.outputs for name in chain[1:])
    if node.outputs[0] != chain[-1] or is_read_elsewhere or parts.uses.get(label):
        return None
    old = node.attributes["classlabels_strings"]
    words = old.strings()
    numbers = b"".join(write_number(8, number) for number in range(len(words)))
    new = write_bytes(1, _CLASSES[node.operator].encode()) + numbers + write_number(20, _INTS)
    (whole,) = read_fields(node.raw)
    fields = (write_bytes(ATTRIBUTE, new) if part.raw == old.raw else part.raw for part in read_fields(whole.payload))
    node.raw = write_bytes(NODE, b"".join(fields))
    return words
