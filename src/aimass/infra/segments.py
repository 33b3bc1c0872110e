"""Checksummed, append-only segments: how a process hands over records so that kill -9 loses none.

A frame is ``[u32 LE length][u32 LE crc32][payload]``. The file being written ends in ``.open``; a closed one is renamed
to ``.seg`` and never changes again. Numbers only grow, also after readers removed what they have taken.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = struct.Struct("<II")
_LAST = "last"
_DIGITS = 12
MAX_FRAME_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place in a segment that could not be read."""

    offset: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What a segment file holds: the good payloads in order, and the places that are damaged."""

    path: Path
    payloads: tuple[bytes, ...]
    damage: tuple[Damage, ...]
    end: int

    @property
    def number(self) -> int:
        """Return the number in the file's name."""
        return int(self.path.stem)

    def objects(self) -> Iterator[dict[str, Any]]:
        """Yield the payloads as JSON objects."""
        return (json.loads(payload) for payload in self.payloads)


def frame(payload: bytes) -> bytes:
    """Wrap a payload with its length and checksum.

    Examples
    --------
    >>> len(frame(b"{}"))
    10
    """
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def read_segment(path: Path) -> Segment:
    """Read a segment; a bad frame is named and skipped, a torn tail is named and dropped."""
    data = path.read_bytes()
    payloads: list[bytes] = []
    damage: list[Damage] = []
    offset = 0
    while offset < len(data):
        start = offset + _HEAD.size
        if start > len(data):
            damage.append(Damage(offset=offset, reason="torn tail"))
            break
        length, checksum = _HEAD.unpack_from(data, offset)
        if length > MAX_FRAME_BYTES or start + length > len(data):
            damage.append(Damage(offset=offset, reason="torn tail"))
            break
        payload = data[start : start + length]
        if zlib.crc32(payload) == checksum:
            payloads.append(payload)
        else:
            damage.append(Damage(offset=offset, reason="checksum mismatch"))
        offset = start + length
    return Segment(path=path, payloads=tuple(payloads), damage=tuple(damage), end=offset)


def closed_segments(folder: Path) -> list[Path]:
    """Return the closed segments of one worker, oldest first."""
    return sorted(folder.glob("*.seg"))


def recover(folder: Path) -> list[Path]:
    """Close what a dead writer left open: drop the torn tail, rename; an empty one goes.

    A file that a living writer still holds is left alone.
    """
    done: list[Path] = []
    for path in sorted(folder.glob("*.open")):
        with path.open("r+b") as file:
            if not _lock(file.fileno()):
                continue
            end = read_segment(path).end
            file.truncate(end)
            os.fsync(file.fileno())
            if end:
                path.rename(path.with_suffix(".seg"))
                done.append(path.with_suffix(".seg"))
            else:
                path.unlink()
    return done


def sync(descriptors: Iterable[int]) -> None:
    """Bring written bytes to the disk and close the descriptors; blocking, meant for a thread."""
    for descriptor in descriptors:
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


class SegmentWriter:
    """Appends frames to the open segment of one worker, one write per call, and rotates by size and age.

    Parameters
    ----------
    folder
        ``<data>/records/<worker>`` or ``<data>/series/<worker>``; made when missing. Leftovers of a dead writer are closed.
    max_bytes, max_age_s
        A segment is closed when it is this large, or this old and not empty.

    Notes
    -----
    A written frame survives kill -9 of the process at once; power loss only after :func:`sync` of :meth:`unsynced`.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 8 * 1024 * 1024, max_age_s: float = 10.0) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age_s = max_age_s
        folder.mkdir(parents=True, exist_ok=True)
        recover(folder)
        self._descriptor = -1
        self._path = folder
        self._size = 0
        self._born = 0.0
        self._is_dirty = False
        self._retired: list[int] = []

    def append(self, frames: list[bytes]) -> None:
        """Write frames with one write; all of them are in the file afterwards, or none and an OSError."""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        if self._descriptor < 0:
            self._open()
        try:
            self._write(data)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        self._is_dirty = True
        if self._size >= self.max_bytes:
            self.rotate()

    def _write(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, data[written:])

    def rotate_if_due(self) -> bool:
        """Close the open segment when it is old enough; say whether it was."""
        if self._descriptor < 0 or time.monotonic() - self._born < self.max_age_s:
            return False
        self.rotate()
        return True

    def rotate(self) -> None:
        """Close the open segment now; the next append starts a new one."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._retired.append(descriptor)
        self._is_dirty = False
        if self._size:
            self._path.rename(self._path.with_suffix(".seg"))
        else:
            self._path.unlink()

    def unsynced(self) -> list[int]:
        """Return descriptors (the caller owns them) for :func:`sync`; empty when nothing was written since."""
        descriptors, self._retired = self._retired, []
        if self._is_dirty:
            self._is_dirty = False
            descriptors.append(os.dup(self._descriptor))
        return descriptors

    def close(self) -> None:
        """Close the open segment and bring everything to the disk."""
        self.rotate()
        sync(self.unsynced())

    def _open(self) -> None:
        number = self._next_number()
        self._path = self.folder / f"{number:0{_DIGITS}d}.open"
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        _lock(self._descriptor)
        self._size = 0
        self._born = time.monotonic()

    def _next_number(self) -> int:
        """Return a number above every earlier one; remembered in a file, since readers remove segments."""
        marker = self.folder / _LAST
        last = 0
        with contextlib.suppress(FileNotFoundError, ValueError):
            last = int(marker.read_text())
        present = [int(p.stem) for p in self.folder.iterdir() if p.suffix in {".seg", ".open"} and p.stem.isdigit()]
        number = max([last, *present]) + 1
        draft = marker.with_suffix(".tmp")
        draft.write_text(str(number))
        draft.rename(marker)
        return number


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
