"""The fields of a request for inference, cut out of its bytes without making objects of them."""

from __future__ import annotations

from typing import NamedTuple

_MORE = 0x80
_NAME, _VERSION, _ID, _INPUT, _OUTPUT, _RAW = 0x0A, 0x12, 0x1A, 0x2A, 0x32, 0x3A
_MOST_LENGTH_BYTES = 4


class Parts(NamedTuple):
    """What a request holds; inputs and outputs are messages of their own."""

    name: bytes
    version: bytes
    id: bytes
    inputs: list[bytes]
    outputs: tuple[bytes, ...]
    raws: list[bytes]


def cut(data: bytes) -> Parts | None:
    """Cut a ModelInferRequest into its fields; None for one that has parameters or is in any way unusual.

    Source: the protocol buffers encoding, https://protobuf.dev/programming-guides/encoding/

    Examples
    --------
    >>> cut(bytes.fromhex("0a016d1a0137") + field(_INPUT, b"x"))
    Parts(name=b'm', version=b'', id=b'7', inputs=[b'x'], outputs=(), raws=[])
    >>> cut(bytes.fromhex("0a056d")) is None
    True
    """
    singles: dict[int, bytes] = {}
    inputs: list[bytes] = []
    outputs: list[bytes] = []
    raws: list[bytes] = []
    lists = {_INPUT: inputs, _OUTPUT: outputs, _RAW: raws}
    at, size = 0, len(data)
    while at < size:
        tag = data[at]
        end = at + 2
        if end > size:
            return None
        length = data[at + 1]
        if length >= _MORE:
            found = _long_length(data, at + 1)
            if found is None:
                return None
            length, end = found
        at, end = end, end + length
        if end > size:
            return None
        if tag in lists:
            lists[tag].append(data[at:end])
        elif tag in singles or tag not in {_NAME, _VERSION, _ID}:
            return None
        else:
            singles[tag] = data[at:end]
        at = end
    get = singles.get
    return Parts(get(_NAME, b""), get(_VERSION, b""), get(_ID, b""), inputs, tuple(outputs), raws)


def _long_length(data: bytes, at: int) -> tuple[int, int] | None:
    """Return a length of several bytes, and where it ends."""
    length = 0
    for number, byte in enumerate(data[at : at + _MOST_LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * number
        if byte < _MORE:
            return length, at + number + 1
    return None


def field(tag: int, value: bytes) -> bytes:
    """Write a field of bytes.

    Examples
    --------
    >>> field(0x0A, b"m").hex(), len(field(0x0A, bytes(300)))
    ('0a016d', 303)
    """
    length, head = len(value), bytearray((tag,))
    while length >= _MORE:
        head.append(length & 0x7F | _MORE)
        length >>= 7
    head.append(length)
    return bytes(head) + value
