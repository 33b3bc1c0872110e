"""Reads what was pushed to a source, in the order in which it came."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aimass.collector.connectors.messages import Reading, batch_of
from aimass.collector.connectors.port import Part, StreamInfo, Wish
from aimass.collector.connectors.push.manifest import PushParameters, PushStream
from aimass.collector.connectors.push.spool import forget, records, segments
from aimass.kernel.errors import Invalid

PAUSE_S = 0.1
PART_BYTES = 16 * 2**20


class PushConnection:
    """The reader's side of a spool; the position is a segment and an offset in it."""

    def __init__(self, parameters: PushParameters) -> None:
        self._parameters = parameters
        self._folder: Path | None = None

    def check(self) -> str:
        """Tell who may push: there is nothing to reach."""
        signed = "and signed webhooks " if self._parameters.secret else ""
        return f"ready: keys {signed}may push"

    def discover(self) -> list[StreamInfo]:
        """Return nothing: what will be pushed is not known before."""
        return []

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Take any name; the columns are those that the source is given."""
        return StreamInfo(name=stream, columns=(), modes=("stream",))

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield what waits, then what comes."""
        told = PushStream.model_validate(dict(wish.parameters))
        if wish.limit is not None:
            return
        if not wish.inbox:
            raise Invalid("a push is read by a collection of its source alone", field="inbox")
        self._folder = Path(wish.inbox)
        reading = Reading.of("json", wish.columns)
        place = (int(state.get("segment", 0)), int(state.get("offset", 0)))
        while True:
            before = place
            for part, end in self._waiting(before, told.batch, reading):
                place = end
                yield part
            if place == before:
                yield None
                time.sleep(PAUSE_S)

    def _waiting(self, place: tuple[int, int], batch: int, reading: Reading) -> Iterator[tuple[Part, tuple[int, int]]]:
        folder = Path(self._folder or "")
        lines: list[bytes] = []
        size = 0
        for number in segments(folder):
            if number < place[0]:
                continue
            for record in records(folder, number, place[1] if number == place[0] else 0):
                lines += record.data.splitlines()
                size += len(record.data)
                place = (number, record.end)
                if len(lines) >= batch or size >= PART_BYTES:
                    yield _part(lines, size, place, reading), place
                    lines, size = [], 0
        if lines:
            yield _part(lines, size, place, reading), place

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Remove segments that are committed to their end."""
        if self._folder is not None:
            forget(self._folder, int(state.get("segment", 0)))

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _part(lines: list[bytes], size: int, place: tuple[int, int], reading: Reading) -> Part:
    parsed = reading.rows(lines, lambda index: f"segment {place[0]}, row {index + 1}")
    state = {"segment": place[0], "offset": place[1]}
    return Part(rows=batch_of(parsed), state=state, rejects=tuple(parsed.rejects), size_bytes=size)


RUN = PushConnection
