"""The conformance suite of connectors: a connector's test inherits :class:`ConnectorContract` and brings an origin."""
# ruff: noqa: D102, PLR2004 it is a test, shipped so that any connector can pass it

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol

import polars as pl
import pytest
from arro3.core import Table

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.port import Connector, Part, StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import AimassError, NotFound, Unavailable

START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = (
    StreamColumn(name="id", type="integer", nullable=False),
    StreamColumn(name="name", type="string"),
    StreamColumn(name="at", type="timestamp"),
)
_STATE_BYTES = 64 * 1024
_GROWTH_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row that the suite writes into an origin: columns ``id``, ``name`` and ``at``."""

    id: int
    name: str | None = "x"
    at: datetime | None = START


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Parameters that cannot work, and the field that the error has to name."""

    parameters: Mapping[str, Any]
    field: str


class Origin(Protocol):
    """Something to read from, made by the connector's test.

    Attributes
    ----------
    parameters
        The right parameters, secrets included.
    stream
        Where :meth:`put` writes to; there from the beginning, and empty.
    stream_parameters
        What a source says of it besides.
    wrong
        Parameters that cannot work: another password, another host.
    """

    parameters: Mapping[str, Any]
    stream: str
    stream_parameters: Mapping[str, Any]
    wrong: Sequence[Wrong]

    def put(self, items: Sequence[Item]) -> None:
        """Write rows; an id that is there already is an update."""
        ...

    def drop(self, ids: Sequence[int]) -> None:
        """Delete rows (for mode "changes")."""
        ...

    def interrupted(self) -> AbstractContextManager[None]:
        """Cut the origin off while the context lasts."""
        ...


def items(first: int, count: int, *, step_s: float = 1.0) -> list[Item]:
    """Make rows with growing moments."""
    return [
        Item(id=n, name=f"näme {n} 客", at=START + timedelta(seconds=n * step_s)) for n in range(first, first + count)
    ]


class ConnectorContract:
    """What every connector keeps; a mode that it does not offer is skipped.

    The class that inherits it brings the fixture ``origin``: an empty :class:`Origin` for each test.

    Attributes
    ----------
    connector
        Its name, as registered.
    can_be_interrupted
        False where the origin cannot go away in the middle of a reading (a file that is open).
    dies_within_rows
        So many rows are enough for an interruption to hit a reading that has begun.
    knows_streams
        False where a stream exists by being named (a topic), so that none can be found or missing.
    """

    __test__ = False
    connector: ClassVar[str]
    can_be_interrupted: ClassVar[bool] = True
    dies_within_rows: ClassVar[int] = 300_000
    knows_streams: ClassVar[bool] = True
    reach: ClassVar[Reach] = Reach(folders=("/",), loopback=True)

    @contextmanager
    def opened(self, origin: Origin, **changes: Any) -> Iterator[Connector]:
        """Open a connection as the platform does."""
        limit_to(self.reach)
        manifest = find_connector(self.connector)
        found: Connector = load_connector(self.connector)(manifest.check({**origin.parameters, **changes}))
        try:
            yield found
        finally:
            found.close()

    def wish(self, origin: Origin, mode: str, **more: Any) -> Wish:
        """Say what to read."""
        told: dict[str, Any] = {"stream": origin.stream, "columns": COLUMNS, "mode": mode, "keys": ("id",)}
        told |= {"parameters": origin.stream_parameters, "cursor": "at" if mode == "incremental" else None}
        return Wish(**{**told, **more})

    def needs(self, mode: str) -> None:
        """Skip the test of a mode that this connector does not offer."""
        if mode not in find_connector(self.connector).modes:
            pytest.skip(f"{self.connector} has no mode {mode}")

    def test_the_manifest_describes_itself(self) -> None:
        manifest = find_connector(self.connector)
        assert manifest.name == self.connector
        assert manifest.title
        assert manifest.summary
        assert manifest.modes
        for name, field in manifest.parameters.model_fields.items():
            assert field.description, f"parameter {name!r} has no description"

    def test_a_right_connection_answers_with_a_sentence(self, origin: Origin) -> None:
        with self.opened(origin) as connector:
            assert connector.check().strip()

    def test_a_wrong_connection_names_the_parameter_and_no_secret(self, origin: Origin) -> None:
        manifest = find_connector(self.connector)
        for wrong in origin.wrong:
            with pytest.raises(AimassError) as caught, self.opened(origin, **wrong.parameters) as connector:
                connector.check()
            told = json.dumps(caught.value.problem(), default=str)
            assert wrong.field in str(caught.value.field or "") or wrong.field in told, told
            given = {**origin.parameters, **wrong.parameters}
            assert not [name for name in manifest.secrets if given.get(name) and str(given[name]) in told], told

    def test_discovery_finds_the_stream_with_its_columns(self, origin: Origin) -> None:
        if not self.knows_streams:
            pytest.skip("a stream exists by being named")
        origin.put(items(0, 5))
        with self.opened(origin) as connector:
            assert origin.stream in [stream.name for stream in connector.discover()]
            found = connector.describe(origin.stream, origin.stream_parameters)
            assert {column.name for column in COLUMNS} <= {column.name for column in found.columns}
            assert set(found.modes) <= find_connector(self.connector).modes

    def test_a_stream_that_is_not_there_is_not_found(self, origin: Origin) -> None:
        if not self.knows_streams:
            pytest.skip("a stream exists by being named")
        with self.opened(origin) as connector, pytest.raises(NotFound):
            connector.describe("no such stream", origin.stream_parameters)

    def test_a_full_reading_brings_every_row_once(self, origin: Origin) -> None:
        self.needs("full")
        wanted = items(0, 2_500)
        origin.put(wanted)
        with self.opened(origin) as connector:
            parts = list(_parts(connector, self.wish(origin, "full"), {}))
        assert ids_of(parts) == [item.id for item in wanted]
        names = frame_of(parts).sort(pl.col("id").cast(pl.Int64))["name"].to_list()
        assert names == [item.name for item in wanted]
        _check_states(parts)

    def test_an_empty_stream_is_read_without_rows(self, origin: Origin) -> None:
        self.needs("full")
        with self.opened(origin) as connector:
            assert ids_of(list(_parts(connector, self.wish(origin, "full"), {}))) == []

    def test_a_preview_brings_no_more_than_asked(self, origin: Origin) -> None:
        self.needs("full")
        origin.put(items(0, 300))
        with self.opened(origin) as connector:
            parts = list(islice(_parts(connector, self.wish(origin, "full", limit=7), {}), 10))
        assert len(ids_of(parts)) == 7

    def test_an_incremental_reading_goes_on_from_each_state(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put(items(0, 400))
        wish = self.wish(origin, "incremental")
        with self.opened(origin) as connector:
            parts = list(_parts(connector, wish, {}))
        _check_states(parts)
        for number, part in enumerate(parts):
            with self.opened(origin) as connector:
                rest = ids_of(list(_parts(connector, wish, part.state)))
            before = ids_of(parts[: number + 1])
            assert sorted({*before, *rest}) == list(range(400)), "a row was lost"
            assert len({*before} & {*rest}) <= 1, "more than the rows of the last moment came again"

    def test_an_incremental_reading_brings_what_is_new_and_what_ties(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put(items(0, 10))
        wish = self.wish(origin, "incremental")
        with self.opened(origin) as connector:
            state = list(_parts(connector, wish, {}))[-1].state
            origin.put([Item(id=50, at=START + timedelta(seconds=9)), Item(id=51, at=START + timedelta(seconds=60))])
        with self.opened(origin) as connector:
            assert {50, 51} <= set(ids_of(list(_parts(connector, wish, state)))) <= {9, 50, 51}

    def test_a_lag_brings_the_rows_of_the_window_again(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put(items(0, 10))
        wish = self.wish(origin, "incremental", lag_s=3)
        with self.opened(origin) as connector:
            state = list(_parts(connector, wish, {}))[-1].state
            assert ids_of(list(_parts(connector, wish, state))) == [6, 7, 8, 9]

    def test_rows_without_a_cursor_come_each_time(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put([*items(0, 5), Item(id=90, at=None)])
        wish = self.wish(origin, "incremental")
        with self.opened(origin) as connector:
            parts = list(_parts(connector, wish, {}))
            assert ids_of(parts) == [0, 1, 2, 3, 4, 90]
            assert 90 in ids_of(list(_parts(connector, wish, parts[-1].state)))

    def test_a_moment_ahead_of_the_clock_hides_no_row(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put([*items(0, 5), Item(id=70, at=datetime(2199, 1, 1, tzinfo=UTC))])
        wish = self.wish(origin, "incremental")
        with self.opened(origin) as connector:
            state = list(_parts(connector, wish, {}))[-1].state
            origin.put(items(5, 1))
        with self.opened(origin) as connector:
            assert 5 in ids_of(list(_parts(connector, wish, state)))

    def test_a_back_fill_reads_its_range_alone(self, origin: Origin) -> None:
        self.needs("incremental")
        origin.put([*items(0, 20), Item(id=90, at=None)])
        since, until = START + timedelta(seconds=5), START + timedelta(seconds=9)
        with self.opened(origin) as connector:
            parts = list(_parts(connector, self.wish(origin, "incremental", since=since, until=until), {}))
        assert ids_of(parts) == [5, 6, 7, 8]

    def test_a_full_reading_with_a_cursor_lets_an_incremental_one_follow(self, origin: Origin) -> None:
        self.needs("incremental")
        self.needs("full")
        origin.put(items(0, 10))
        with self.opened(origin) as connector:
            state = list(_parts(connector, self.wish(origin, "full", cursor="at"), {}))[-1].state
            assert ids_of(list(_parts(connector, self.wish(origin, "incremental"), state))) == [9]

    def test_an_acknowledgement_may_come_twice(self, origin: Origin) -> None:
        mode = next(mode for mode in ("full", "incremental", "changes", "stream") if mode in self.modes())
        origin.put(items(0, 3))
        with self.opened(origin) as connector:
            if mode in ("full", "incremental"):
                parts = list(islice(_parts(connector, self.wish(origin, mode), {}), 20))
            else:
                parts, _ = _drain(connector, self.wish(origin, mode), {}, 3)
            for _ in range(2):
                connector.acknowledge(parts[-1].state if parts else {})

    def modes(self) -> frozenset[str]:
        """Return the modes of the connector."""
        return find_connector(self.connector).modes

    def test_closing_lets_go(self, origin: Origin) -> None:
        if not Path("/proc/self/fd").exists():
            pytest.skip("no /proc")
        for _ in range(2):
            with self.opened(origin) as connector:
                connector.check()
        before = _fewest_open()
        for _ in range(5):
            with self.opened(origin) as connector:
                connector.check()
        assert _fewest_open() <= before

    def test_memory_does_not_grow_with_the_stream(self, origin: Origin) -> None:
        self.needs("full")
        if not Path("/proc/self/statm").exists():
            pytest.skip("no /proc")
        origin.put(items(0, self.dies_within_rows))
        rows, first = 0, None
        with self.opened(origin) as connector:
            for part in _parts(connector, self.wish(origin, "full"), {}):
                rows += 0 if part.rows is None else part.rows.num_rows
                if first is None and rows >= self.dies_within_rows // 4:
                    first = _resident_bytes()
        assert rows == self.dies_within_rows
        assert first is None or _resident_bytes() - first < _GROWTH_BYTES

    def test_an_origin_that_goes_away_is_unavailable_and_comes_back(self, origin: Origin) -> None:
        self.needs("incremental")
        if not self.can_be_interrupted:
            pytest.skip("this origin cannot go away in the middle of a reading")
        count = self.dies_within_rows
        origin.put(items(0, count))
        wish, parts = self.wish(origin, "incremental"), list[Part]()
        with self.opened(origin) as connector:
            reading = _parts(connector, wish, {})
            parts.append(next(reading))
            with origin.interrupted(), pytest.raises(Unavailable):
                parts.extend(reading)
        with self.opened(origin) as connector:
            parts += list(_parts(connector, wish, parts[-1].state))
        assert sorted(set(ids_of(parts))) == list(range(count))

    def test_a_stream_brings_messages_and_rests_when_there_are_none(self, origin: Origin) -> None:
        self.needs("stream")
        with self.opened(origin) as connector:
            origin.put(items(0, 50))
            parts, rests = _drain(connector, self.wish(origin, "stream"), {}, 50)
            assert ids_of(parts) == list(range(50))
            assert rests
            _check_states(parts)

    def test_what_was_not_acknowledged_comes_again(self, origin: Origin) -> None:
        self.needs("stream")
        wish = self.wish(origin, "stream")
        with self.opened(origin) as connector:
            origin.put(items(0, 20))
            first, _ = _drain(connector, wish, {}, 20)
            connector.acknowledge(first[-1].state)
            origin.put(items(20, 10))
            assert ids_of(_drain(connector, wish, first[-1].state, 10)[0]) == list(range(20, 30))
        with self.opened(origin) as connector:
            again, _ = _drain(connector, wish, first[-1].state, 10)
            assert set(ids_of(again)) >= set(range(20, 30))

    def test_changes_come_in_their_order(self, origin: Origin) -> None:
        self.needs("changes")
        wish = self.wish(origin, "changes")
        with self.opened(origin) as connector:
            state = (_drain(connector, wish, {}, 0)[0] or [Part(rows=None, state={})])[-1].state
            origin.put(items(0, 3))
            origin.put([Item(id=1, name="again")])
            origin.drop([2])
            parts, _ = _drain(connector, wish, state, 5)
        told = [
            (operation, row)
            for part in parts
            if part.rows is not None
            for operation, row in zip(part.operations or (), _frame(part)["id"].cast(pl.Int64), strict=True)
        ]
        assert told == [("insert", 0), ("insert", 1), ("insert", 2), ("update", 1), ("delete", 2)]


def _parts(connector: Connector, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part]:
    return (part for part in connector.read(wish, state) if part is not None)


def _drain(
    connector: Connector, wish: Wish, state: Mapping[str, Any], count: int, patience_s: float = 15.0
) -> tuple[list[Part], bool]:
    """Read a stream until so many rows came and it rests; tell whether it did."""
    parts: list[Part] = []
    rows, end = 0, time.monotonic() + patience_s
    for part in connector.read(wish, state):
        if part is None and rows >= count:
            return parts, True
        if part is not None:
            parts.append(part)
            rows += 0 if part.rows is None else part.rows.num_rows
        if time.monotonic() > end:
            break
    return parts, False


def _frame(part: Part) -> pl.DataFrame:
    assert part.rows is not None
    return pl.DataFrame(Table.from_batches([part.rows]))


def frame_of(parts: Sequence[Part]) -> pl.DataFrame:
    """Put the rows of parts together."""
    frames = [_frame(part) for part in parts if part.rows is not None and part.rows.num_rows]
    return pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame({"id": []})


def ids_of(parts: Sequence[Part]) -> list[int]:
    """Return the ids of the rows, sorted."""
    return sorted(frame_of(parts)["id"].cast(pl.Int64).to_list())


def _check_states(parts: Sequence[Part]) -> None:
    for part in parts:
        text = json.dumps(dict(part.state))
        assert len(text) <= _STATE_BYTES
        assert json.loads(text) == dict(part.state)


def _fewest_open() -> int:
    """Return how many files this process has open, once an origin in it has let go of its ends; no search for garbage helps."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        counts = list[int]()
        for _ in range(10):
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
            time.sleep(0.02)
        return min(counts)
    finally:
        if was_enabled:
            gc.enable()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
