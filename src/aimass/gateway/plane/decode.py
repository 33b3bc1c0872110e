"""Open Inference Protocol requests: from bytes to checked columns."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from aimass.gateway.plane.binary import read_tensor
from aimass.gateway.plane.columns import Column
from aimass.gateway.plane.errors import (
    BodyTooLarge,
    DoubledInput,
    DoubledOutput,
    InvalidJson,
    MissingInput,
    UnknownInput,
    UnknownOutput,
    UnsupportedCoding,
    WrongShape,
)
from aimass.gateway.plane.tensors import Tensor

Input = Column | Tensor

MAX_ID = 255
_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


@dataclass(slots=True, kw_only=True)
class Wanted:
    """One output that the caller wants, and whether as bytes."""

    name: str
    is_binary: bool


@dataclass(slots=True, kw_only=True)
class Decoded:
    """A request that keeps to the signature."""

    rows: int
    values: dict[str, Any]
    unseen: list[str]


def decompress(body: bytes, coding: bytes, max_bytes: int) -> bytes:
    """Undo gzip or deflate, but never to more than the limit."""
    if coding == b"identity":
        return body
    if coding not in _WINDOW:
        text = coding.decode("latin-1")
        raise UnsupportedCoding(
            f"Content-Encoding {text!r} is not known", field="Content-Encoding", value=text, allowed=["gzip", "deflate"]
        )
    machine = zlib.decompressobj(_WINDOW[coding])
    try:
        data = machine.decompress(body, max_bytes + 1)
    except zlib.error as reason:
        raise InvalidJson(f"the body is not {coding.decode()}: {reason}", field="Content-Encoding") from reason
    if len(data) > max_bytes:
        raise BodyTooLarge("the unpacked body is over its limit", allowed=f"at most {max_bytes} bytes")
    if not machine.eof:
        raise InvalidJson(f"the {coding.decode()} body is cut off", field="Content-Encoding")
    if machine.unused_data:
        raise InvalidJson(f"there are bytes after the end of the {coding.decode()} body", field="Content-Encoding")
    return data


def read_document(body: bytes) -> dict[str, Any]:
    """Parse the JSON part of a request."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as reason:
        raise InvalidJson(f"the body is not JSON: {reason}") from reason
    if not isinstance(document, dict):
        raise InvalidJson("the body is not a JSON object", allowed='{"inputs": [...]}')
    return document


def request_id(document: dict[str, Any]) -> str:
    """Return the caller's id of the request, or an empty text."""
    given = document.get("id", "")
    if not isinstance(given, str) or len(given) > MAX_ID:
        raise InvalidJson(
            "the id is not a short text", field="id", value=given, allowed=f"text, at most {MAX_ID} letters"
        )
    return given


class Inputs:
    """Takes the inputs of one request, one after the other, and checks each against the signature."""

    def __init__(self, columns: dict[str, Input]) -> None:
        self._columns = columns
        self._rows: int | None = None
        self._values: dict[str, Any] = {}
        self._unseen: list[str] = []

    def listed(self, name: Any, datatype: Any, shape: Any, data: Any) -> None:
        """Take an input whose values are a list."""
        column, datatype, shape = self._begin(name, datatype, shape)
        if isinstance(column, Tensor):
            self._values[column.name] = column.listed(data, shape)
        else:
            self._keep(column, _listed(data, column.name, shape[0]), datatype)

    def raw(self, name: Any, datatype: Any, shape: Any, data: memoryview) -> None:
        """Take an input whose values are bytes."""
        column, datatype, shape = self._begin(name, datatype, shape)
        if isinstance(column, Tensor):
            self._values[column.name] = column.taken(data, shape)
        else:
            self._keep(column, read_tensor(column.name, datatype, data, shape[0]), datatype)

    def _begin(self, name: Any, datatype: Any, shape: Any) -> tuple[Input, str, list[int]]:
        column = self._columns.get(name) if isinstance(name, str) else None
        if column is None:
            raise UnknownInput(
                f"input {str(name)[:80]!r} is not in the signature",
                field=str(name)[:80],
                value=name,
                allowed=list(self._columns),
            )
        if name in self._values:
            raise DoubledInput(f"input {name!r} is given twice", field=name)
        datatype = column.check_datatype(datatype)
        shape = column.check_shape(shape)
        rows = column.rows(shape)
        if self._rows is None:
            self._rows = rows
        elif rows is not None and rows != self._rows:
            raise WrongShape(f"input {name!r} has not {self._rows} rows like the first", field=name, value=shape)
        return column, datatype, shape

    def _keep(self, column: Column, values: Any, datatype: str) -> None:
        if column.check(values, datatype):
            self._unseen.append(column.name)
        self._values[column.name] = values

    def decoded(self) -> Decoded:
        """Return the request; every input of the signature must have been taken."""
        for name, column in self._columns.items():
            if name not in self._values:
                raise MissingInput(f"input {name!r} is missing", field=name, allowed=column.kind)
        return Decoded(rows=self._rows or 1, values=self._values, unseen=self._unseen)


def decode(document: dict[str, Any], tail: memoryview | None, columns: dict[str, Input]) -> Decoded:
    """Check the inputs of a request against the signature; ``tail`` are the bytes after the JSON part."""
    given = document.get("inputs")
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise InvalidJson("'inputs' is not a list of tensors", field="inputs", allowed=sorted(columns))
    inputs = Inputs(columns)
    offset = 0
    for item in given:
        name, datatype, shape = item.get("name"), item.get("datatype"), item.get("shape")
        size = _binary_size(item, name)
        if size is None:
            inputs.listed(name, datatype, shape, item.get("data"))
        elif tail is None or offset + size > len(tail):
            raise WrongShape(f"the bytes of input {name!r} are missing", field=str(name), value=size)
        else:
            inputs.raw(name, datatype, shape, tail[offset : offset + size])
            offset += size
    decoded = inputs.decoded()
    if offset != (len(tail) if tail is not None else 0):
        raise WrongShape("there are bytes after the last tensor", value=len(tail or b"") - offset)
    return decoded


def _binary_size(tensor: dict[str, Any], name: Any) -> int | None:
    parameters = tensor.get("parameters")
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise InvalidJson(f"the parameters of input {name!r} are no object", field=str(name), value=parameters)
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise InvalidJson(f"binary_data_size of input {name!r} is no size", field=str(name), value=size)
    return size


def _listed(data: Any, name: str, rows: int) -> list[Any]:
    if not isinstance(data, list):
        raise WrongShape(f"input {name!r} has no list of data", field=name, value=data, allowed=f"{rows} values")
    if data and isinstance(data[0], list):
        if not all(isinstance(row, list) and len(row) == 1 for row in data):
            raise WrongShape(f"input {name!r}: each row must hold one value", field=name)
        data = [row[0] for row in data]
    if len(data) != rows:
        raise WrongShape(
            f"input {name!r} has {len(data)} values for {rows} rows", field=name, value=len(data), allowed=rows
        )
    return data


def parameters_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a request says besides its inputs."""
    return _parameters(document, "request")


def wanted_outputs(document: dict[str, Any], names: list[str]) -> list[Wanted]:
    """Return the outputs that the request asks for, all of them when it names none."""
    default = bool(_parameters(document, "request").get("binary_data_output", False))
    outputs = document.get("outputs")
    if outputs is None or outputs == []:
        return [Wanted(name=name, is_binary=default) for name in names]
    if not isinstance(outputs, list) or not all(isinstance(item, dict) for item in outputs):
        raise InvalidJson("'outputs' is not a list of objects", field="outputs", allowed=names)
    found: list[Wanted] = []
    for item in outputs:
        name = item.get("name")
        if name not in names:
            raise UnknownOutput(f"there is no output {name!r}", field="outputs", value=name, allowed=names)
        if any(name == one.name for one in found):
            raise DoubledOutput(f"output {name!r} is asked for twice", field="outputs", value=name)
        is_binary = _parameters(item, f"output {name!r}").get("binary_data", default)
        found.append(Wanted(name=name, is_binary=bool(is_binary)))
    return found


def _parameters(document: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = document.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InvalidJson(f"the parameters of the {what} are no object", field="parameters", value=parameters)
    return parameters
