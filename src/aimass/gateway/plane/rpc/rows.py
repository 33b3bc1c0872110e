"""Requests for one row that come as messages: each tensor that was read once is known by its bytes the next time.

As with requests in JSON (:mod:`aimass.gateway.plane.runtimes.layout`), whatever is unusual is left to the general path,
which knows every refusal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import orjson
from google.protobuf.message import DecodeError

from aimass.gateway.plane.calls import Read
from aimass.gateway.plane.rpc.callers import OneAnswer, about_deployment
from aimass.gateway.plane.rpc.codec import FIELDS, PROTO
from aimass.gateway.plane.rpc.wire import Parts, field
from aimass.gateway.plane.runtimes.layout import Entry, Input
from aimass.gateway.plane.runtimes.reader import Row, RowReader
from aimass.gateway.plane.snapshot import Deployment

_ID = re.compile(rb"[A-Za-z0-9_.:-]{0,255}").fullmatch
_SHAPES = ([1], [1, 1])
_MOST_KNOWN = 1024
_MOST_BYTES = 256
_SHORT = 3
_NUMBERS = {"FP32": Struct("<f"), "FP64": Struct("<d"), "INT64": Struct("<q"), "BOOL": Struct("<?")}
_SIZE = Struct("<I")
_NAME, _VERSION, _GIVEN_ID, _RAW_OUTPUT = 0x0A, 0x12, 0x1A, 0x32
_OTHER = 2.5
_WORDS = frozenset({"BYTES", "BOOL"})

_KNOWN: WeakKeyDictionary[RowReader, MessageRows] = WeakKeyDictionary()


class RowMessage:
    """A request of one row on its way; answered with the message that the general path would write, byte for byte.

    Attributes
    ----------
    read
        Reads it for the general path.
    """

    __slots__ = ("_parts", "_rows", "caller", "read")

    def __init__(self, parts: Parts, caller: OneAnswer, read: Read) -> None:
        self.caller = caller
        self.read = read
        self._parts = parts
        self._rows: MessageRows | None = None

    @property
    def trace(self) -> bytes:
        """Return the trace that the client put the request in; empty without one."""
        return self.caller.trace

    def row(self, reader: RowReader) -> Row | None:
        """Return the row, or None when the general path must look at it."""
        rows = self._rows = _KNOWN.get(reader) or _KNOWN.setdefault(reader, MessageRows(reader))
        return rows.read(self._parts)

    def send_row(self, name: str, deployment: Deployment, id_: bytes, label: bytes, values: Any) -> None:
        """Answer at the end of the turn; ``name`` is that of the endpoint."""
        if self._rows is not None:
            head = field(_NAME, name.encode()) + field(_VERSION, deployment.version.encode()) + field(_GIVEN_ID, id_)
            answer = self._rows.answer(label, values, is_raw=bool(self._parts.raws))
            self.caller.answered(head + answer, about_deployment(deployment))


class _Header(NamedTuple):
    """A tensor whose values come apart from it, or a number whose last bytes are its value."""

    place: int
    input: Input
    datatype: str


class MessageRows:
    """What messages for one model have in common."""

    def __init__(self, reader: RowReader) -> None:
        self._reader_row = reader.row
        self._inputs = {found.name: (place, found) for place, found in enumerate(reader.inputs)}
        self._names, self._width = reader.names, len(reader.classes)
        self._entries: dict[bytes, tuple[int, Entry]] = {}
        self._headers: dict[bytes, _Header] = {}
        self._numbers: dict[bytes, _Header] = {}
        self._raws: dict[tuple[int, bytes], Entry] = {}
        self._wanted: dict[tuple[bytes, ...], bool] = {(): True}
        self._labels: dict[tuple[bytes, bool], bytes] = {}
        self._tails = {is_raw: self._written("", is_raw=is_raw)[1] for is_raw in (True, False)}

    # -- requests

    def read(self, parts: Parts) -> Row | None:
        """Return the row of a request, or None when the general path must look at it."""
        inputs, count = parts.inputs, len(self._inputs)
        if len(inputs) != count or _ID(parts.id) is None or not self._is_wanted(parts.outputs):
            return None
        if parts.raws and len(parts.raws) != count:
            return None
        found: list[Entry | None] = [None] * count
        try:
            if parts.raws:
                for piece, raw in zip(inputs, parts.raws, strict=True):
                    place, entry = self._of_raw(piece, raw)
                    found[place] = entry
            else:
                known = self._entries
                for piece in inputs:
                    place, entry = known.get(piece) or self._of_tensor(piece)
                    found[place] = entry
        except (KeyError, ValueError, DecodeError):
            return None
        entries = [entry for entry in found if entry is not None]
        return self._reader_row(parts.id, entries) if len(entries) == count else None

    def _of_raw(self, piece: bytes, raw: bytes) -> tuple[int, Entry]:
        header = self._headers.get(piece) or self._learned_header(piece)
        entry = self._raws.get((header.place, raw))
        if entry is None:
            value = _value(header.datatype, raw)
            entry = header.input.entry(_text(header.datatype, value), _number(header.datatype, value))
            if len(raw) <= _MOST_BYTES and header.datatype in _WORDS:
                _room(self._raws)[header.place, raw] = entry
        return header.place, entry

    def _learned_header(self, piece: bytes) -> _Header:
        """Read a tensor that holds no values."""
        tensor = PROTO.ModelInferRequest.InferInputTensor.FromString(piece)
        if tensor.HasField("contents"):
            raise KeyError(piece)
        header = self._header(tensor)
        if len(piece) <= _MOST_BYTES:
            _room(self._headers)[piece] = header
        return header

    def _header(self, tensor: Any) -> _Header:
        place, found = self._inputs[tensor.name]
        if tensor.datatype not in found.datatypes or tensor.parameters or list(tensor.shape) not in _SHAPES:
            raise KeyError(tensor.name)
        return _Header(place, found, tensor.datatype)

    def _of_tensor(self, piece: bytes) -> tuple[int, Entry]:
        """Return what a tensor says that is not known by all of its bytes."""
        for size, datatype in ((4, "FP32"), (8, "FP64")):
            header = self._numbers.get(piece[:-size])
            if header is not None and header.datatype == datatype:
                value = _NUMBERS[datatype].unpack(piece[-size:])[0]
                return header.place, header.input.entry(_text(datatype, value), _number(datatype, value))
        return self._learned(piece)

    def _learned(self, piece: bytes) -> tuple[int, Entry]:
        tensor = PROTO.ModelInferRequest.InferInputTensor.FromString(piece)
        header = self._header(tensor)
        value = _only_value(tensor)
        text = _text(header.datatype, value)
        place, entry = header.place, header.input.entry(text, _number(header.datatype, value))
        if len(piece) > _MOST_BYTES:
            return place, entry
        if header.datatype in _WORDS or len(text) <= _SHORT:
            _room(self._entries)[piece] = place, entry
        elif header.datatype != "INT64":
            self._learn_number(piece, header, _NUMBERS[header.datatype])
        return place, entry

    def _learn_number(self, piece: bytes, header: _Header, number: Struct) -> None:
        """Note a tensor whose last bytes are its value, when another value there is read as such."""
        head = piece[: -number.size]
        try:
            other = PROTO.ModelInferRequest.InferInputTensor.FromString(head + number.pack(_OTHER))
            is_last = _only_value(other) == _OTHER and self._header(other) == header
        except (KeyError, ValueError, DecodeError):
            return
        if is_last:
            _room(self._numbers)[head] = header

    def _is_wanted(self, outputs: tuple[bytes, ...]) -> bool:
        """Tell whether all outputs are asked for, in their order."""
        known = self._wanted.get(outputs)
        if known is None:
            asked = [PROTO.ModelInferRequest.InferRequestedOutputTensor.FromString(piece) for piece in outputs]
            known = [one.name for one in asked] == list(self._names) and not any(one.parameters for one in asked)
            if sum(map(len, outputs)) <= _MOST_BYTES:
                _room(self._wanted)[outputs] = known
        return known

    # -- answers

    def answer(self, label: bytes, values: Any, *, is_raw: bool) -> bytes:
        """Return what follows name, version and id in an answer; ``label`` is JSON."""
        head = self._labels.get((label, is_raw))
        if head is None:
            head = self._written(orjson.loads(label), is_raw=is_raw)[0]
            _room(self._labels)[label, is_raw] = head
        return head + values.tobytes() + self._tails[is_raw]

    def _written(self, label: str, *, is_raw: bool) -> tuple[bytes, bytes]:
        """Return what comes before and after the numbers of an answer with this label."""
        answer = PROTO.ModelInferResponse()
        name, second = self._names
        first = answer.outputs.add(name=name, datatype="BYTES", shape=[1])
        last = answer.outputs.add(name=second, datatype="FP32", shape=[1, self._width])
        numbers, text = np.full(self._width, _OTHER, dtype="<f4"), label.encode()
        if is_raw:
            answer.raw_output_contents.append(_SIZE.pack(len(text)) + text)
            answer.raw_output_contents.append(numbers.tobytes())
        else:
            first.contents.bytes_contents.append(text)
            last.contents.fp32_contents.extend(numbers.tolist())
        before, _, after = answer.SerializeToString().rpartition(numbers.tobytes())
        return before, after


def _room(known: dict[Any, Any]) -> dict[Any, Any]:
    """Return what is known, emptied when it is full: it is learned again by those who use it."""
    if len(known) >= _MOST_KNOWN:
        known.clear()
    return known


def _only_value(tensor: Any) -> Any:
    """Return the one value of a tensor; a KeyError for contents of another kind or number."""
    fields = tensor.contents.ListFields()
    if len(fields) != 1 or fields[0][0].name != FIELDS[tensor.datatype]:
        raise KeyError(tensor.name)
    (value,) = fields[0][1]
    return value


def _value(datatype: str, raw: bytes) -> Any:
    """Read a value that came as bytes; a ValueError for what is none."""
    if datatype == "BYTES":
        if len(raw) < _SIZE.size or _SIZE.unpack_from(raw)[0] != len(raw) - _SIZE.size:
            raise ValueError(raw)
        return raw[_SIZE.size :]
    number = _NUMBERS[datatype]
    if len(raw) != number.size or (datatype == "BOOL" and raw not in {b"\0", b"\1"}):
        raise ValueError(raw)
    return number.unpack(raw)[0]


def _text(datatype: str, value: Any) -> bytes:
    """Return a value as JSON, as a record on the general path has it."""
    return _TEXTS[datatype](value)


def _number(datatype: str, value: Any) -> float | None:
    """Return a number of 32 bits as it is, which its text rounds."""
    return value if datatype == "FP32" else None


def _float_text(value: Any, of: Callable[[float], Any] = float) -> bytes:
    if math.isinf(value):
        raise ValueError(value)
    return orjson.dumps(of(value), option=orjson.OPT_SERIALIZE_NUMPY)


_TEXTS: dict[str, Callable[[Any], bytes]] = {
    "BYTES": lambda value: orjson.dumps(value.decode()),
    "BOOL": lambda value: b"true" if value else b"false",
    "INT64": lambda value: b"%d" % value,
    "FP32": lambda value: _float_text(value, np.float32),
    "FP64": _float_text,
}
