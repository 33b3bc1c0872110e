"""The scoring protocol of MLflow: ``/invocations`` with its five ways to write rows, and ``/ping``, ``/health``, ``/version``.

An endpoint is named by the address: ``/mlflow/<name>/invocations``, which is a whole scoring server for clients that
take a base address, ``/endpoints/<name>/invocations`` as MLflow's deployment clients write it, and
``/v2/models/<name>/invocations``. Plain ``/invocations`` is the one endpoint of a key that may use only one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote

import orjson

from aimass._version import __version__
from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.calls import Asked, Call, Work, Written
from aimass.gateway.plane.columns import Column
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Inputs, Wanted, read_document
from aimass.gateway.plane.entrance import Entrance, need, new_call, unpacked
from aimass.gateway.plane.errors import (
    InvalidJson,
    MissingInput,
    NotReady,
    UnknownEndpoint,
    UnknownOutput,
    UnknownPath,
    UnsupportedKind,
    WrongShape,
    WrongType,
    oip_body,
)
from aimass.gateway.plane.http import RequestHead, dump, reply
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Answer
from aimass.gateway.plane.snapshot import Endpoint
from aimass.gateway.plane.tensors import Tensor, shape_of
from aimass.kernel.errors import AimassError

_WAYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    413: "REQUEST_LIMIT_EXCEEDED",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "TEMPORARILY_UNAVAILABLE",
}
_KINDS = (b"application/json", b"text/csv", b"")
_OUTPUTS = "outputs"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
Columns = dict[str, list[Any]]


class Mlflow:
    """Answers clients of MLflow's scoring server."""

    segments: ClassVar = frozenset({b"mlflow", b"endpoints", b"invocations", b"ping", b"health", b"version"})
    verbs: ClassVar = frozenset({"invocations"})
    streamed: ClassVar = frozenset[str]()
    has_cheap_path: ClassVar = False

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    # -- addresses

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers; raises what refuses the request."""
        parts = [unquote(part) for part in head.path.decode("latin-1").split("/") if part]
        if parts[0] in ("mlflow", "endpoints") and len(parts) == 3:  # noqa: PLR2004 mlflow/churn/invocations
            name, what = parts[1], parts[2]
        elif len(parts) == 1:
            name, what = "", parts[0]
        else:
            raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")
        if what != "invocations":
            return self._about(connection, head, what)
        need(head, b"POST")
        key = self._entrance.key(head)
        endpoint = self._entrance.endpoint(key, name) if name else self._only(key)
        call = new_call(self, key, endpoint, head, version="", verb="invocations")
        if call.kind not in _KINDS:
            raise UnsupportedKind(value=call.kind.decode("latin-1"), allowed=["application/json", "text/csv"])
        return self._entrance.take(connection, head, raw, call)

    def _about(self, connection: Connection, head: RequestHead, what: str) -> Sink:
        need(head, b"GET", b"HEAD")
        if what == "version":
            return Answer(connection, reply(200, __version__.encode(), kind=b"text/plain", keep=connection.keep))
        if what not in ("ping", "health"):
            raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")
        if not self._entrance.snapshot.version:
            raise NotReady("no snapshot has been applied yet")
        return Answer(connection, reply(200, b"\n", keep=connection.keep))

    def _only(self, key: Key) -> Endpoint:
        """Return the endpoint of a key that may use only one."""
        usable = self._entrance.usable(key)
        if len(usable) != 1:
            names = [endpoint.name for endpoint in usable]
            raise UnknownEndpoint(
                f"the key of {key.consumer!r} may use {len(usable)} endpoints, so the address must name one",
                field="endpoint",
                allowed=names,
                hint="POST /mlflow/<endpoint>/invocations",
            )
        return usable[0]

    # -- bodies

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Read rows in any of the ways in which MLflow writes them."""
        data = unpacked(call, body)
        params: dict[str, Any] = {}
        if call.kind == b"text/csv":
            columns = _from_csv(data, package)
        else:
            document = _document(data)
            params = document.get("params") or {}
            if not isinstance(params, dict):
                raise InvalidJson("'params' is no object", field="params", value=params)
            ways = [way for way in _WAYS if way in document]
            if len(ways) != 1:
                raise InvalidJson("the body must hold exactly one way to write rows", value=ways, allowed=list(_WAYS))
            columns = _READ[ways[0]](document[ways[0]], package)
        return Asked(wanted=_wanted(params, package), decoded=_inputs(columns, package).decoded(), parameters=params)

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Write predictions: one output as a list, several by name."""
        wanted = [want.name for want in work.asked.wanted]
        lists = {name: _plain(outputs[name]) for name in wanted}
        predictions = lists[wanted[0]] if len(wanted) == 1 else lists
        return Written(body=orjson.dumps({"predictions": predictions}, option=_NUMPY))

    def refuse(self, error: AimassError) -> bytes:
        """Write the body of an error, as MLflow does, with our stable code and details beside it."""
        details = oip_body(error)
        message = details.pop("error")
        return dump({"error_code": _CODES.get(error.status, "INTERNAL_ERROR"), "message": message, **details})


def _document(data: bytes) -> dict[str, Any]:
    """Parse a body; the NaN that Python writes for a missing number is a null."""
    try:
        return read_document(data)
    except InvalidJson:
        if b"NaN" not in data:
            raise
    try:
        found = json.loads(data, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as reason:
        raise InvalidJson(f"the body is not JSON: {reason}") from reason
    if not isinstance(found, dict):
        raise InvalidJson("the body is not a JSON object", allowed=list(_WAYS))
    return found


def _plain(array: Any) -> Any:
    return array.tolist() if array.dtype == object or not array.flags.c_contiguous else array


def _wanted(params: dict[str, Any], package: Package) -> list[Wanted]:
    """Return the outputs that answer: the named ones, else the label of a classifier, else all."""
    names = [spec["name"] for spec in package.signature["outputs"]]
    asked = params.get(_OUTPUTS)
    if asked is None:
        is_classifier = "label" in names and any(spec.get("classes") for spec in package.signature["outputs"])
        asked = ["label"] if is_classifier else names
    if not isinstance(asked, list) or not asked or not all(name in names for name in asked):
        raise UnknownOutput(f"params.outputs is {str(asked)[:80]}", field="params.outputs", value=asked, allowed=names)
    return [Wanted(name=name, is_binary=False) for name in dict.fromkeys(asked)]


# -- rows, however they are written: to one list for each column


def _from_split(given: Any, package: Package) -> Columns:
    if not isinstance(given, dict) or not isinstance(given.get("data"), list):
        allowed = '{"columns": [], "data": [[]]}'
        raise InvalidJson("'dataframe_split' has no rows", field="dataframe_split", allowed=allowed)
    names = given.get("columns")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InvalidJson("the columns are no list of names", field="dataframe_split.columns", value=names)
    return _by_place(given["data"], names or list(package.columns), "dataframe_split.data")


def _by_place(rows: list[Any], names: list[str], at: str) -> Columns:
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise WrongShape(f"row {number} has not {len(names)} values", field=at, value=row, allowed=names)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _from_records(given: Any, package: Package) -> Columns:
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise InvalidJson("the rows are no list of objects", field="dataframe_records")
    return {name: [row.get(name) for row in given] for name in package.columns if any(name in row for row in given)}


def _from_instances(given: Any, package: Package) -> Columns:
    if not isinstance(given, list):
        raise InvalidJson("'instances' is no list", field="instances", value=given)
    if given and all(isinstance(row, dict) for row in given):
        return _from_records(given, package)
    names = list(package.columns)
    if len(names) == 1:
        return {names[0]: given}
    return _by_place(given, names, "instances")


def _from_inputs(given: Any, package: Package) -> Columns:
    if not isinstance(given, dict):
        return _from_instances(given, package)
    return {name: value if isinstance(value, list) else [value] for name, value in given.items()}


_READ: dict[str, Callable[[Any, Package], Columns]] = {
    "dataframe_split": _from_split,
    "dataframe_records": _from_records,
    "instances": _from_instances,
    "inputs": _from_inputs,
}


def _from_csv(data: bytes, package: Package) -> Columns:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as reason:
        raise InvalidJson(f"the body is no CSV: {reason}", field="body") from reason
    if not rows:
        raise InvalidJson("the CSV has no head", field="body", allowed=list(package.columns))
    columns = _by_place([row for row in rows[1:] if row], rows[0], "csv")
    return {
        name: [_of_text(text, package.columns[name], row) for row, text in enumerate(columns[name])]
        for name in columns
        if name in package.columns
    }


def _of_text(text: str, column: Column | Tensor, row: int) -> Any:
    """Read a value of a CSV; nothing is null."""
    if text == "":
        return None if column.kind != "string" or (isinstance(column, Column) and column.nullable) else ""
    if column.kind == "string":
        return text
    try:
        if column.kind == "boolean":
            return _TRUTH[text.strip().lower()]
        return int(text) if column.kind == "integer" else float(text)
    except (ValueError, KeyError) as reason:
        raise WrongType(
            f"input {column.name!r}, row {row}: {text[:80]!r} is no {column.kind}",
            field=column.name,
            value=text,
            allowed=column.kind,
        ) from reason


# -- columns, against the signature


def _inputs(columns: Columns, package: Package) -> Inputs:
    """Check columns; those that the model does not take are dropped, as MLflow does, and missing ones may be null."""
    inputs = Inputs(package.columns)
    rows = max((len(values) for values in columns.values()), default=0)
    for name, column in package.columns.items():
        values = columns.get(name)
        if isinstance(column, Tensor):
            if values is None:
                raise MissingInput(f"input {name!r} is missing", field=name, allowed=column.kind)
            whole = values[0] if column.shape[:1] != (-1,) and len(shape_of(values)) > len(column.shape) else values
            inputs.listed(name, column.datatype, shape_of(whole), whole)
            continue
        if values is None:
            if not column.nullable:
                raise MissingInput(f"input {name!r} is missing", field=name, allowed=column.kind)
            values = [None] * rows
        inputs.listed(name, _datatype(column, values), [len(values)], values)
    return inputs


def _datatype(column: Column, values: list[Any]) -> str:
    """Return the datatype in which the values of a column are: whole numbers may come as numbers."""
    if column.kind in ("float", "integer"):
        return "INT64" if column.kind == "integer" and all(type(v) is not float for v in values) else "FP64"
    return "BYTES" if column.kind == "string" else "BOOL"
