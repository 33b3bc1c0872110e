"""Iterates resources of dlt and keeps their state; rows go their own way from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import polars as pl
from arro3.core import RecordBatch, Table
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import DltException
from dlt.common.json import json as typed
from dlt.common.pipeline import StateInjectableContext
from dlt.extract import DltResource, DltSource
from dlt.extract.reference import SourceFactory

from aimass.collector.connectors.cursor import CURSOR, Highest
from aimass.collector.connectors.dlt.manifest import DltParameters, DltStream
from aimass.collector.connectors.messages import Parsed, arrow, batch_of, proposed
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.reach import check_module
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Invalid, NotFound, Unavailable

SAMPLE = 100
STATE = "dlt"
_KINDS = {
    "text": "string",
    "bigint": "integer",
    "double": "float",
    "bool": "boolean",
    "timestamp": "timestamp",
    "date": "date",
    "decimal": "decimal",
    "json": "json",
}


class DltConnection:
    """A source of dlt, made by its function with the arguments of the connection."""

    def __init__(self, parameters: DltParameters) -> None:
        self._parameters = parameters
        check_module(parameters.function.partition(":")[0], "function")
        self._function = _found(parameters.function)

    def _resources(self) -> dict[str, DltResource]:
        """Make the source anew: a resource that was iterated is used up."""
        told = self._parameters
        secret = {told.secret_argument: told.secret.get_secret_value()} if told.secret else {}
        try:
            made = self._function(**{**told.arguments, **secret})
        except (TypeError, ConfigurationException, DltException) as reason:
            raise Invalid(
                f"{told.function} does not take these arguments: {_first(reason)}", field="arguments"
            ) from None
        if isinstance(made, DltSource):
            return dict(made.selected_resources)
        return {made.name: made}

    def check(self) -> str:
        """Make the source, and count its resources."""
        return f"{self._parameters.function} has {len(self._resources())} resources"

    def discover(self) -> list[StreamInfo]:
        """Sample every resource."""
        return [self.describe(name, {}) for name in sorted(self._resources())]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Take columns from the hints of a resource, and those without a hint from a sample."""
        resource = self._need(stream)
        told = resource.compute_table_schema()
        hints = {name: _hinted(name, one) for name, one in (told.get("columns") or {}).items() if one.get("data_type")}
        batch = next(_batches(self._iterated(resource, {}), SAMPLE), None)
        columns = {one.name: one for one in proposed(batch)} | hints
        keys = tuple(name for name, one in (told.get("columns") or {}).items() if one.get("primary_key"))
        path = getattr(resource.incremental, "cursor_path", None) if resource.incremental else None
        cursors = (path,) if path in columns else ()
        modes = ("full", "incremental") if cursors else ("full",)
        return StreamInfo(name=stream, columns=tuple(columns.values()), keys=keys, cursors=cursors, modes=modes)

    def _need(self, stream: str) -> DltResource:
        found = self._resources()
        if stream not in found:
            raise NotFound(f"there is no resource {stream!r}", field="stream", value=stream, allowed=sorted(found))
        return found[stream]

    @staticmethod
    def _iterated(resource: DltResource, state: dict[str, Any]) -> Iterator[Any]:
        with Container().injectable_context(StateInjectableContext(state=state)):  # type: ignore[arg-type]
            items = iter(resource)
        try:
            yield from items
        except DltException as reason:
            raise Unavailable(f"resource {resource.name!r} broke off: {_first(reason)}") from None

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the rows of a resource; the state moves when all of them were handed over.

        dlt moves its state while it reads, and may read ahead: a state from the middle could leave rows out. Until the end
        the old one stands, and the loader knows the rows that come again.
        """
        told = DltStream.model_validate(dict(wish.parameters))
        is_again = wish.mode == "incremental" and wish.since is None and wish.until is None
        before = dict(state) if is_again else {}
        inner: dict[str, Any] = typed.typed_loads(before[STATE]) if before.get(STATE) else {}
        now = SystemClock().now().astimezone(UTC)
        seen = Highest(wish.cursor_type, before.get(CURSOR), now=now) if wish.cursor else None
        left = wish.limit
        for batch in _batches(self._iterated(self._need(wish.stream), inner), min(told.batch, left or told.batch)):
            rows = batch if left is None else batch.slice(0, left)
            left = None if left is None else left - rows.num_rows
            _note(seen, wish.cursor, rows)
            yield Part(rows=rows, state=before, size_bytes=rows.nbytes)
            if left == 0:
                return
        ended = seen.state if seen else {}
        yield Part(rows=None, state={**ended, STATE: typed.typed_dumps(deepcopy(inner))} if is_again or seen else {})

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Do nothing: the state is kept here."""

    def close(self) -> None:
        """Do nothing: a resource closes what it opened when it ends."""


def _found(function: str) -> Any:
    module, _, name = function.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as reason:
        raise Invalid(f"{function!r} is not there: {reason}", field="function", value=function) from None
    if not isinstance(found, DltResource | SourceFactory) and not hasattr(found, "_impl_cls"):
        raise Invalid(
            f"{function!r} is no source and no resource of dlt",
            field="function",
            value=function,
            hint="decorate it with @dlt.source or @dlt.resource",
        )
    return found


def _first(reason: BaseException) -> str:
    cause = reason.__cause__ or reason
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__)[:300]


def _hinted(name: str, told: Mapping[str, Any]) -> StreamColumn:
    kind = _KINDS.get(str(told["data_type"]), "string")
    is_decimal = kind == "decimal"
    return StreamColumn(
        name=name,
        type=kind,
        nullable=bool(told.get("nullable", True)),
        native=str(told["data_type"]),
        precision=(told.get("precision") or 38) if is_decimal else None,
        scale=(told.get("scale") if told.get("scale") is not None else 9) if is_decimal else None,
    )


def _batches(items: Iterable[Any], most: int) -> Iterator[RecordBatch]:
    """Gather rows into batches; Arrow tables and frames come as they are."""
    rows: list[dict[str, Any]] = []
    for item in items:
        if hasattr(item, "__arrow_c_stream__"):
            yield from Table.from_arrow(item).to_batches()
            continue
        rows += [item] if isinstance(item, dict) else [one if isinstance(one, dict) else {"value": one} for one in item]
        while len(rows) >= most:
            yield _batch(rows[:most])
            rows = rows[most:]
    if rows:
        yield _batch(rows)


def _batch(rows: list[dict[str, Any]]) -> RecordBatch:
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    found = batch_of(Parsed(rows=plain))
    return found if found is not None else arrow(pl.DataFrame())


def _plain(value: Any) -> Any:
    """Write what JSON has no word for as text: moments, decimals, bytes."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict | list | tuple):
        return json.loads(typed.dumps(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _note(seen: Highest | None, cursor: str | None, rows: RecordBatch) -> None:
    if seen is None or cursor not in rows.schema.names:
        return
    for value in pl.DataFrame(Table.from_batches([rows]))[str(cursor)].drop_nulls().unique().to_list():
        seen.add(value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value)


RUN = DltConnection
