"""From the types of PostgreSQL to those of a dataset, and the few texts that have to be written differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aimass.collector.connectors.port import StreamColumn

_KINDS = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "integer"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "bool": "boolean",
    "date": "date",
    "numeric": "decimal",
}
_MOST_DIGITS = 38


def column_of(name: str, native: str, modifier: int, *, is_nullable: bool) -> StreamColumn:
    """Describe a column; a numeric without bounds is kept as text, so that no digit is lost.

    Examples
    --------
    >>> column_of("a", "numeric", 1310726, is_nullable=True).scale, column_of("b", "_int4", -1, is_nullable=True).type
    (2, 'json')
    """
    kind = "json" if native.startswith("_") else _KINDS.get(native, "string")
    precision = scale = None
    if kind == "decimal":
        precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
        if modifier < 0 or precision > _MOST_DIGITS or scale > precision:
            kind, precision, scale = "string", None, None
    return StreamColumn(name=name, type=kind, nullable=is_nullable, native=native, precision=precision, scale=scale)


def written(native: str) -> Callable[[str], Any] | None:
    """Return how a text has to be changed; None: not at all."""
    if native.startswith("_"):
        of_elements = native[1:]
        return lambda text: json.dumps(array(text, _scalar(of_elements)), ensure_ascii=False)
    return None


def _scalar(native: str) -> Callable[[str], Any]:
    kind = _KINDS.get(native)
    if kind == "integer":
        return int
    if kind == "float":
        return float
    if kind == "boolean":
        return lambda text: text == "t"
    if kind == "json":
        return json.loads
    return str


def array(text: str, scalar: Callable[[str], Any]) -> list[Any]:
    """Read an array as PostgreSQL writes it.

    Examples
    --------
    >>> array("{1,NULL,3}", int), array('{{a,"b,c"},{"NULL",d}}', str)
    ([1, None, 3], [['a', 'b,c'], ['NULL', 'd']])
    """
    begin = text.index("{")  # bounds that do not begin at 1 stand before it: [0:2]={1,2,3}
    found, end = _array(text, begin + 1, scalar)
    if end != len(text):
        raise ValueError(f"{text!r} is no array")
    return found


def _array(text: str, at: int, scalar: Callable[[str], Any]) -> tuple[list[Any], int]:
    found: list[Any] = []
    while text[at] != "}":
        if text[at] == ",":
            at += 1
        elif text[at] == "{":
            inner, at = _array(text, at + 1, scalar)
            found.append(inner)
        elif text[at] == '"':
            value, at = _quoted(text, at + 1)
            found.append(scalar(value))
        else:
            end = min(place for place in (text.find(",", at), text.find("}", at)) if place >= 0)
            word = text[at:end]
            found.append(None if word == "NULL" else scalar(word))
            at = end
    return found, at + 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while text[at] != '"':
        if text[at] == "\\":
            at += 1
        parts.append(text[at])
        at += 1
    return "".join(parts), at + 1
