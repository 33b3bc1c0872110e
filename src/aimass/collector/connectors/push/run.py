"""Reads what was pushed to a source, in the order in which it came."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.connectors.messages import Reading, batch_of
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.push.manifest import PUSH, RECEIVED, PushParameters, PushStream
from aimass.collector.connectors.push.segments import Place, Record, forget, push_id, records, segments
from aimass.kernel.errors import Invalid

PAUSE_S = 0.1
PART_BYTES = 16 * 2**20
ENVELOPE = (StreamColumn(name=RECEIVED, type="timestamp"), StreamColumn(name=PUSH, type="string"))
_US = 1_000


class PushConnection:
    """The reader's side of an inbox; the position is a segment and an offset in it."""

    def __init__(self, parameters: PushParameters) -> None:
        del parameters
        self._folder: Path | None = None

    def check(self) -> str:
        """Tell that there is nothing to reach."""
        return "ready: rows are pushed to its sources"

    def discover(self) -> list[StreamInfo]:
        """Return nothing: what will be pushed is not known before."""
        return []

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Take any name; the columns are those of each push, others come with the rows."""
        PushStream.model_validate(dict(parameters))
        return StreamInfo(name=stream, columns=ENVELOPE, modes=("stream",))

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield what waits, then what comes."""
        if wish.limit is not None:
            return
        if not wish.inbox:
            raise Invalid("a push is read by a collection of its source alone", field="inbox")
        self._folder = Path(wish.inbox)
        place = Place.of(state)
        while True:
            before = place
            for part, place in self._waiting(before, wish):  # noqa: B007 the last place is where to go on
                yield part
            if place == before:
                yield None
                time.sleep(PAUSE_S)

    def _waiting(self, place: Place, wish: Wish) -> Iterator[tuple[Part, Place]]:
        folder, most = Path(wish.inbox), PushStream.model_validate(dict(wish.parameters)).batch
        held = _Held(wish)
        for number in segments(folder):  # one with a successor is whole: the next begins when it has ended
            if number < place.segment:
                continue
            for record in records(folder, number, place.offset if number == place.segment else 0):
                held.take(number, record)
                if len(held.lines) >= most or held.size >= PART_BYTES:
                    yield held.part()
        if held.lines or held.size:
            yield held.part()

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Remove the segments before the one that is committed."""
        if self._folder is not None:
            forget(self._folder, Place.of(state))

    def close(self) -> None:
        """Do nothing: no file stays open."""


@dataclass(slots=True)
class _Held:
    """Lines that become the next part."""

    wish: Wish
    lines: list[bytes] = field(default_factory=list[bytes])
    moments: list[int] = field(default_factory=list[int])
    names: list[str] = field(default_factory=list[str])
    size: int = 0
    place: Place = field(default_factory=Place)

    def take(self, number: int, record: Record) -> None:
        lines = [line for line in record.data.split(b"\n") if line.strip()]  # what was erased is left blank
        self.lines += lines
        self.moments += [record.moment_ms * _US] * len(lines)
        self.names += [push_id(number, record.begin)] * len(lines)
        self.size += record.end - record.begin
        self.place = Place(number, record.end)

    def part(self) -> tuple[Part, Place]:
        names = self.names
        parsed = Reading.of("json", self.wish.columns).rows(self.lines, lambda index: f"push {names[index]}")
        wanted, beside = {column.name for column in self.wish.columns}, dict[str, Any]()
        if RECEIVED in wanted:
            beside[RECEIVED] = pl.Series(self.moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")).to_list()
        if PUSH in wanted:
            beside[PUSH] = names
        state = {"segment": self.place.segment, "offset": self.place.offset}
        made = Part(rows=batch_of(parsed, beside), state=state, rejects=tuple(parsed.rejects), size_bytes=self.size)
        self.lines, self.moments, self.names, self.size = [], [], [], 0
        return made, self.place


RUN = PushConnection
