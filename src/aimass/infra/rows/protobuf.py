"""The few words of protobuf that it takes to read and write parts of an ONNX graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


class Field(NamedTuple):
    """One field of a message: its number, its value (a number or bytes), and all of its bytes as they stand."""

    number: int
    value: int | bytes
    raw: bytes

    @property
    def payload(self) -> bytes:
        """Return the value of a field that holds bytes."""
        return self.value if isinstance(self.value, bytes) else b""

    @property
    def text(self) -> str:
        """Return the value of a field that holds text."""
        return self.payload.decode()


def read_fields(data: bytes) -> Iterator[Field]:
    r"""Yield the fields of a message in order.

    Examples
    --------
    >>> [(f.number, f.value) for f in read_fields(write_number(1, 300) + write_bytes(2, b"ab"))]
    [(1, 300), (2, b'ab')]
    """
    position = 0
    while position < len(data):
        start = position
        tag, position = _read_varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _read_varint(data, position)
        else:
            size, position = _read_varint(data, position) if kind == _BYTES else (_WIDTHS[kind], position)
            if position + size > len(data):
                raise ValueError("a message of the graph is cut off")
            value, position = data[position : position + size], position + size
        yield Field(tag >> 3, value, data[start:position])


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:  # noqa: PLR2004 the last byte has no high bit
            return value, position
        shift += 7


def read_numbers(field: Field) -> list[int]:
    r"""Return the whole numbers of a field, whether they are packed or one alone; the high bit is the sign.

    Examples
    --------
    >>> read_numbers(Field(1, b"\x05\xac\x02", b"")), read_numbers(Field(1, 2**64 - 1, b""))
    ([5, 300], [-1])
    """
    if isinstance(field.value, int):
        return [_signed(field.value)]
    numbers: list[int] = []
    position = 0
    while position < len(field.value):
        number, position = _read_varint(field.value, position)
        numbers.append(_signed(number))
    return numbers


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:  # noqa: PLR2004 seven bits a byte
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_bytes(field: int, payload: bytes) -> bytes:
    """Write a field that holds bytes, text or a message."""
    return _varint(field << 3 | _BYTES) + _varint(len(payload)) + payload


def write_number(field: int, value: int) -> bytes:
    """Write a field that holds a number."""
    return _varint(field << 3) + _varint(value)


def port(name: str, kind: int, shape: tuple[int, ...] | None = None) -> bytes:
    """Write an input or output of a graph (``ValueInfoProto``); ``kind`` is ONNX's number of the element type."""
    tensor = write_number(1, kind)
    if shape is not None:
        tensor += write_bytes(2, b"".join(write_bytes(1, write_number(1, size)) for size in shape))
    return write_bytes(1, name.encode()) + write_bytes(2, write_bytes(1, tensor))
