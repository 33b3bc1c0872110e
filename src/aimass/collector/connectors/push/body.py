"""What a request brings: JSON or NDJSON, packed or not, into lines of JSON whose numbers keep every digit."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from aimass.collector.connectors.strict_json import DEEPEST, depth
from aimass.kernel.errors import Invalid, TooLarge

PACKED = ("", "identity", "gzip")
MOST_ROWS = 100_000
MEMBERS = 300
_GZIP = 31  # zlib: expect the header of gzip
_SPACE = " \t\r\n"
_FORMS = "an object, a list of objects, or an object a line"


@dataclass(frozen=True, slots=True)
class Lines:
    """Objects, one a line, and how many there are."""

    data: bytes
    rows: int


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Unpack a body, and stop at the limit.

    Examples
    --------
    >>> unpacked(b'{"a": 1}', "", 100)
    b'{"a": 1}'
    """
    kind = encoding.strip().lower()
    if kind not in PACKED:
        allowed = ["gzip", "identity"]
        raise Invalid(f"content encoding {kind!r} is not known", field="content-encoding", value=kind, allowed=allowed)
    found = _inflated(body, limit) if kind == "gzip" else body
    if len(found) > limit:
        raise too_much(limit)
    return found


def _inflated(body: bytes, limit: int) -> bytes:
    """Unpack every member: what is packed in parts is one gzip behind the other."""
    found, rest = bytearray(), body
    for _ in range(MEMBERS):
        machine = zlib.decompressobj(_GZIP)
        try:
            found += machine.decompress(rest, limit + 1 - len(found))
        except zlib.error:
            raise Invalid("the body is no gzip", field="body") from None
        if len(found) <= limit and not machine.eof:
            raise Invalid("the gzip breaks off", field="body", hint="send it again")
        rest = machine.unused_data.lstrip(b"\0")  # a member may be padded
        if not rest or len(found) > limit:
            return bytes(found)
    raise Invalid(f"the gzip has more than {MEMBERS} members", field="body", allowed=MEMBERS, hint="pack it as one")


def too_much(limit: int) -> TooLarge:
    """Return the error for a push over the limit."""
    hint = "send fewer rows at once, as client.push does, or raise AIMASS_COLLECTOR_MAX_PUSH_BYTES"
    return TooLarge(f"a push may have {limit} bytes", field="body", allowed=limit, hint=hint)


def lines_of(body: bytes, most_rows: int = MOST_ROWS) -> Lines:
    r"""Read an object, a list of objects, or one object a line; the text of each stays as it was sent.

    Examples
    --------
    >>> lines_of(b'[{"a": 1.10},\n {"a": 2}]')
    Lines(data=b'{"a": 1.10}\n{"a": 2}\n', rows=2)
    >>> lines_of(b'{"a": 1}\n\n{"a": 2}\n').rows
    2
    """
    try:
        text = body.decode().strip(_SPACE)
    except UnicodeDecodeError as reason:
        raise Invalid(f"the body is no UTF-8: {reason.reason}", field="body", value=reason.start) from None
    found: list[str] = []
    for row in _items(text) if text.startswith("[") else _lines(text):
        found.append(row)
        if len(found) > most_rows:
            raise Invalid(f"a push may have {most_rows} rows", field="body", allowed=most_rows, hint="send it in parts")
    if not found:
        raise Invalid("there are no rows", field="body", allowed=_FORMS)
    return Lines("".join(f"{row}\n" for row in found).encode(), len(found))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=str)


def _item(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as reason:
        raise Invalid(f"the body is no JSON: {reason}", field="body", allowed=_FORMS) from None


def _items(text: str) -> Iterator[str]:
    """Yield the objects of a list, each on one line: outside of texts a line break is a space."""
    at, number = _past(text, 1), 0
    if text[at : at + 1] == "]" and at == len(text) - 1:
        return
    while True:
        _, end = _item(text, at)
        number += 1
        yield _row(_on_one_line(text[at:end]), number, number)
        at = _past(text, end)
        mark, at = text[at : at + 1], _past(text, at + 1)
        if mark == "]" and at == len(text):
            return
        if mark != ",":
            raise Invalid(f"the body is no JSON: after row {number}", field="body", value=number, allowed=_FORMS)


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _lines(text: str) -> Iterator[str]:
    if text.startswith("{") and "\n" in text:
        first = text[: text.index("\n")]
        if not _is_json(first):  # one object over several lines
            if _item(text, 0)[1] != len(text):
                raise Invalid("the body is no JSON: line 1", field="body", value=1, allowed=_FORMS)
            yield _row(_on_one_line(text), 1, 1)
            return
    number = 0
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip(_SPACE):
            continue
        number += 1
        yield _row(line.strip(_SPACE), number, at)


def _is_json(line: str) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _on_one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _row(line: str, number: int, at: int) -> str:
    """Return the line of a row that every reader of the inbox can read: one that none can would stand in the way of all others."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as reason:
        raise Invalid(f"the body is no JSON: line {at}: {reason}", field="body", value=at, allowed=_FORMS) from None
    if not isinstance(value, dict):
        raise Invalid(f"row {number} is no object but {type(value).__name__}", field="body", value=number)
    if line.count("[") + line.count("{") > DEEPEST and depth(value) > DEEPEST:
        raise Invalid(
            f"row {number} is nested too deep", field="body", value=number, allowed=f"at most {DEEPEST} levels"
        )
    return line
