"""Requests for one row are alike but for their values: one that was understood teaches how to read the next.

A layout is what a client's requests have in common, byte for byte. A request that matches it is the same JSON document
with other values, so nothing but the values is looked at: a category leads to its place, a number is read by the rules
of JSON. Whatever is not matched is left to the general path, which knows every refusal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from struct import Struct
from typing import Any

import orjson

from aimass.gateway.plane.columns import FLOAT32_MAX, Column
from aimass.infra.rows import Cell

Entry = tuple[bytes, bytes, Any]

_MARKS = (b'"data":[', b'"data": [')
_PLAIN = frozenset({"id", "inputs"})
_TENSOR = {"name", "datatype", "shape", "data"}
_DATATYPES = {"string": ("BYTES",), "float": ("FP32", "FP64"), "integer": ("INT64",), "boolean": ("BOOL",)}
_SHAPES = ([1, 1], [1])
_WHOLE = rb"-?(?:0|[1-9][0-9]{0,17})"
_NUMBERS = {"integer": re.compile(_WHOLE), "float": re.compile(_WHOLE + rb"(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?")}
_NOTHING = re.compile(rb"(?!)")
_ID = re.compile(rb'(\{\s*"id"\s*:\s*")([A-Za-z0-9_.:-]{1,255})("\s*,.*)', re.DOTALL)
_SHORT = 3
_QUOTE = ord('"')
_MAX_REMEMBERED = 64
_MAX_PIECES = 1024
_MAX_PIECE = 512
_LESSON_EVERY_S = 0.05
_FLOAT = Struct("<f").pack
_LOW = -FLOAT32_MAX


class Input:
    """One input of a signature: what each of its values puts into memory and into the record.

    ``tensors`` are ready tensors by category, for a text that the graph still takes as text.
    """

    __slots__ = ("_cells", "_head", "_is_number", "_made", "_off", "_on", "_tensors", "_words", "datatypes", "name")

    def __init__(self, column: Column, cells: Sequence[Cell], tensors: Mapping[str, Any]) -> None:
        self.name = column.name
        self.datatypes = _DATATYPES[column.kind]
        self._cells = tuple(cells)
        self._tensors = tensors
        self._head = orjson.dumps(column.name) + b":["
        self._is_number = _NUMBERS.get(column.kind, _NOTHING).fullmatch
        self._made = None if not cells or cells[0].keeps else cells[0].number
        self._off = b"".join(_FLOAT(cell.number(0.0)) for cell in cells if cell.word is not None)
        self._on = {cell.word: (4 * i, _FLOAT(cell.number(1.0))) for i, cell in enumerate(cells)}
        words = [word for word in column.categories or () if isinstance(word, str)]
        self._words: dict[bytes, str | float] = {spelled: word for word in words for spelled in _spellings(word)}
        if column.kind == "boolean":
            self._words |= {b"true": 1.0, b"false": 0.0}
        if column.nullable:
            self._words[b"null"] = "" if column.kind == "string" else math.nan

    def entry(self, text: bytes, exact: float | None = None) -> Entry:
        """Return what a value puts where, a number by itself where it is known; a KeyError for what is no value of this input."""
        if self._is_number(text) is not None:
            value = float(text) if exact is None else exact  # the largest FP32 is written a little larger than it is
            if not _LOW <= value <= FLOAT32_MAX:
                raise KeyError(text)
            return _FLOAT(self._made(value) if self._made else value), b"%b%b]" % (self._head, text), None
        word = self._words[text]
        if not isinstance(word, str):
            return _FLOAT(self._cells[0].number(word)), b"%b%b]" % (self._head, text), None
        place, number = self._on.get(word, (0, b""))
        memory = self._off[:place] + number + self._off[place + len(number) :]
        return memory, b"%b%b]" % (self._head, text), self._tensors.get(word)

    def spelled(self, value: Any, piece: bytes) -> bytes | None:
        """Return how a piece of a request spells this value, or None when that cannot be said for sure."""
        if type(value) in {int, float}:
            text = piece[: piece.find(b"]")]
            return text if self._is_number(text) else None
        return next((text for text in _spellings(value) if piece.startswith(text + b"]")), None)


def _spellings(value: Any) -> tuple[bytes, bytes]:
    """Return the two ways in which clients write a value: with letters as they are, or as escapes."""
    return orjson.dumps(value), json.dumps(value).encode()


class Known(dict[bytes, Entry]):
    """What one input of a layout said, by all of the bytes between its ``"data":[`` and the next."""

    __slots__ = ("_entry", "_rest")

    def __init__(self, entry: Callable[[bytes], Entry], rest: bytes) -> None:
        super().__init__()
        self._entry = entry
        self._rest = rest

    def __missing__(self, piece: bytes) -> Entry:
        """Read a value that was not met yet; some are remembered, but no long numbers."""
        if not piece.endswith(self._rest):
            raise KeyError(piece)
        text = piece[: -len(self._rest)]
        entry = self._entry(text)
        if len(self) < _MAX_REMEMBERED and (len(text) <= _SHORT or text[0] == _QUOTE):
            self[piece] = entry
        return entry


class Layout:
    """What the requests of a client have in common."""

    __slots__ = ("order", "tables", "texts")

    def __init__(self, inputs: Sequence[Input], rests: Sequence[bytes], memory: Sequence[str]) -> None:
        names = [found.name for found in inputs]
        places = [names.index(name) for name in memory]
        self.tables = [Known(found.entry, rest) for found, rest in zip(inputs, rests, strict=True)]
        self.order: Callable[[Any], Any] = itemgetter(*places) if len(places) > 1 else tuple
        self.texts = [(number, name) for number, name in enumerate(names) if name not in set(memory)]


class Layouts:
    """The layouts that a model has met; ``memory`` names the inputs in the order of their numbers in memory."""

    def __init__(self, inputs: Sequence[Input], memory: Sequence[str]) -> None:
        self._inputs = {found.name: found for found in inputs}
        self._memory = tuple(memory)
        self._count = len(inputs) + 1
        self._layouts: dict[bytes, Layout] = {}
        self._next_lesson = 0.0

    def match(self, body: bytes) -> tuple[bytes, Layout, list[Entry]] | None:
        """Return the id of a request (empty when it has none), its layout and its entries; None when none matches."""
        pieces = body.split(_MARKS[0])
        if len(pieces) != self._count:
            pieces = body.split(_MARKS[1])
            if len(pieces) != self._count:
                return None
        given = b""
        first = pieces.pop(0)
        layout = self._layouts.get(first)
        if layout is None:
            found = _ID.fullmatch(first)
            layout = self._layouts.get(found[1] + found[3]) if found else None
            if layout is None or found is None:
                return None
            given = found[2]
        try:
            return given, layout, [table[piece] for table, piece in zip(layout.tables, pieces, strict=True)]
        except KeyError:
            return None

    def learn(self, body: bytes, document: dict[str, Any], now: float) -> None:
        """Learn from a request for one row that kept to the signature; not more often than is worth it."""
        if now < self._next_lesson or not _PLAIN.issuperset(document):
            return
        self._next_lesson = now + _LESSON_EVERY_S
        split = (body.split(mark) for mark in _MARKS)
        pieces = next((pieces for pieces in split if len(pieces) == self._count), None)
        if pieces is None or max(map(len, pieces)) > _MAX_PIECE:
            return
        key, rests = _key(pieces[0], document.get("id")), self._rests(document["inputs"], pieces[1:])
        if key is None or rests is None:
            return
        if len(self._layouts) >= max(2, _MAX_PIECES // self._count):
            self._layouts.clear()
        inputs = [self._inputs[tensor["name"]] for tensor in document["inputs"]]
        self._layouts[key] = Layout(inputs, rests, self._memory)

    def _rests(self, tensors: list[dict[str, Any]], pieces: list[bytes]) -> list[bytes] | None:
        """Return what follows the value in each piece, or None when the pieces are not the tensors for sure."""
        rests: list[bytes] = []
        for tensor, piece in zip(tensors, pieces, strict=True):
            found = self._inputs[tensor["name"]]
            is_usual = tensor.keys() == _TENSOR and tensor["datatype"] in found.datatypes and tensor["shape"] in _SHAPES
            text = found.spelled(tensor["data"][0], piece) if is_usual else None
            if text is None:
                return None
            rests.append(piece[len(text) :])
        return rests


def _key(first: bytes, given: Any) -> bytes | None:
    """Return what names a layout: what comes before the first value, without the id; None for an id at another place."""
    if not given:
        return first
    found = _ID.fullmatch(first)
    return found[1] + found[3] if found and found[2] == str(given).encode() else None
