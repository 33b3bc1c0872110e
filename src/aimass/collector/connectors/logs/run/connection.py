"""A connection to logs: finds them, and follows each across rotation, truncation and compression."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aimass.collector.connectors.inside import files_below
from aimass.collector.connectors.logs.manifest import Parameters, Stream
from aimass.collector.connectors.logs.run.lines import (
    LineReader,
    Record,
    checked_pattern,
    columns_for,
    guess_kind,
    joined,
)
from aimass.collector.connectors.logs.run.log_file import LogFile
from aimass.collector.connectors.logs.tracks import (
    HEAD,
    MOST,
    Track,
    digest,
    is_rotated,
    matched,
    stem,
    told,
    tracks_of,
)
from aimass.collector.connectors.pattern import pattern_of
from aimass.collector.connectors.port import Part, StreamInfo, Wish
from aimass.collector.connectors.reach import check_path
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Invalid, NotFound, TooLarge

SAMPLE_LINES = 500
SAMPLE_BYTES = 1 << 20
LONGEST_RECORD = 2 * 1024 * 1024
MOST_LOGS = 500
HEAVIEST = 60_000  # of the 64 KiB of a state
WEIGHT = 260  # of a track, besides its path
REST_S = 0.25
_NAMES = ("log", "err", "access", "syslog", "messages", "out", "json", "ndjson", "txt")


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one reading of a stream goes by; ``since`` is the latest change of a log that was looked into."""

    wish: Wish
    said: Stream
    tracks: list[Track]
    kind: str | None
    is_first: bool
    since: float = 0.0

    def state(self) -> dict[str, Any]:
        """Return the state after what was read."""
        return {"tracks": told(self.tracks), "kind": self.kind, "since": self.since}

    def is_heavy(self) -> bool:
        """Tell whether the state comes near to what a commit may carry."""
        return sum(WEIGHT + len(track.path.encode()) * 2 for track in self.tracks) > HEAVIEST

    def came_later(self, log: LogFile) -> bool:
        """Tell whether a log that was rotated already came while nobody looked: it was written to after all others."""
        return not self.is_first and log.changed > self.since and not any(t.begins_like(log) for t in self.tracks)


class LogsConnection:
    """A folder of logs, open."""

    def __init__(self, parameters: Parameters) -> None:
        self._root = check_path(parameters.folder, "folder")
        self._work = tempfile.TemporaryDirectory(prefix="logs-")
        self._not_ours: set[str] = set()

    def check(self) -> str:
        """Look into the folder."""
        if not self._root.is_dir():
            raise NotFound(f"there is no folder {str(self._root)!r}", field="folder", value=str(self._root))
        return f"folder {self._root} can be read; it holds {len(files_below(self._root))} files"

    def discover(self) -> list[StreamInfo]:
        """Return the logs that are being written, with their columns; rotated ones belong to the log they were."""
        files = files_below(self._root)
        active = [name for name in files if not is_rotated(name, files) and _sounds_like_log(name)]
        return [self._info(name, {name: files[name]}, Stream()) for name in active[:MOST_LOGS]]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Return the logs of a pattern, with the columns of the one that was written last."""
        pattern, said = pattern_of(stream), _said(parameters)
        files = {name: path for name, path in files_below(self._root).items() if pattern.fullmatch(name)}
        if not files:
            raise NotFound(f"folder {self._root} holds no log {stream!r}", field="stream", value=stream)
        return self._info(stream, files, said)

    def _info(self, stream: str, files: Mapping[str, Path], said: Stream) -> StreamInfo:
        logs = [log for name, path in files.items() if (log := LogFile.opened(self._root, path, name)) is not None]
        try:
            written = [log for log in logs if not is_rotated(log.path, files)] or logs
            lines = self._sample(max(written, key=lambda log: log.changed), said) if written else []
            size = sum(log.size for log in logs)
        finally:
            for log in logs:
                log.close()
        kind = said.format or guess_kind(lines)
        return StreamInfo(name=stream, columns=columns_for(said, kind, lines), size_bytes=size, modes=("stream",))

    def _sample(self, log: LogFile, said: Stream) -> list[str]:
        if log.is_packed and not log.unpack(Path(self._work.name), "sample"):
            return []
        start = max(0, log.size - SAMPLE_BYTES)
        lines = ((end, _decoded(raw, said.encoding)) for end, raw in log.lines(start, whole=True))
        texts = [text for _, _, text in joined(lines, said.begins) if text.strip()]
        return texts[1 if start else 0 :][-SAMPLE_LINES:]

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield what is written, and None while nothing comes."""
        said = _said(wish.parameters)
        kind = said.format or state.get("kind")
        reading = Reading(wish=wish, said=said, tracks=tracks_of(state), kind=kind, is_first=not state)
        reading.since = float(state.get("since") or 0.0)
        while True:
            came = False
            for part in self._pass(reading):
                came = came or part.rows is not None or bool(part.rejects)
                yield part
            if not came:
                yield None
                time.sleep(REST_S)

    def _pass(self, reading: Reading) -> Iterator[Part]:
        """Look at every log once: those that were rotated first, then the others."""
        logs = self._open_logs(reading)
        try:
            owned = matched(reading.tracks, list(logs))
            if self._begin(reading, logs, owned) and reading.said.start == "end":
                yield Part(
                    rows=None, state=reading.state()
                )  # what comes from here on is asked for, also after a restart
            reading.is_first = False
            primary = {log.path for log in logs if not is_rotated(log.path, [other.path for other in logs])}
            for log in sorted(logs, key=lambda one: (one.path in primary, one.changed)):
                track = owned.get(log.path)
                if track is not None:
                    track.seen(log)
                    yield from self._news(reading, log, track, is_done=log.path not in primary)
        finally:
            for log in logs:
                log.close()

    def _open_logs(self, reading: Reading) -> list[LogFile]:
        """Open the logs of the pattern, and those into which they were rotated."""
        pattern, files = pattern_of(reading.wish.stream), files_below(self._root)
        ours = {name for name in files if pattern.fullmatch(name)}
        stems = {stem(name) for name in (*ours, *(track.path for track in reading.tracks))}
        wanted = [name for name in files if name in ours or name in stems or is_rotated(name, stems)]
        if len(ours) > MOST:
            raise TooLarge(f"{len(ours)} logs match {reading.wish.stream!r}", field="stream", allowed=f"at most {MOST}")
        found: list[LogFile] = []
        for name in wanted:
            log = LogFile.opened(self._root, files[name], name)
            if log is not None and self._is_readable(log, reading):
                found.append(log)
            elif log is not None:
                log.close()
        return found

    def _is_readable(self, log: LogFile, reading: Reading) -> bool:
        """Unpack a packed log if it is one that is being read, or that came while nobody looked; each is looked at once."""
        if not log.is_packed:
            return True
        if log.mark in self._not_ours or any(track.packed == log.mark for track in reading.tracks):
            return False
        head = log.unpacked_head(HEAD)
        if not head:
            return False
        mine = [track for track in reading.tracks if track.begins_with(head)]
        is_new = reading.is_first or (not mine and log.changed > reading.since)
        if (not mine and not is_new) or not log.unpack(Path(self._work.name), digest(log.path.encode())):
            if not mine and not is_new:
                self._not_ours.add(log.mark)
            return False
        return True

    def _begin(self, reading: Reading, logs: list[LogFile], owned: dict[str, Track]) -> bool:
        """Begin a track for each log of the pattern that has none; a copy of one that has is left alone."""
        known = len(reading.tracks)
        pattern, paths = pattern_of(reading.wish.stream), [log.path for log in logs]
        for log in sorted(logs, key=lambda one: one.changed):
            if log.path in owned or not self._is_new(reading, log, paths, is_ours=bool(pattern.fullmatch(log.path))):
                continue
            track = Track(path=log.path, inode=log.inode)
            if reading.is_first and reading.said.start == "end":
                track.move(log, log.size, 0)
            if reading.is_first:
                reading.since = max(reading.since, log.changed)
            reading.tracks.append(track)
            owned[log.path] = track
        began = len(reading.tracks) > known
        self._forget(reading, owned)
        return began

    def _is_new(self, reading: Reading, log: LogFile, paths: list[str], *, is_ours: bool) -> bool:
        if not is_rotated(log.path, {stem(log.path), *paths} - {log.path}):
            return is_ours
        if not log.size or any(track.begins_like(log) for track in reading.tracks):
            return False  # it is a copy that is being made
        return (is_ours and reading.is_first) or reading.came_later(log)

    def _forget(self, reading: Reading, owned: dict[str, Track]) -> None:
        """Forget logs that are gone when there are too many; those that are there stay."""
        alive = {id(track) for track in owned.values()}
        while len(reading.tracks) > MOST or reading.is_heavy():
            gone = next((track for track in reading.tracks if id(track) not in alive), None)
            if gone is None:
                raise TooLarge(
                    "the names of the logs are too long to keep", field="stream", hint="follow fewer of them"
                )
            reading.tracks.remove(gone)

    def _news(self, reading: Reading, log: LogFile, track: Track, *, is_done: bool) -> Iterator[Part]:
        said = reading.said
        is_idle = SystemClock().now().timestamp() - log.changed >= said.patience_s
        while True:
            lines = ((end, _decoded(raw, said.encoding)) for end, raw in log.lines(track.at, whole=is_done and is_idle))
            found = list(joined(lines, said.begins))
            if said.begins is not None and found and not (is_idle and found[-1][0] >= log.size):
                self._hold_back(found, track.at)
            if not found or not track.fits(log):
                break
            yield self._part(reading, log, track, found)
        if log.is_packed and track.at >= log.size and track.fits(log):
            track.packed = log.mark

    def _hold_back(self, found: list[tuple[int, int, str]], start: int) -> None:
        """Leave the last record to the next look, for lines may follow that belong to it; unless it is longer than any should be."""
        before = found[-2][0] if len(found) > 1 else start
        if len(found) > 1 or found[-1][0] - before < LONGEST_RECORD:
            found.pop()

    def _part(self, reading: Reading, log: LogFile, track: Track, found: list[tuple[int, int, str]]) -> Part:
        moment, line = datetime.fromtimestamp(log.changed, UTC), track.lines
        records: list[Record] = []
        for _, count, text in found:
            if text.strip():
                records.append(Record(text=text, line=line + 1, file=log.path, moment=moment))
            line += count
        if reading.kind is None and records:
            reading.kind = guess_kind([record.text for record in records[:SAMPLE_LINES]])
        before = track.at
        reading.since = max(reading.since, log.changed)
        track.move(log, found[-1][0], line - track.lines)
        if not records:
            return Part(rows=None, state=reading.state(), size_bytes=track.at - before)
        reader = LineReader(reading.said, str(reading.kind))
        rows, rejects = reader.read(records, reading.wish.columns)
        return Part(rows=rows, state=reading.state(), rejects=tuple(rejects), size_bytes=track.at - before)

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Nothing: the logs stay as they are."""

    def close(self) -> None:
        """Remove what was unpacked."""
        self._work.cleanup()


def _said(parameters: Mapping[str, Any]) -> Stream:
    said = Stream.model_validate(dict(parameters))
    if said.begins is not None:
        checked_pattern(said.begins, "begins")
    if _ended(said.encoding) != b"\n":
        raise Invalid(
            f"lines of {said.encoding!r} do not end in one byte",
            field="encoding",
            value=said.encoding,
            allowed=["utf-8", "latin-1"],
        )
    return said


def _ended(encoding: str) -> bytes:
    try:
        return "\n".encode(encoding)
    except LookupError:
        raise Invalid(f"encoding {encoding!r} is unknown", field="encoding", value=encoding) from None


def _decoded(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, "replace")


def _sounds_like_log(name: str) -> bool:
    return any(word in Path(name).name.lower() for word in _NAMES)
