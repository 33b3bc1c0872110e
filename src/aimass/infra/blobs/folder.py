"""Blobs in a folder: ``ab/cdef...``, written to a temporary file, synced, renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256 as new_hash
from pathlib import Path
from typing import BinaryIO

from aimass.infra.blobs.port import Blob
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.durable import sync_folder
from aimass.kernel.errors import Invalid, NotFound, Unavailable

_HASH = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


class FolderBlobs:
    """A blob store in a folder of this machine.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     blobs = FolderBlobs(Path(folder))
    ...     blob = blobs.put(b"hello")
    ...     blobs.path(blob.sha256).read_bytes(), blob.size
    (b'hello', 5)
    """

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root
        self._clock = clock or SystemClock()
        self._lock = root / ".blobs.lock"
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes | Iterable[bytes]) -> Blob:
        """Store bytes or a stream of them, completely or not at all."""
        digest, size = new_hash(), 0
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in (data,) if isinstance(data, bytes) else data:
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            target = self._place(digest.hexdigest())
            target.parent.mkdir(exist_ok=True)
            with self._held(fcntl.LOCK_SH):
                put_at = self._stamp(Path(name))
                Path(name).replace(target)
            sync_folder(target.parent)
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable("the disk is full: nothing was stored", hint="free some space and repeat") from reason
            raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
        return Blob(sha256=digest.hexdigest(), size=size, put_at=put_at)

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading."""
        return self.path(sha256).open("rb")

    def path(self, sha256: str) -> Path:
        """Return the file with the bytes."""
        path = self._place(sha256)
        if not path.exists():
            raise NotFound(f"there is no blob {sha256[:12]!r}", value=sha256)
        return path

    def exists(self, sha256: str) -> bool:
        """Tell whether the blob is there."""
        return self._place(sha256).exists()

    def size(self, sha256: str) -> int:
        """Return the size in bytes."""
        return self.path(sha256).stat().st_size

    def touch(self, sha256: str) -> None:
        """Let a blob count as just put."""
        with self._held(fcntl.LOCK_SH):
            self._stamp(self.path(sha256))

    def remove_older(self, sha256: str, moment: datetime) -> bool:
        """Forget a blob that was neither put nor touched since a moment.

        While a blob is looked at and removed nobody renames another file to its place: the lock is the kernel's and goes
        with a process that dies.
        """
        path = self._place(sha256)
        with self._held(fcntl.LOCK_EX):
            try:
                is_old = _put_at(path.stat()) < moment
            except FileNotFoundError:
                return False
            if is_old:
                path.unlink()
            return is_old

    def remove_broken(self, moment: datetime) -> int:
        """Remove what puts left that broke off; one under way writes, so its file is young."""
        removed = 0
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                if _put_at(found) < moment:
                    path.unlink()
                    removed += found.st_size
        return removed

    def remove(self, sha256: str) -> None:
        """Forget a blob; a missing one is no error."""
        self._place(sha256).unlink(missing_ok=True)

    def verify(self, sha256: str) -> bool:
        """Tell whether the bytes still have their hash."""
        digest = new_hash()
        with self.open(sha256) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == sha256

    def list(self) -> Iterator[Blob]:
        """Yield every blob."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                yield Blob(sha256=path.parent.name + path.name, size=found.st_size, put_at=_put_at(found))

    def _stamp(self, path: Path) -> datetime:
        now = self._clock.now()
        os.utime(path, (now.timestamp(), now.timestamp()))
        return now

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _place(self, sha256: str) -> Path:
        if not _HASH.fullmatch(sha256):
            raise Invalid(
                "a blob is named by 64 hex letters", field="sha256", value=sha256[:80], allowed="[0-9a-f]{64}"
            )
        return self.root / sha256[:2] / sha256[2:]


def _put_at(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)
