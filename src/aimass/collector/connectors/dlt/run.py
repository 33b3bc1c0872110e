"""Iterates resources of dlt and keeps their state; rows go their own way from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC
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

from aimass.collector.connectors.cursor import CURSOR, Highest, begin_of, cursor_of, cursor_text
from aimass.collector.connectors.dlt.manifest import DltParameters, DltStream
from aimass.collector.connectors.messages import Parsed, arrow, batch_of, proposed
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.portions import Portion, weight
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
        check_module(parameters.function)
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
        batch = next(_batches(self._iterated(resource, {}), SAMPLE, bool), None)
        columns = {one.name: one for one in proposed(batch)} | hints
        keys = tuple(name for name, one in (told.get("columns") or {}).items() if one.get("primary_key"))
        path = getattr(_incremental(resource), "cursor_path", None)
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
        """Yield the rows of a resource, from the cursor on where it is read incrementally.

        The position is our own cursor, which dlt is told; what else a resource keeps is taken over at the end. Before the end
        the position moves only where the resource promises ascending rows (``row_order="asc"``).
        """
        told = DltStream.model_validate(dict(wish.parameters))
        walk = _Walk(wish, state)
        resource = self._need(wish.stream)
        most = min(told.batch, wish.limit or told.batch)
        for batch in _batches(self._iterated(resource, walk.inner), most, walk.belongs):
            walk.is_ascending = getattr(_incremental(resource), "row_order", None) == "asc"
            yield walk.part(batch)
            if walk.left == 0:
                return
        yield walk.ended()

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
    if not isinstance(found, DltResource | SourceFactory):
        raise Invalid(
            f"{function!r} is no source and no resource of dlt",
            field="function",
            value=function,
            hint="decorate it with @dlt.source or @dlt.resource",
        )
    return found


def _incremental(resource: DltResource) -> Any:
    """Return how a resource reads incrementally; where it is an argument of its function, known once it was iterated."""
    found = resource.incremental
    return getattr(found, "incremental", None) or found


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


def _batches(items: Iterable[Any], most: int, belongs: Callable[[Any], bool]) -> Iterator[RecordBatch]:
    """Gather rows into batches; Arrow tables and frames come as they are."""
    held = Portion[dict[str, Any]](most)
    for item in items:
        if hasattr(item, "__arrow_c_stream__"):
            yield from Table.from_arrow(item).to_batches()
            continue
        found = [item] if isinstance(item, dict) else [one if isinstance(one, dict) else {"value": one} for one in item]
        for row in filter(belongs, found):
            held.add(row, weight(row))
            if held.is_full:
                yield _batch(held.take())
    if len(held):
        yield _batch(held.take())


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


class _Walk:
    """One reading: which rows belong to it, and the state after them."""

    def __init__(self, wish: Wish, state: Mapping[str, Any]) -> None:
        self._wish = wish
        self._is_range = wish.since is not None or wish.until is not None
        self._before = dict(state) if wish.mode == "incremental" and not self._is_range else {}
        kept = self._before.get(STATE)
        self.inner: dict[str, Any] = typed.typed_loads(kept) if kept else {}
        self.left = wish.limit
        self.is_ascending = False
        self._begin: Any = wish.since
        self._seen: Highest | None = None
        if wish.cursor:
            now = SystemClock().now().astimezone(UTC)
            self._seen = Highest(wish.cursor_type, self._before.get(CURSOR), now=now)
            if self._before.get(CURSOR) is not None:
                self._begin = begin_of(wish.cursor_type, self._before[CURSOR], wish.lag_s)
                _begin_at(self.inner, wish.stream, self._begin)

    def belongs(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a row lies in the range of a back-fill, or at or above the cursor."""
        value = row.get(str(self._wish.cursor))
        if value is None or (self._begin is None and self._wish.until is None):
            return not self._is_range or value is not None
        try:
            found = cursor_of(self._wish.cursor_type, value)
        except Invalid:
            return True  # the loader puts it aside, with its reason
        return (self._begin is None or found >= self._begin) and (self._wish.until is None or found < self._wish.until)

    def part(self, batch: RecordBatch) -> Part:
        """Hand rows over."""
        rows = batch if self.left is None else batch.slice(0, self.left)
        self.left = None if self.left is None else self.left - rows.num_rows
        cursor = str(self._wish.cursor)
        if self._seen is not None and cursor in rows.schema.names:
            for value in pl.DataFrame(Table.from_batches([rows]))[cursor].drop_nulls().unique().to_list():
                with suppress(Invalid):  # the row goes into quarantine; its cursor leads nowhere
                    self._seen.add(value)
        moved = {**self._before, **self._seen.state} if self._seen and self.is_ascending else self._before
        return Part(rows=rows, state=moved, size_bytes=rows.nbytes)

    def ended(self) -> Part:
        """Hand over the state after the last row."""
        seen = self._seen.state if self._seen else {}
        return Part(rows=None, state={**seen, STATE: typed.typed_dumps(self.inner)})


def _begin_at(inner: Mapping[str, Any], resource: str, begin: Any) -> None:
    """Tell dlt where to begin: it keeps the last value of each incremental field of a resource."""
    for source in inner.get("sources", {}).values():
        for kept in source.get("resources", {}).get(resource, {}).get("incremental", {}).values():
            last = kept.get("last_value")
            text = cursor_text(begin)
            if isinstance(last, str) and last.endswith("Z") and isinstance(text, str):
                text = text.replace("+00:00", "Z")
            kept |= {"last_value": text if isinstance(last, str) else begin, "unique_hashes": []}


RUN = DltConnection
