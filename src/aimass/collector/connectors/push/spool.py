"""The writer's side of an inbox: a push is acknowledged when its record is on disk; pushes of one moment share the ``fsync``.

A new writer begins a new segment and cuts what a crash left unfinished, so that a place never points into something that
was cut off. Beside a full segment stand the keys of its deliveries: they outlive it, and a delivery that comes again is known.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

from aimass.collector.connectors.push.segments import (
    HEAD,
    KEY,
    NO_KEY,
    Place,
    digest_of,
    keys_path,
    packed,
    push_id,
    records,
    segment_path,
    segments,
    write_keys,
)
from aimass.kernel.durable import sync_folder
from aimass.kernel.errors import Conflict, TooMany, Unavailable

SEGMENT_BYTES = 16 * 2**20
KEYS = 100_000
GATHERED = 64
KEEP_KEYS_MS = 24 * 3600 * 1000
MEASURE_S = 0.5
RETRY_S = 5


class Full(TooMany):
    """More than the limit waits to be collected."""

    retry_after_s = RETRY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A push that is on disk.

    Attributes
    ----------
    id
        Names the push; it stands in the column ``_push`` of its rows where a source has one.
    repeated
        True when the same delivery had come before: nothing more was stored.
    """

    id: str
    rows: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """A delivery that was taken, and how much has to be on disk for it."""

    check: int
    rows: int
    moment_ms: int
    segment: int
    offset: int
    written: int

    def receipt(self) -> Receipt:
        return Receipt(id=push_id(self.segment, self.offset), rows=self.rows, repeated=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait in an inbox, how much of the disk stays free, and how large a segment grows."""

    most_bytes: int
    spare_bytes: int = 0
    segment_bytes: int = SEGMENT_BYTES


class Spool:
    """One inbox, written to by control alone.

    Parameters
    ----------
    folder
        Where its segments lie; made with the first push.
    after
        The segment that a dataset holds last: numbers go on behind it, whatever was restored meanwhile.
    """

    def __init__(self, folder: Path, bounds: Bounds, after: int = 0) -> None:
        self.folder = folder
        self._bounds = bounds
        self._writing, self._syncing = Lock(), Lock()
        self._written = self._synced = 0
        self._lost: list[tuple[int, int]] = []
        self._measured = (float("-inf"), 0)
        self._known: dict[bytes, _Known] = {}
        self._recent: list[bytes] = []
        self._file: int | None = None
        self._size = self._last_ms = 0
        self._recall()
        there = (int(path.stem) for kind in ("*.seg", "*.keys") for path in folder.glob(kind))
        self._number = max([after, *there])

    def _recall(self) -> None:
        """Cut what a crash left unfinished, and learn the keys of former deliveries."""
        for path in self.folder.glob("*.part"):
            path.unlink(missing_ok=True)  # a copy that was not finished; a person may be in it
        for number in segments(self.folder):
            if not keys_path(self.folder, number).exists():
                self._finish(number)
        for path in sorted(self.folder.glob("*.keys")):
            data = path.read_bytes()
            for told in KEY.iter_unpack(data[: len(data) - len(data) % KEY.size]):
                key, check, rows, moment_ms, number, offset = told
                self._known[key] = _Known(check, rows, moment_ms, number, offset, 0)

    def _finish(self, number: int) -> None:
        """End a segment that a crash left open: nothing of what is cut off was acknowledged."""
        path, end, last, found = segment_path(self.folder, number), 0, 0, list[tuple[Any, ...]]()
        for one in records(self.folder, number, 0):
            end, last = one.end, one.moment_ms
            if one.key != NO_KEY:
                found.append((one.key, zlib.crc32(one.data), one.rows, one.moment_ms, number, one.begin))
        os.truncate(path, end)
        write_keys(keys_path(self.folder, number), found, last or int(path.stat().st_mtime * 1000))

    def append(self, data: bytes, rows: int, key: str | None, now_ms: int, *, is_strict: bool = True) -> Receipt:
        """Write a push and return when it is on disk.

        Parameters
        ----------
        data
            Objects, one a line.
        key
            The sender's name of this delivery: the same one again is stored once.
        is_strict
            Refuse a key that was used for other rows. Without it the first delivery counts: services that send an event again
            write it anew, with what has changed meanwhile.

        Raises
        ------
        Conflict
            The key was used for other rows.
        TooMany
            More than the limit waits to be collected, or the disk is nearly full.
        Unavailable
            The disk does not keep it.
        """
        digest, check = (digest_of(key) if key else NO_KEY), zlib.crc32(data)
        with self._writing:
            known = self._known.get(digest) if key else None
            if known is not None and now_ms - known.moment_ms < KEEP_KEYS_MS:
                if is_strict and known.check != check:
                    hint = "give each delivery its own key"
                    raise Conflict("this key was used for other rows", field="key", value=key, hint=hint)
                place, told = known.written, known.receipt()
            else:
                self._refuse_when_full(HEAD.size + len(data))
                offset = self._write(packed(data, rows, now_ms, digest), now_ms)
                place, told = self._written, Receipt(id=push_id(self._number, offset), rows=rows)
                if key:
                    self._known[digest] = _Known(check, rows, now_ms, self._number, offset, place)
                    self._recent.append(digest)
        self._make_durable(place)
        return told

    def _refuse_when_full(self, more: int) -> None:
        at, size = self._measured
        if time.monotonic() - at > MEASURE_S:
            at, size = time.monotonic(), held_bytes(self.folder)
            self._require_spare()
        if size + more > self._bounds.most_bytes:
            raise Full(
                f"{size} bytes wait to be collected, at most {self._bounds.most_bytes} may",
                value=size,
                allowed=self._bounds.most_bytes,
                hint="wait and send it again; does the source run?",
            )
        self._measured = (at, size + more)

    def _require_spare(self) -> None:
        place = self.folder
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < self._bounds.spare_bytes:
            hint = "free some space, then send it again"
            raise Full("the disk is nearly full", value=free, allowed=self._bounds.spare_bytes, hint=hint)

    def _write(self, record: bytes, now_ms: int) -> int:
        done, offset = -1, 0
        with suppress(OSError):
            if self._size + len(record) > self._bounds.segment_bytes:
                self._end(now_ms)
            file = self._begun(now_ms) if self._file is None else self._file
            offset = self._size
            done = os.write(file, record)
        if done != len(record):
            self._take_back()
            raise Unavailable("what was pushed cannot be written", hint="is the disk full? send it again")
        self._size += done
        self._written += done
        self._last_ms = now_ms
        return offset

    def _take_back(self) -> None:
        """Cut what was written in part; where that fails too the segment is left, so that nothing comes behind it."""
        if self._file is None:
            return
        try:
            os.truncate(self._file, self._size)
        except OSError:
            self._cut(self._synced)

    def _begun(self, now_ms: int) -> int:
        """Begin a segment; its number is the moment, so that none comes twice even where files were lost."""
        fresh = [one for one in (self.folder, *self.folder.parents) if not one.exists()]
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in fresh:
            sync_folder(one.parent)  # a name that is not on disk takes all below it along
        self._number = max(self._number + 1, now_ms)
        made = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        found = os.open(segment_path(self.folder, self._number), made, mode=0o600)
        self._file, self._size, self._recent = found, 0, []
        sync_folder(self.folder)
        return found

    def _make_durable(self, place: int) -> None:
        with self._syncing:
            if self._synced < place:
                self._sync()
            if any(safe < place <= end for safe, end in self._lost):
                raise Unavailable("what was pushed is not safe on disk", hint="is the disk in order? send it again")

    def _sync(self) -> None:
        """Bring everything that was written until now to disk, in one call for all who wait."""
        with self._writing:
            safe, target = self._synced, self._written
            handle = None if self._file is None else os.dup(self._file)
        if handle is None:  # the segment was ended meanwhile: it is on disk, or lost
            self._synced = max(self._synced, target)
            return
        try:
            os.fsync(handle)
        except OSError:  # told once for all of them: the kernel says it to the first who asks, and to nobody else
            with self._writing:
                self._cut(safe)
        finally:
            os.close(handle)
        self._synced = max(self._synced, target)

    def _cut(self, safe: int) -> None:
        """Take back what came behind what is safe, of which nobody was told that it is, and leave the segment."""
        begin = self._lost.pop()[0] if self._lost and self._lost[-1][1] >= safe else safe
        self._lost.append((begin, self._written))
        self._known = {key: one for key, one in self._known.items() if one.written <= safe}
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.truncate(file, max(0, self._size - (self._written - self._synced)))
                self._write_keys()
            os.close(file)
        self._size = 0

    def _end(self, now_ms: int) -> None:
        """Close the segment, write its keys beside it, and forget keys that are too old."""
        if self._file is None:
            return
        try:
            os.fsync(self._file)
        except OSError:
            self._cut(self._synced)
            raise
        self._synced = max(self._synced, self._written)
        self._write_keys()
        os.close(self._file)
        self._file, self._size = None, 0
        self._forget(now_ms)
        self._gather()

    def _write_keys(self) -> None:
        self._put_keys((key, one) for key in self._recent if (one := self._known.get(key)) is not None)

    def _put_keys(self, known: Iterable[tuple[bytes, _Known]]) -> None:
        told = [(key, one.check, one.rows, one.moment_ms, one.segment, one.offset) for key, one in known]
        write_keys(keys_path(self.folder, self._number), told, self._last_ms)

    def _gather(self) -> None:
        """Put the keys of many small segments into one file: where little comes, each collection ends a segment."""
        there = {*segments(self.folder), self._number}
        single = [path for path in self.folder.glob("*.keys") if int(path.stem) not in there]
        if len(single) >= GATHERED:
            self._put_keys(self._known.items())
            for path in single:
                path.unlink(missing_ok=True)

    def _forget(self, now_ms: int) -> None:
        surplus = len(self._known) - KEYS
        for at, (key, one) in enumerate(list(self._known.items())):
            if at < surplus or now_ms - one.moment_ms >= KEEP_KEYS_MS:
                del self._known[key]
        there = {*segments(self.folder), self._number}  # the newest stays: it tells when something came last
        for path in self.folder.glob("*.keys"):
            if now_ms - path.stat().st_mtime * 1000 >= KEEP_KEYS_MS and int(path.stem) not in there:
                path.unlink(missing_ok=True)

    def taken(self, place: Place, now_ms: int) -> None:
        """Remove the segments of which everything is committed; called when no reader is at work."""
        with self._writing:
            if self._file is not None and place == Place(self._number, self._size):
                self._end(now_ms)
            for number in segments(self.folder):
                is_open = self._file is not None and number == self._number
                path = segment_path(self.folder, number)
                whole = number < place.segment or place == Place(number, path.stat().st_size)
                if whole and not is_open and keys_path(self.folder, number).exists():
                    path.unlink(missing_ok=True)
            self._measured = (float("-inf"), 0)

    def received_ms(self) -> int | None:
        """Return the moment of the last push, None before the first."""
        if self._last_ms:
            return self._last_ms
        newest = max(self.folder.glob("*.keys"), default=None)
        return None if newest is None else int(newest.stat().st_mtime * 1000)

    def erase(self, names: Callable[[dict[str, Any]], bool], now_ms: int) -> int:
        """Blank the rows that name somebody; places stay what they were, and a reader at work reads the old file to its end."""
        with self._writing:
            self._end(now_ms)
            return sum(_blanked(self.folder, number, names) for number in segments(self.folder))

    def close(self, now_ms: int) -> None:
        """Let go of the file."""
        with self._writing, suppress(OSError):
            self._end(now_ms)


def held_bytes(folder: Path) -> int:
    """Return the size of the segments of an inbox."""
    size = 0
    for path in folder.glob("*.seg"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _exact(line: bytes) -> dict[str, Any]:
    """Read a row with every digit of its numbers: a long one may be what names a person."""
    return json.loads(line, parse_float=Decimal)


def _blanked(folder: Path, number: int, names: Callable[[dict[str, Any]], bool]) -> int:
    path, count = segment_path(folder, number), 0
    changed: list[tuple[int, bytes]] = []
    for record in records(folder, number, 0):
        lines = record.data.split(b"\n")
        found = {at for at, line in enumerate(lines) if line.strip() and names(_exact(line))}
        if found:
            kept = [b" " * len(line) if at in found else line for at, line in enumerate(lines)]
            whole = packed(b"\n".join(kept), record.rows - len(found), record.moment_ms, record.key)
            changed.append((record.begin, whole))
            count += len(found)
    if changed:
        aside = path.with_suffix(".part")
        shutil.copyfile(path, aside)
        with aside.open("r+b") as file:
            for begin, whole in changed:
                file.seek(begin)
                file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(folder)
    return count
