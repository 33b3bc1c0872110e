"""Reads the messages of PostgreSQL's output plug-in ``pgoutput`` (protocol version 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from aimass.kernel.errors import Failed

_BEGIN, _COMMIT = Struct(">qqi"), Struct(">bqqq")
_TEXT, _NULL = b"tn"
_SHORT, _INT, _COLUMN = Struct(">h"), Struct(">i"), Struct(">ii")


class Unchanged:
    """Stands for a long value that an update left as it was: the server does not send it."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = Unchanged()
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was when the next changes happened."""

    schema: str
    table: str
    columns: tuple[str, ...]
    types: tuple[int, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change; ``old`` holds the key before an update that moved it, or of a delete."""

    operation: str
    relation: Relation
    row: Row = field(default_factory=Row)
    old: Row | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins; ``lsn`` is where its commit lies."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction ends; reading goes on at ``end``."""

    end: int


Event = Begin | Commit | Change


class Decoder:
    """Keeps the relations of one reading: the server describes each before its first change, and again after DDL."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def events(self, data: bytes) -> Iterator[Event]:
        """Read one message; it may hold no event, or several (a truncation of several tables)."""
        kind = data[:1]
        if kind == b"B":
            yield Begin(_BEGIN.unpack_from(data, 1)[0])
        elif kind == b"C":
            yield Commit(_COMMIT.unpack_from(data, 1)[2])
        elif kind == b"R":
            self._relation(data)
        elif kind in (b"I", b"U", b"D"):
            yield self._change(data)
        elif kind == b"T":
            yield from self._truncations(data)
        elif kind not in (b"Y", b"O", b"M"):
            raise Failed(f"PostgreSQL sent a message {kind!r} that is not known")

    def _relation(self, data: bytes) -> None:
        oid = _INT.unpack_from(data, 1)[0]
        schema, at = _text(data, 5)
        table, at = _text(data, at)
        count = _SHORT.unpack_from(data, at + 1)[0]
        at += 3
        names, types, keys = list[str](), list[int](), list[str]()
        for _ in range(count):
            is_key = data[at] & 1
            name, at = _text(data, at + 1)
            names.append(name)
            types.append(_COLUMN.unpack_from(data, at)[0])
            at += _COLUMN.size
            if is_key:
                keys.append(name)
        self._relations[oid] = Relation(schema, table, tuple(names), tuple(types), tuple(keys))

    def _change(self, data: bytes) -> Change:
        relation = self._relations[_INT.unpack_from(data, 1)[0]]
        at, old, row = 5, None, Row()
        while at < len(data):
            part = data[at : at + 1]
            values, at = _tuple(data, at + 1, relation.columns)
            if part == b"N":
                row = values
            elif part == b"K":
                old = {name: values[name] for name in relation.keys}
            else:
                old = values
        operation = {b"I": "insert", b"U": "update", b"D": "delete"}[data[:1]]
        for name, value in row.items():
            if value is UNCHANGED and old is not None and name in old:
                row[name] = old[name]
        return Change(operation, relation, row, old)

    def _truncations(self, data: bytes) -> Iterator[Change]:
        count = _INT.unpack_from(data, 1)[0]
        for number in range(count):
            yield Change("truncate", self._relations[_INT.unpack_from(data, 6 + 4 * number)[0]])


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def _tuple(data: bytes, at: int, names: tuple[str, ...]) -> tuple[Row, int]:
    at += 2
    row = Row()
    for name in names:
        kind = data[at]
        at += 1
        if kind == _TEXT:
            size = _INT.unpack_from(data, at)[0]
            at += 4
            row[name] = data[at : at + size].decode()
            at += size
        else:
            row[name] = None if kind == _NULL else UNCHANGED
    return row, at


def lsn_of(text: str) -> int:
    """Read a position in the log.

    Examples
    --------
    >>> lsn_of("1/2A"), lsn_text(4294967338)
    (4294967338, '1/2A')
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(lsn: int) -> str:
    """Write a position in the log."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
