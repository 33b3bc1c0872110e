"""Length-prefixed JSON frames between processes: ``[u32 LE length][JSON]``; used by isolated model workers."""

from __future__ import annotations

import struct
from typing import Any

import orjson

from aimass.kernel.errors import TooLarge

_LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 256 * 1024 * 1024


def encode_frame(message: dict[str, Any]) -> bytes:
    """Write one message; numpy arrays are welcome, NaN becomes null.

    Examples
    --------
    >>> encode_frame({"id": 1})[4:]
    b'{"id":1}'
    """
    body = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into messages.

    Examples
    --------
    >>> data = encode_frame({"id": 1}) + encode_frame({"id": 2})
    >>> reader = FrameReader()
    >>> reader.feed(data[:15]), reader.feed(data[15:])
    ([{'id': 1}], [{'id': 2}])
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._data = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take more bytes; return the messages that are complete now."""
        self._data += data
        messages: list[dict[str, Any]] = []
        offset = 0
        while len(self._data) - offset >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data, offset)
            if length > self._max_bytes:
                raise TooLarge(f"a frame of {length} bytes", value=length, allowed=f"at most {self._max_bytes} bytes")
            end = offset + _LENGTH.size + length
            if end > len(self._data):
                break
            messages.append(orjson.loads(memoryview(self._data)[offset + _LENGTH.size : end]))
            offset = end
        del self._data[:offset]
        return messages
