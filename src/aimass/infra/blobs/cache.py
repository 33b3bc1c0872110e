"""Local copies of blobs that lie elsewhere, below a budget of bytes; a blob never changes, so a copy is never stale."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256 as new_hash
from pathlib import Path

from aimass.infra.blobs.port import Blob
from aimass.kernel.clock import Clock
from aimass.kernel.errors import Failed, Unavailable

_YOUNG_S = 600.0  # between a path is handed out and the commit that names it
_FULL = "the disk is full: nothing was stored"


class BlobCache:
    """Files ``ab/cdef...`` like those of a folder store.

    Parameters
    ----------
    root
        The folder; what is in it may go at any time while the platform is stopped.
    budget_bytes
        What the copies may take. Those that are in use stay even when they take more.
    named
        Asked for the blobs that have to stay, because something is about to read them by their path.
    """

    def __init__(
        self, root: Path, budget_bytes: int, clock: Clock, named: Callable[[], Collection[str]] = frozenset
    ) -> None:
        self.root = root
        self.named = named
        self._budget = budget_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._used: int | None = None
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def find(self, sha256: str) -> Path | None:
        """Return the copy of a blob and let it count as just used; None when there is none."""
        path = self._place(sha256)
        with self._lock:
            try:
                self._stamp(path)
            except FileNotFoundError:
                return None
        return path

    @contextlib.contextmanager
    def incoming(self, data: Iterable[bytes]) -> Iterator[tuple[Path, Blob]]:
        """Write bytes to a file that goes unless it is kept; give it and what it is."""
        digest, size = new_hash(), 0
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in data:
                    digest.update(chunk)
                    size += file.write(chunk)
            path.chmod(0o400)
            yield path, Blob(sha256=digest.hexdigest(), size=size, put_at=self._clock.now())
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable(_FULL, hint="free some space and repeat") from reason
            raise
        finally:
            path.unlink(missing_ok=True)

    def keep(self, path: Path, blob: Blob) -> Path:
        """Let a file that came in be the copy of its blob; make room for it first."""
        self._make_room(blob.size)
        target = self._place(blob.sha256)
        target.parent.mkdir(exist_ok=True)
        with self._lock:
            self._stamp(path)
            path.replace(target)
        return target

    def fetch(self, sha256: str, data: Iterable[bytes]) -> Path:
        """Make a copy.

        Raises
        ------
        Failed
            The bytes are not those of the blob.
        """
        with self.incoming(data) as (path, blob):
            if blob.sha256 != sha256:
                raise Failed(
                    f"the blob {sha256[:12]!r} is damaged in its store", value=sha256, hint="restore the last backup"
                )
            return self.keep(path, blob)

    def drop(self, sha256: str, *, unless_younger_s: float = 0.0) -> None:
        """Remove a copy."""
        path = self._place(sha256)
        with self._lock, contextlib.suppress(FileNotFoundError):
            if self._age_s(path) >= unless_younger_s:
                path.unlink()

    def list(self) -> Iterator[tuple[str, Path]]:
        """Yield every copy."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            yield path.parent.name + path.name, path

    def remove_broken(self, age_s: float) -> None:
        """Remove what was left by those that were killed while they wrote."""
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if self._age_s(path) > age_s:
                    path.unlink()

    def _make_room(self, wanted: int) -> None:
        """Remove the copies that were used longest ago, but none that is in use."""
        if self._used is not None and self._used + wanted <= self._budget:
            self._used += wanted
            return
        found = sorted(self._sizes())
        used = sum(size for _, size, _ in found) + wanted
        named = self.named() if used > self._budget else ()
        for _, size, sha256 in found:
            if used > self._budget and sha256 not in named:
                self.drop(sha256, unless_younger_s=_YOUNG_S)
                used -= 0 if self._place(sha256).exists() else size
        self._used = used

    def _sizes(self) -> Iterator[tuple[float, int, str]]:
        for sha256, path in self.list():
            with contextlib.suppress(FileNotFoundError):
                copy = path.stat()
                yield copy.st_mtime, copy.st_size, sha256

    def _age_s(self, path: Path) -> float:
        return self._clock.now().timestamp() - path.stat().st_mtime

    def _stamp(self, path: Path) -> None:
        now = self._clock.now().timestamp()
        os.utime(path, (now, now))

    def _place(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256[2:]
