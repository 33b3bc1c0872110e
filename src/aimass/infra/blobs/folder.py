"""Blobs in a folder: ``ab/cdef...``, written to a temporary file, synced, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256 as new_hash
from pathlib import Path
from typing import BinaryIO

from aimass.infra.blobs.port import Blob
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

    def __init__(self, root: Path) -> None:
        self.root = root
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
            Path(name).replace(target)
            _sync_folder(target.parent)
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable("the disk is full: nothing was stored", hint="free some space and repeat") from reason
            raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
        return Blob(sha256=digest.hexdigest(), size=size)

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
            yield Blob(sha256=path.parent.name + path.name, size=path.stat().st_size)

    def _place(self, sha256: str) -> Path:
        if not _HASH.fullmatch(sha256):
            raise Invalid(
                "a blob is named by 64 hex letters", field="sha256", value=sha256[:80], allowed="[0-9a-f]{64}"
            )
        return self.root / sha256[:2] / sha256[2:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
