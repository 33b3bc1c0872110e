"""Frames between the data plane and model workers: a small JSON head, then every column as one raw buffer.

``[u32 size of what follows][u32 size of the head][head][buffers]``, little-endian; head and buffers are filled to
multiples of 8 bytes, so that an array is a view on the bytes that came. The head lists its columns as
``[name, type, shape, bytes]``: numbers with their numpy type, text as ``"U"`` (lengths, then UTF-8; a length of
``0xFFFFFFFF`` is a null).

A frame whose head has no bytes is a packed row, or its answer, in a format that both sides know:
``[u32 size of what follows][u32 0][u64 id][f32 seconds][u32 1 when it must run alone][bytes]``.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson

from aimass.kernel.errors import Invalid, TooLarge

_SIZES = struct.Struct("<II")
_ROW = struct.Struct("<IIQfI")
MAX_FRAME_BYTES = 256 * 1024 * 1024
_NULL = 0xFFFFFFFF
_PAD = (b"", *(b"\0" * (8 - rest) for rest in range(1, 8)))
_NUMBERS = "biuf"


class Message(NamedTuple):
    """What one frame says: its head, and columns by name (arrays of numbers, lists of text)."""

    head: dict[str, Any]
    columns: dict[str, Any]


class Row(NamedTuple):
    """One packed row, or its answer.

    Attributes
    ----------
    timeout_s
        Within how many seconds somebody wants the answer.
    is_alone
        Whether it must not share a batch.
    """

    id: int
    data: bytes
    timeout_s: float = 0.0
    is_alone: bool = False


class Packed(NamedTuple):
    """Columns that are ready to travel: what the head says of them, and their buffers."""

    listed: list[tuple[str, str, tuple[int, ...], int]]
    parts: list[bytes]

    @property
    def size(self) -> int:
        """Return the bytes of all buffers."""
        return sum(map(len, self.parts))


def pack(columns: Mapping[str, Any]) -> Packed:
    """Make columns ready; they are arrays or lists.

    A null among numbers becomes NaN, so whole numbers beside nulls travel as float64.
    """
    packed = Packed([], [])
    for name, values in columns.items():
        kind, shape, data = _packed(values)
        packed.listed.append((name, kind, shape, len(data)))
        packed.parts.extend((data, _PAD[len(data) & 7]))
    return packed


_NOTHING = Packed([], [])


def encode_frame(head: Mapping[str, Any], columns: Packed = _NOTHING) -> bytes:
    """Write one message.

    Examples
    --------
    >>> sent = encode_frame({"id": 1}, pack({"tenure": [12, 3], "plan": ["plus", None]}))
    >>> (message,) = FrameReader().feed(sent)
    >>> message.head["id"], message.columns["tenure"].tolist(), message.columns["plan"]
    (1, [12, 3], ['plus', None])
    """
    text = orjson.dumps({**head, "columns": columns.listed})
    text_end = _PAD[len(text) & 7]
    size = 4 + len(text) + len(text_end) + columns.size
    return b"".join((_SIZES.pack(size, len(text)), text, text_end, *columns.parts))


def encode_row(number: int, data: bytes, timeout_s: float = 0.0, *, is_alone: bool = False) -> bytes:
    """Write one packed row.

    Examples
    --------
    >>> (row,) = FrameReader().feed(encode_row(7, b"abc", 2.5))
    >>> row.id, row.data, row.timeout_s, row.is_alone
    (7, b'abc', 2.5, False)
    """
    return _ROW.pack(_ROW.size - 4 + len(data), 0, number, timeout_s, is_alone) + data


def _packed(values: Any) -> tuple[str, tuple[int, ...], bytes]:
    if isinstance(values, np.ndarray):
        if values.dtype.kind in _NUMBERS:
            return values.dtype.str, values.shape, values.tobytes()
        return "U", values.shape, _texts(values.ravel().tolist())
    first = next((value for value in values if value is not None), None)
    if first is None or isinstance(first, str):
        return "U", (len(values),), _texts(values)
    numbers = np.array(values)
    if numbers.dtype.kind not in _NUMBERS:
        numbers = np.array(values, dtype=np.float64)
    return numbers.dtype.str, numbers.shape, numbers.tobytes()


def _texts(values: Iterable[Any]) -> bytes:
    texts = [None if value is None else str(value).encode(errors="replace") for value in values]
    lengths = array("I", [_NULL if text is None else len(text) for text in texts])
    return lengths.tobytes() + b"".join([text for text in texts if text])


def bounded(frame: bytes) -> bytes:
    """Refuse a message that would end the connection it goes over, and with it the requests of others.

    Examples
    --------
    >>> bounded(b"short")
    b'short'
    """
    if len(frame) > MAX_FRAME_BYTES:
        msg = f"the answer is larger than {MAX_FRAME_BYTES} bytes"
        raise ValueError(msg)
    return frame


class FrameReader:
    """Cuts a stream of bytes into messages.

    Examples
    --------
    >>> data = encode_frame({"id": 1}) + encode_frame({"id": 2})
    >>> reader = FrameReader()
    >>> [m.head["id"] for m in reader.feed(data[:15])], [m.head["id"] for m in reader.feed(data[15:])]
    ([], [1, 2])
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._wanted = _SIZES.size

    def feed(self, data: bytes) -> list[Message | Row]:
        """Take more bytes; return the messages that are complete now."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return []
        data = data if len(self._pieces) == 1 else b"".join(self._pieces)
        messages: list[Message | Row] = []
        offset, end = 0, self._end(data, 0)
        while end <= len(data):
            messages.append(_read(data, offset, end))
            offset, end = end, self._end(data, end)
        rest = data[offset:] if offset else data
        self._pieces, self._held, self._wanted = [rest] if rest else [], len(rest), end - offset
        return messages

    def _end(self, data: bytes, offset: int) -> int:
        """Return where the frame at an offset ends; as far as its sizes are not known, where these end."""
        if len(data) - offset < _SIZES.size:
            return offset + _SIZES.size
        size, head = _SIZES.unpack_from(data, offset)
        if size > self._max_bytes:
            raise TooLarge(f"a frame of {size} bytes", value=size, allowed=f"at most {self._max_bytes} bytes")
        if size < 4 + head or (not head and size < _ROW.size - 4):
            raise Invalid("a frame is smaller than its head", value=size)
        return offset + 4 + size


def _read(data: bytes, offset: int, end: int) -> Message | Row:
    (_, size) = _SIZES.unpack_from(data, offset)
    if not size:
        _, _, number, timeout_s, is_alone = _ROW.unpack_from(data, offset)
        return Row(number, data[offset + _ROW.size : end], timeout_s, bool(is_alone))
    view = memoryview(data)
    offset += _SIZES.size
    head = orjson.loads(view[offset : offset + size])
    if not isinstance(head, dict):
        raise Invalid("the head of a frame is no object")
    offset += size + len(_PAD[size & 7])
    columns: dict[str, Any] = {}
    for name, kind, shape, length in head.pop("columns", ()):
        if length < 0 or offset + length > end:
            raise Invalid(f"column {name!r} of a frame is cut off", field=name, value=length)
        columns[name] = _unpacked(kind, shape, view[offset : offset + length])
        offset += length + len(_PAD[length & 7])
    return Message(head, columns)


def _unpacked(kind: str, shape: list[int], data: memoryview) -> Any:
    if kind != "U":
        dtype = np.dtype(kind)
        if dtype.kind not in _NUMBERS:
            raise Invalid(f"a column of type {kind!r} is not known", value=kind)
        return np.frombuffer(data, dtype=dtype).reshape(shape)
    count = int(np.prod(shape, dtype=np.int64))
    lengths = np.frombuffer(data[: 4 * count], dtype="<u4").tolist()
    ends = accumulate((0 if length == _NULL else length for length in lengths), initial=4 * count)
    if len(lengths) != count:
        raise Invalid("a column of text is cut off")
    texts = [
        None if length == _NULL else str(data[start:stop], "utf-8")
        for length, (start, stop) in zip(lengths, pairwise(ends), strict=True)
    ]
    return texts if len(shape) == 1 else np.array(texts, dtype=object).reshape(shape)
