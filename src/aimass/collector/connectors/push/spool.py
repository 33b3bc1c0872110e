"""What was pushed, on disk until it is collected: numbered segments of checked records, one writer, one reader.

A push is acknowledged after its record is on disk (``fsync``; pushes of the same moment share one). After a restart the writer
begins a new segment, so that a position never points into something that was cut off. Beside a full segment stand the keys of
its deliveries: they outlive it, and a delivery that comes again is known.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import IO

from aimass.kernel.errors import Conflict, TooMany, Unavailable

HEAD = Struct(">4sIIQ16s")  # mark, size, check sum, moment in milliseconds, key
MARK = b"AMR1"
NO_KEY = bytes(16)
KEY = Struct(">16sIQ")
SEGMENT_BYTES = 64 * 2**20
KEYS = 200_000
KEEP_KEYS_MS = 24 * 3600 * 1000
MEASURE_S = 0.5


def digest_of(key: str) -> bytes:
    """Return the digest that stands for the key of a delivery."""
    return blake2b(key.encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Known:
    """A delivery that was taken: check sum, moment, and how much has to be on disk for it."""

    check: int
    moment_ms: int
    written: int


class Spool:
    """The writer's side: one for each source, in control alone."""

    def __init__(self, folder: Path, *, most_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._guard = (folder / "writer.lock").open("ab")
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._guard.close()
            raise Unavailable("another process takes the pushes of this source") from None
        self._writing, self._syncing = Lock(), Lock()
        self._written = self._synced = 0
        self._lost = -1
        self._measured = (0.0, 0)
        self._known: dict[bytes, _Known] = {}
        self._recent: list[bytes] = []
        self._recall()
        self._number = max(segments(folder), default=0)
        self._file: IO[bytes] = self._begun()

    def _recall(self) -> None:
        """Learn the keys of former deliveries; write down those of segments that a crash left without."""
        for number in segments(self._folder):
            keys = _keys_of(self._folder, number)
            if not keys.exists():
                found = [(r.key, r.check, r.moment_ms) for r in records(self._folder, number, 0)]
                _write_keys(keys, [one for one in found if one[0] != NO_KEY])
        for path in sorted(self._folder.glob("*.keys")):
            data = path.read_bytes()
            for key, check, moment_ms in KEY.iter_unpack(data[: len(data) - len(data) % KEY.size]):
                self._known[key] = _Known(check, moment_ms, 0)

    def _begun(self) -> IO[bytes]:
        self._number += 1
        found = segment_path(self._folder, self._number).open("xb", buffering=0)
        _sync_folder(self._folder)
        self._size = 0
        self._recent = []
        return found

    def append(self, data: bytes, key: str | None, now_ms: int) -> bool:
        """Write a record and return when it is on disk; False: the delivery had come before.

        Raises
        ------
        Conflict
            The key was used for something else.
        TooMany
            More than the limit waits to be collected.
        """
        digest, check = (digest_of(key) if key else NO_KEY), zlib.crc32(data)
        with self._writing:
            known = self._known.get(digest) if key else None
            if known is not None and now_ms - known.moment_ms < KEEP_KEYS_MS:
                if known.check != check:
                    raise Conflict(
                        f"the key {key!r} was used for other rows",
                        field="key",
                        value=key,
                        hint="give each delivery its own key",
                    )
                place = known.written
            else:
                known = None
                self._refuse_when_behind(HEAD.size + len(data))
                place = self._write(data, digest, check, now_ms)
        self._make_durable(place)
        return known is None

    def _refuse_when_behind(self, more: int) -> None:
        at, size = self._measured
        if time.monotonic() - at > MEASURE_S:
            size = waiting_bytes(self._folder)
        if size + more > self._most_bytes:
            raise TooMany(
                f"{size} bytes wait to be collected, at most {self._most_bytes} may",
                value=size,
                allowed=self._most_bytes,
                hint="wait and send it again; does the source run?",
            )
        self._measured = (time.monotonic() if time.monotonic() - at > MEASURE_S else at, size + more)

    def _write(self, data: bytes, digest: bytes, check: int, now_ms: int) -> int:
        record = HEAD.pack(MARK, len(data), check, now_ms, digest) + data
        if self._size and self._size + len(record) > self._segment_bytes:
            self._rotate(now_ms)
        try:
            done = self._file.write(record)
        except OSError as reason:
            self._rotate(now_ms)
            raise Unavailable(
                f"what was pushed cannot be written: {reason.strerror}", hint="is the disk full?"
            ) from None
        if done != len(record):
            self._rotate(now_ms)
            raise Unavailable("what was pushed cannot be written whole", hint="is the disk full?")
        self._size += len(record)
        self._written += len(record)
        if digest != NO_KEY:
            self._known[digest] = _Known(check, now_ms, self._written)
            self._recent.append(digest)
        return self._written

    def _make_durable(self, place: int) -> None:
        with self._syncing:
            if self._synced < place:
                self._sync()
            if place <= self._lost:
                raise Unavailable("what was pushed is not safe on disk", hint="is the disk in order? send it again")

    def _sync(self) -> None:
        """Bring everything that was written until now to disk, in one call for all who wait."""
        with self._writing:
            target, handle = self._written, os.dup(self._file.fileno())  # the segment may be closed meanwhile
        try:
            os.fsync(handle)
        except OSError:  # told once for all of them: the kernel says it to the first who asks, and to nobody else
            self._lost = target
            self._known = {key: one for key, one in self._known.items() if one.written > target or not one.written}
        finally:
            os.close(handle)
        self._synced = max(self._synced, target)

    def _rotate(self, now_ms: int) -> None:
        """Close the segment, write its keys beside it, and forget keys that are too old."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._synced = max(self._synced, self._written)
        found = [
            (key, self._known[key].check, self._known[key].moment_ms) for key in self._recent if key in self._known
        ]
        _write_keys(_keys_of(self._folder, self._number), found)
        self._forget(now_ms)
        self._file = self._begun()

    def _forget(self, now_ms: int) -> None:
        surplus = len(self._known) - KEYS
        old = [
            key
            for at, (key, one) in enumerate(self._known.items())
            if at < surplus or now_ms - one.moment_ms >= KEEP_KEYS_MS
        ]
        for key in old:
            del self._known[key]
        there = set(segments(self._folder))
        for path in self._folder.glob("*.keys"):
            is_old = now_ms - path.stat().st_mtime * 1000 >= KEEP_KEYS_MS
            if is_old and int(path.stem) not in there:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files."""
        with self._syncing, self._writing:
            with suppress(OSError):
                os.fsync(self._file.fileno())
            self._file.close()
            self._guard.close()


@dataclass(frozen=True, slots=True)
class Record:
    """A record: lines of JSON, and where the next one begins."""

    data: bytes
    check: int
    moment_ms: int
    key: bytes
    end: int


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment lies."""
    return folder / f"{number:010d}.seg"


def _keys_of(folder: Path, number: int) -> Path:
    return folder / f"{number:010d}.keys"


def segments(folder: Path) -> list[int]:
    """Return the numbers of the segments, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.seg"))


def waiting_bytes(folder: Path) -> int:
    """Return the size of what waits to be collected, or to be forgotten."""
    size = 0
    for path in folder.glob("*.seg"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def records(folder: Path, number: int, offset: int) -> Iterator[Record]:
    """Yield the whole records of a segment from an offset on; all of them are on disk when they are handed over."""
    try:
        file = segment_path(folder, number).open("rb")
    except FileNotFoundError:
        return
    with file:
        os.fsync(file.fileno())
        file.seek(offset)
        while len(head := file.read(HEAD.size)) == HEAD.size:
            mark, size, check, moment_ms, key = HEAD.unpack(head)
            data = file.read(size)
            if mark != MARK or len(data) != size or zlib.crc32(data) != check:
                return  # being written, or cut off by a crash and never acknowledged
            offset += HEAD.size + size
            yield Record(data, check, moment_ms, key, offset)


def forget(folder: Path, before: int) -> None:
    """Remove the segments before a number, whose keys stand beside them."""
    for number in segments(folder):
        if number < before and _keys_of(folder, number).exists():
            segment_path(folder, number).unlink(missing_ok=True)


def _write_keys(path: Path, found: list[tuple[bytes, int, int]]) -> None:
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(b"".join(KEY.pack(*one) for one in found))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
