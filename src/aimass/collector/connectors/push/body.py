"""What a request brings: JSON or NDJSON, packed or not, into lines of JSON."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import orjson

from aimass.kernel.errors import Invalid, TooLarge

PACKED = ("", "identity", "gzip")
_GZIP = 31  # zlib: expect the header of gzip


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
        raise Invalid(
            f"content encoding {kind!r} is not known",
            field="content-encoding",
            value=kind,
            allowed=["gzip", "identity"],
        )
    if kind == "gzip":
        body = _inflated(body, limit)
    if len(body) > limit:
        raise too_much(limit)
    return body


def _inflated(body: bytes, limit: int) -> bytes:
    machine = zlib.decompressobj(_GZIP)
    try:
        found = machine.decompress(body, limit + 1)
    except zlib.error:
        raise Invalid("the body is no gzip", field="body") from None
    if len(found) <= limit and not machine.eof:
        raise Invalid("the gzip breaks off", field="body", hint="send it again")
    return found


def too_much(limit: int) -> TooLarge:
    """Return the error for a request over the limit."""
    return TooLarge(
        f"a push may have {limit} bytes",
        field="body",
        allowed=limit,
        hint="send fewer rows at once; the SDK does it by itself",
    )


def lines_of(body: bytes, most_rows: int) -> Lines:
    r"""Read an object, a list of objects, or one object a line.

    Examples
    --------
    >>> lines_of(b'[{"a": 1}, {"a": 2}]', 10)
    Lines(data=b'{"a":1}\n{"a":2}\n', rows=2)
    >>> lines_of(b'{"a": 1}\n\n{"a": 2}\n', 10).rows
    2
    """
    found = _read(body)
    if not found:
        raise Invalid("there are no rows", field="body", allowed="an object, a list of objects, or an object a line")
    if len(found) > most_rows:
        raise Invalid(f"a push may have {most_rows} rows", field="body", value=len(found), allowed=most_rows)
    wrong = next((at for at, row in enumerate(found) if not isinstance(row, dict)), None)
    if wrong is not None:
        kind = type(found[wrong]).__name__
        raise Invalid(f"row {wrong + 1} is no object but a {kind}", field="body", value=wrong + 1)
    return Lines(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in found), len(found))


def _read(body: bytes) -> list[object]:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError as reason:
        return _by_line(body, reason)
    return whole if isinstance(whole, list) else [whole]


def _by_line(body: bytes, whole: orjson.JSONDecodeError) -> list[object]:
    found: list[object] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError as reason:
            told = f"line {number}: {reason}" if found else str(whole)
            raise Invalid(f"the body is no JSON: {told}", field="body", value=number) from None
    return found
