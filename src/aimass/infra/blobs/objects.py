"""Blobs in an object store, safe against everybody who puts and removes at the same time, by conditional puts alone.

``parts/<sha256>/<id>`` holds bytes and is written once, under a name that nobody else has. ``marks/ab/cdef...`` says which
part a blob is and when it was put or touched last; an empty mark says that the blob is gone. A mark only ever changes by a
put on the condition that it is still what its writer has read. So of a remover and a toucher one wins and the other sees
it, and a part is removed only after a mark, which nobody can take back, has given it up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as new_hash
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import orjson

from aimass.infra.blobs.cache import BlobCache
from aimass.infra.blobs.port import Blob
from aimass.infra.objects import Bucket, Found, Lost
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import Failed, Invalid, NotFound, Unavailable
from aimass.kernel.ids import new_id

_HASH = re.compile(r"[0-9a-f]{64}")
_TRIES = 100
_READERS = 16
_PAGE = 1000
_YOUNG_S = 600.0


@dataclass(frozen=True, slots=True)
class _Mark:
    part: str
    size: int
    put_at: datetime

    def text(self) -> bytes:
        return orjson.dumps({"part": self.part, "size": self.size, "put_at": self.put_at.isoformat()})


class ObjectBlobs:
    """A blob store in an object store.

    Parameters
    ----------
    bucket
        The place; nothing but these blobs lies in it.
    cache
        Local copies: whoever reads a blob reads a file.
    """

    def __init__(self, bucket: Bucket, cache: BlobCache, clock: Clock | None = None) -> None:
        self.bucket = bucket
        self.cache = cache
        self._clock = clock or SystemClock()
        self._known: dict[str, tuple[str, _Mark]] = {}

    def put(self, data: bytes | Iterable[bytes]) -> Blob:
        """Store bytes or a stream of them, completely or not at all."""
        with self.cache.incoming((data,) if isinstance(data, bytes) else data) as (path, blob):
            put_at = self._mark_put(path, blob)
            self.cache.keep(path, blob)
        return Blob(sha256=blob.sha256, size=blob.size, put_at=put_at)

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading."""
        return self.path(sha256).open("rb")

    def path(self, sha256: str) -> Path:
        """Return a local copy, fetched where there is none."""
        name = _name(sha256)
        copy = self.cache.find(sha256)
        if copy is not None:
            return copy
        for _ in range(_TRIES):
            mark = self._alive(name, sha256)
            try:
                return self.cache.fetch(sha256, self.bucket.read(_part(sha256, mark.part)))
            except NotFound:
                if self._alive(name, sha256).part == mark.part:
                    raise Failed(
                        f"the blob {sha256[:12]!r} is damaged in its store: its bytes are missing",
                        value=sha256,
                        hint="restore the last backup",
                    ) from None
        raise _contended(sha256)

    def read(self, sha256: str) -> Iterator[bytes]:
        """Yield the bytes as they come from the store, past the local copies; whoever reads compares them."""
        yield from self.bucket.read(_part(sha256, self._alive(_name(sha256), sha256).part))

    def exists(self, sha256: str) -> bool:
        """Tell whether the blob is there."""
        return self._read(_name(sha256))[0] is not None

    def size(self, sha256: str) -> int:
        """Return the size in bytes."""
        return self._alive(_name(sha256), sha256).size

    def touch(self, sha256: str) -> None:
        """Let a blob count as just put."""
        name = _name(sha256)
        for _ in range(_TRIES):
            mark, tag = self._read(name)
            if mark is None:
                raise _missing(sha256)
            if self._write(name, _Mark(mark.part, mark.size, self._clock.now()).text(), tag):
                return
        raise _contended(sha256)

    def remove(self, sha256: str) -> None:
        """Forget a blob; a missing one is no error."""
        self._remove(sha256, None)

    def remove_older(self, sha256: str, moment: datetime) -> bool:
        """Forget a blob that was neither put nor touched since a moment."""
        return self._remove(sha256, moment)

    def remove_broken(self, moment: datetime) -> int:
        """Remove parts that no mark names, and local copies of what is gone from the store."""
        removed = 0
        for part in self.bucket.list("parts"):
            _, sha256, name = part.name.split("/")
            if part.at < moment:
                mark, _ = self._read(_name(sha256))
                if mark is None or mark.part != name:
                    self.bucket.remove(part.name)
                    removed += part.size
        for sha256, _ in self.cache.list():
            if not self.exists(sha256):
                self.cache.drop(sha256, unless_younger_s=_YOUNG_S)
        self.cache.remove_broken((self._clock.now() - moment).total_seconds())
        return removed

    def verify(self, sha256: str) -> bool:
        """Tell whether the bytes in the store still have their hash."""
        self._alive(_name(sha256), sha256)
        digest = new_hash()
        try:
            for piece in self.read(sha256):
                digest.update(piece)
        except NotFound:
            return False
        return digest.hexdigest() == sha256

    def list(self) -> Iterator[Blob]:
        """Yield every blob; only marks that changed since the last list are read."""
        with ThreadPoolExecutor(_READERS) as pool:
            marks = self.bucket.list("marks")
            while page := list(islice(marks, _PAGE)):
                for name, mark in pool.map(self._listed, page):
                    if mark is not None:
                        yield Blob(sha256="".join(name.split("/")[1:]), size=mark.size, put_at=mark.put_at)

    # -- marks

    def _mark_put(self, path: Path, blob: Blob) -> datetime:
        """Store the bytes where they are missing, and say that they were put now."""
        name, mine = _name(blob.sha256), ""
        for _ in range(_TRIES):
            mark, tag = self._read(name)
            part = mark.part if mark is not None and self._is_whole(blob, mark.part) else ""
            if not part:
                mine = part = self._sent(path, blob, mine)
            now = self._clock.now()
            if self._write(name, _Mark(part, blob.size, now).text(), tag):
                if mine and part != mine:  # somebody else's bytes were first
                    self.bucket.remove(_part(blob.sha256, mine))
                return now
        raise _contended(blob.sha256)

    def _sent(self, path: Path, blob: Blob, mine: str) -> str:
        """Store the bytes as a part, unless they are one already; return its name."""
        if not (mine and self._is_whole(blob, mine)):
            mine = new_id()
            self.bucket.put(_part(blob.sha256, mine), path)
        return mine

    def _is_whole(self, blob: Blob, part: str) -> bool:
        try:
            return self.bucket.head(_part(blob.sha256, part)).size == blob.size
        except NotFound:
            return False

    def _remove(self, sha256: str, moment: datetime | None) -> bool:
        name = _name(sha256)
        for _ in range(_TRIES):
            mark, tag = self._read(name)
            if mark is None or (moment is not None and mark.put_at >= moment):
                return False
            if self._write(name, b"", tag):
                self.cache.drop(sha256, unless_younger_s=0.0 if moment is None else _YOUNG_S)
                self.bucket.remove(_part(sha256, mark.part))
                return True
        raise _contended(sha256)

    def _write(self, name: str, text: bytes, tag: str) -> bool:
        try:
            if tag:
                self.bucket.put_over(name, text, tag)
            else:
                self.bucket.put_new(name, text)
        except Lost:
            return False
        return True

    def _read(self, name: str) -> tuple[_Mark | None, str]:
        """Return the mark of a blob, None for one that is gone or never was, and the tag of what is there."""
        try:
            text, tag = self.bucket.get(name)
        except NotFound:
            return None, ""
        return _mark(text), tag

    def _alive(self, name: str, sha256: str) -> _Mark:
        mark, _ = self._read(name)
        if mark is None:
            raise _missing(sha256)
        return mark

    def _listed(self, found: Found) -> tuple[str, _Mark | None]:
        if not found.size:
            self._known.pop(found.name, None)
            return found.name, None
        tag, mark = self._known.get(found.name, ("", None))
        if mark is None or tag != found.tag:
            mark, tag = self._read(found.name)
            if mark is not None:
                self._known[found.name] = (tag, mark)
        return found.name, mark


def _mark(text: bytes) -> _Mark | None:
    if not text:
        return None
    read = orjson.loads(text)
    return _Mark(read["part"], read["size"], datetime.fromisoformat(read["put_at"]))


def _name(sha256: str) -> str:
    if not _HASH.fullmatch(sha256):
        raise Invalid("a blob is named by 64 hex letters", field="sha256", value=sha256[:80], allowed="[0-9a-f]{64}")
    return f"marks/{sha256[:2]}/{sha256[2:]}"


def _part(sha256: str, part: str) -> str:
    return f"parts/{sha256}/{part}"


def _missing(sha256: str) -> NotFound:
    return NotFound(f"there is no blob {sha256[:12]!r}", value=sha256)


def _contended(sha256: str) -> Unavailable:
    return Unavailable(f"the blob {sha256[:12]!r} is changed by too many at once", hint="repeat")
