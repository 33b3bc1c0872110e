"""A connection to files: discovers patterns, reads each file once, in the order in which they came."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aimass.collector.connectors.file.plan import stream_type
from aimass.collector.connectors.files.manifest import Parameters, Stream
from aimass.collector.connectors.files.progress import Entry, Progress
from aimass.collector.connectors.files.run.one_file import PATH, FileOf, propose_for
from aimass.collector.connectors.files.run.places import place_of
from aimass.collector.connectors.pattern import pattern_for, pattern_of
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Invalid, NotFound

MOST_PATTERNS = 200
MOST_SAMPLES = 5
LOOK_S = 2.0
REST_S = 0.5
MODES = ("full", "stream")


class FilesConnection:
    """A folder or a bucket, open."""

    def __init__(self, parameters: Parameters) -> None:
        self._place = place_of(parameters)
        self._work = tempfile.TemporaryDirectory(prefix="files-")

    def check(self) -> str:
        """Look into the place."""
        first = next(iter(self._place.entries()), None)
        return f"{self._place.told()} can be read" + ("" if first else "; it holds no files yet")

    def discover(self) -> list[StreamInfo]:
        """Return a pattern for each kind of files in each folder, with the columns of the newest one."""
        kinds: dict[str, list[Entry]] = defaultdict(list)
        for entry in self._place.entries():
            kinds[pattern_for(entry.path)].append(entry)
        found: list[StreamInfo] = []
        for name, entries in sorted(kinds.items(), key=lambda one: -len(one[1]))[:MOST_PATTERNS]:
            if not Path(name).name.startswith("."):
                found.append(self._info(name, entries, Stream()))
        return sorted(found, key=lambda info: info.name)

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Return the files of a pattern, with the columns of the newest one."""
        entries = self._matching(stream)
        if not entries:
            raise NotFound(f"no file of {self._place.told()} is called {stream!r}", field="stream", value=stream)
        return self._info(stream, entries, Stream.model_validate(dict(parameters)))

    def _info(self, name: str, entries: list[Entry], said: Stream) -> StreamInfo:
        size = sum(entry.size for entry in entries)
        newest = sorted((entry for entry in entries if entry.size), reverse=True)[:MOST_SAMPLES]
        columns = next((found for entry in newest if (found := self._columns(entry, said))), ())
        return StreamInfo(name=name, columns=columns, size_bytes=size, modes=MODES)

    def _columns(self, entry: Entry, said: Stream) -> tuple[StreamColumn, ...]:
        try:
            with self._place.fetched(entry, self._folder) as path:
                told = propose_for(path, entry, said)
        except (Invalid, NotFound):
            return ()  # it is listed all the same: another file of the pattern may be readable
        columns = [
            StreamColumn(name=c["name"], type=stream_type(c["type"]), nullable=c["nullable"]) for c in told["columns"]
        ]
        if said.path_column:
            columns.append(StreamColumn(name=PATH, type="string", nullable=False))
        return tuple(columns)

    @property
    def _folder(self) -> Path:
        return Path(self._work.name)

    def _matching(self, stream: str) -> list[Entry]:
        pattern = pattern_of(stream)
        return [entry for entry in self._place.entries() if pattern.fullmatch(entry.path)]

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the rows of files that were not read, then wait for others; ``full`` ends with the last file."""
        said, left = Stream.model_validate(dict(wish.parameters)), wish.limit
        progress = Progress({} if wish.mode == "full" else state)
        looked = -LOOK_S
        while True:
            if time.monotonic() - looked >= LOOK_S:
                for part in self._pass(wish, said, progress):
                    yield part if left is None else _cut(part, left)
                    left = None if left is None else left - (part.rows.num_rows if part.rows is not None else 0)
                    if left is not None and left <= 0:
                        return
                looked = time.monotonic()
            if wish.mode == "full":
                return
            yield None
            time.sleep(REST_S)

    def _pass(self, wish: Wish, said: Stream, progress: Progress) -> Iterator[Part]:
        listed = self._matching(wish.stream)
        places = {entry.mark: entry.key for entry in listed}
        youngest = int((SystemClock().now().timestamp() - said.min_age_s) * 1e9)
        for entry in progress.waiting(listed, again=said.changed == "again"):
            if entry.moment > youngest and entry.path != progress.at.get("path"):
                continue
            with tempfile.TemporaryDirectory(dir=self._folder) as work:
                try:
                    with self._place.fetched(entry, Path(work)) as path:
                        file = FileOf(path, entry, wish, said, progress)
                        yield from file.parts(Path(work))
                        if not self._place.is_still(entry):
                            raise file.changed()
                except NotFound:
                    continue  # it went, or changed, since it was listed: the next look tells
            progress.done(entry, places)
            yield Part(rows=None, state=progress.state(), size_bytes=entry.size)

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Nothing: the files stay as they are."""

    def close(self) -> None:
        """Remove what was fetched."""
        self._work.cleanup()


def _cut(part: Part, most: int) -> Part:
    if part.rows is None or part.rows.num_rows <= most:
        return part
    return Part(rows=part.rows.slice(0, most), state=part.state, rejects=part.rejects, size_bytes=part.size_bytes)
