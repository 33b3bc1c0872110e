"""Segments: what was pushed, on disk, in numbered files of checked records; one writes, one reads.

A record is a head and lines of JSON. Its check sum covers both, so what a crash cut off is told from what is whole, and what a
disk spoiled is passed over up to the next whole record.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any

from aimass.kernel.durable import sync_folder

HEAD = Struct(">4sIIIQ16s")  # mark, check sum, size, rows, moment in milliseconds, digest of the key
MARK = b"AMP1"
NO_KEY = bytes(16)
KEY = Struct(">16sIIQQQ")  # digest, check sum of the rows, how many, moment, segment, offset
COUNTED = 100_000  # records; what lies behind is estimated


@dataclass(frozen=True, slots=True)
class Record:
    """A record: lines of JSON, where it begins and where the next one does."""

    data: bytes
    rows: int
    moment_ms: int
    key: bytes
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the segments: everything before it is committed."""

    segment: int = 0
    offset: int = 0

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Place:
        """Read the state of a reading; an empty one is the beginning."""
        return cls(int(state.get("segment", 0)), int(state.get("offset", 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits behind a place; ``is_counted`` is False where there was too much to count every row."""

    rows: int
    size_bytes: int
    is_counted: bool = True


def digest_of(key: str) -> bytes:
    """Return the digest that stands for the key of a delivery."""
    return blake2b(key.encode(), digest_size=16).digest()


def push_id(segment: int, offset: int) -> str:
    """Return the name of a push: where it was written.

    Examples
    --------
    >>> push_id(1_767_225_600_000, 0), push_id(1, 4096)
    ('19b76daa800-0', '1-1000')
    """
    return f"{segment:x}-{offset:x}"


def packed(data: bytes, rows: int, moment_ms: int, key: bytes) -> bytes:
    """Write a record."""
    told = HEAD.pack(MARK, 0, len(data), rows, moment_ms, key)
    return HEAD.pack(MARK, zlib.crc32(data, zlib.crc32(told)), len(data), rows, moment_ms, key) + data


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment lies."""
    return folder / f"{number:014d}.seg"


def keys_path(folder: Path, number: int) -> Path:
    """Return where the keys of the deliveries of a segment lie; they outlive it."""
    return folder / f"{number:014d}.keys"


def segments(folder: Path) -> list[int]:
    """Return the numbers of the segments, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.seg"))


def records(folder: Path, number: int, offset: int) -> Iterator[Record]:
    """Yield the whole records of a segment from an offset on; all of them are on disk when they are handed over."""
    try:
        file = segment_path(folder, number).open("rb")
    except FileNotFoundError:
        return
    with file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
        while offset + HEAD.size <= size:
            file.seek(offset)
            record = _record(file.read(HEAD.size), file.read, offset)
            if record is None:
                found = _next(file, offset + 1)
                if found is None:
                    return  # being written, or cut off by a crash and never acknowledged
                offset = found
                continue
            yield record
            offset = record.end


def _record(head: bytes, read: Any, offset: int) -> Record | None:
    mark, check, size, rows, moment_ms, key = HEAD.unpack(head)
    if mark != MARK:
        return None
    data = read(size)
    told = HEAD.pack(MARK, 0, size, rows, moment_ms, key)
    if len(data) != size or zlib.crc32(data, zlib.crc32(told)) != check:
        return None
    return Record(data, rows, moment_ms, key, offset, offset + HEAD.size + size)


def _next(file: Any, begin: int) -> int | None:
    """Return where the next whole record begins behind one that is none."""
    file.seek(begin)
    rest, at = file.read(), -1
    while (at := rest.find(MARK, at + 1)) >= 0:
        head, behind = rest[at : at + HEAD.size], at + HEAD.size
        if len(head) == HEAD.size and _record(head, lambda size, b=behind: rest[b : b + size], 0) is not None:
            return begin + at
    return None


def waiting(folder: Path, place: Place) -> Waiting:
    """Count what waits behind a place, by the heads of the records."""
    rows = seen = counted = 0
    size = behind(folder, place)
    for number in segments(folder):
        if number >= place.segment and seen < COUNTED:
            with suppress(FileNotFoundError):
                found = _heads(folder, number, place.offset if number == place.segment else 0, COUNTED - seen)
                rows, seen, counted = rows + found[0], seen + found[1], counted + found[2]
    is_counted = seen < COUNTED
    return Waiting(rows=rows if is_counted else rows * size // max(counted, 1), size_bytes=size, is_counted=is_counted)


def behind(folder: Path, place: Place) -> int:
    """Return how many bytes lie behind a place."""
    size = 0
    for number in segments(folder):
        if number >= place.segment:
            with suppress(FileNotFoundError):
                whole = segment_path(folder, number).stat().st_size
                size += max(0, whole - (place.offset if number == place.segment else 0))
    return size


def _heads(folder: Path, number: int, offset: int, most: int) -> tuple[int, int, int]:
    rows = seen = 0
    begin = offset
    with segment_path(folder, number).open("rb") as file:
        while seen < most and len(head := os.pread(file.fileno(), HEAD.size, offset)) == HEAD.size:
            mark, _, size, count, _, _ = HEAD.unpack(head)
            if mark != MARK:
                break
            rows, seen, offset = rows + count, seen + 1, offset + HEAD.size + size
    return rows, seen, offset - begin


def forget(folder: Path, place: Place) -> None:
    """Remove the segments before a place, whose keys stand beside them."""
    for number in segments(folder):
        if number < place.segment and keys_path(folder, number).exists():
            segment_path(folder, number).unlink(missing_ok=True)


def write_keys(path: Path, found: list[tuple[Any, ...]], moment_ms: int) -> None:
    """Write the keys of a segment; the file bears the moment of its last record."""
    aside = path.with_suffix(".part")
    with aside.open("wb") as file:
        file.write(b"".join(KEY.pack(*one) for one in found))
        file.flush()
        os.fsync(file.fileno())
    os.utime(aside, ns=(moment_ms * 1_000_000, moment_ms * 1_000_000))
    aside.replace(path)
    sync_folder(path.parent)
