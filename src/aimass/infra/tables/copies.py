"""Local copies of the data files of tables that lie elsewhere, below a budget of bytes; such a file never changes, so a copy is never stale."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from aimass.infra.tables.mounts import ELSEWHERE
from aimass.infra.tables.port import LOG
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Unavailable

YOUNG_S = 3600.0  # between a query or a job is told of a file and it opens it


class Copies:
    """Files below a folder, the ones used last.

    Parameters
    ----------
    root
        The folder of all tables.
    budget_bytes
        What the copies may take; those used within the last hour stay even when they take more.
    """

    def __init__(self, root: Path, budget_bytes: int) -> None:
        self._root = root
        self._budget = budget_bytes
        self._incoming = root / ELSEWHERE / "incoming"
        self._used: int | None = None
        self._lock = threading.Lock()

    def has(self, file: Path) -> bool:
        """Tell whether there is a copy, and let it count as just used."""
        try:
            os.utime(file)
        except FileNotFoundError:
            return False
        return True

    def fetch(self, file: Path, pieces: Iterable[bytes], moment: float | None = None) -> None:
        """Write a file as a whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as written:
                size = sum(written.write(piece) for piece in pieces)
            if moment is not None:
                os.utime(draft, (moment, moment))
            else:
                self._make_room(size)
            Path(draft).replace(file)
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable(
                    "the disk is full: there is no room for local copies of tables",
                    hint="free some space, or lower AIMASS_S3_CACHE_MIB, and repeat",
                ) from reason
            raise
        finally:
            Path(draft).unlink(missing_ok=True)

    def link(self, file: Path, copy: Path) -> None:
        """Let a file that is here already be a copy, where the disk can give it a second name."""
        copy.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            os.link(file, copy)
            self.has(copy)

    def _make_room(self, wanted: int) -> None:
        """Remove the copies that were used longest ago, but none that is in use."""
        with self._lock:
            if self._used is not None and self._used + wanted <= self._budget:
                self._used += wanted
                return
            found = sorted(self._files())
            used, old = sum(size for _, size, _ in found) + wanted, SystemClock().now().timestamp() - YOUNG_S
            for moment, size, file in found:
                if used > self._budget and moment < old:
                    file.unlink(missing_ok=True)
                    used -= size
            for draft in self._incoming.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if draft.stat().st_ctime < old:
                        draft.unlink()
            self._used = used

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield the copies: data files of tables, and nothing else that lies below the folder."""
        tables = set[Path]()
        for folder, below, names in os.walk(self._root):
            here = Path(folder)
            if LOG in below:
                tables.add(here)
                below.remove(LOG)
            if here in tables or not tables.isdisjoint(here.parents):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        found = (here / name).stat()
                        if name.endswith(".parquet"):
                            yield found.st_mtime, found.st_size, here / name
