"""One log of a folder, as it is at this moment, unpacked if it is packed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from aimass.collector.connectors.file.run.unpack import LONGEST_MARK, packing_of, pieces_of
from aimass.collector.connectors.inside import opened_below
from aimass.kernel.errors import Invalid

PIECE = 4 * 1024 * 1024
LONGEST_LINE = 16 * 1024 * 1024


class LogFile:
    """A log that is open; it stays the same one although its name goes to another."""

    def __init__(self, handle: int, path: str) -> None:
        self.path = path
        self._file = handle
        seen = os.fstat(handle)
        self.inode = seen.st_ino
        self.changed = seen.st_mtime
        self.size = seen.st_size
        self.mark = f"{seen.st_ino}:{seen.st_mtime}:{seen.st_size}"  # of a packed log that changes it is another
        self.is_packed = bool(packing_of(self.span(0, LONGEST_MARK)))
        self._unpacked: Path | None = None

    @classmethod
    def opened(cls, root: Path, real: Path, path: str) -> Self | None:
        """Open a log; None when it went meanwhile."""
        handle = opened_below(root, real)
        return None if handle is None else cls(handle, path)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)
        if self._unpacked is not None:
            self._unpacked.unlink(missing_ok=True)

    def span(self, start: int, stop: int) -> bytes:
        """Return bytes of it; fewer where it ends."""
        held: list[bytes] = []
        start = max(0, start)
        while start < stop:
            piece = os.pread(self._file, stop - start, start)
            if not piece:
                break
            held.append(piece)
            start += len(piece)
        return b"".join(held)

    def unpack(self, work: Path, key: str) -> bool:
        """Read a packed log through a copy of what is in it; False while it is still being packed."""
        target = work / f"unpacked-{key}"
        try:
            with target.open("wb") as copy:
                copy.writelines(self._pieces())
        except Invalid:
            target.unlink(missing_ok=True)
            return False
        os.close(self._file)
        self._file, self._unpacked = os.open(target, os.O_RDONLY | os.O_CLOEXEC), target
        self.size = target.stat().st_size
        return True

    def unpacked_head(self, size: int) -> bytes:
        """Return the first bytes of what is in a packed log; none while it is still being packed."""
        held = b""
        with suppress(Invalid):
            for piece in self._pieces():
                held += piece
                if len(held) >= size:
                    break
        return held[:size]

    def _pieces(self) -> Iterator[bytes]:
        with os.fdopen(os.dup(self._file), "rb") as packed:
            packed.seek(0)
            yield from pieces_of(packed)

    def lines(self, start: int, *, whole: bool) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines from an offset on, each with the offset behind it; ``whole``: the last needs no end."""
        data = self.span(start, start + PIECE)
        while data and b"\n" not in data and PIECE <= len(data) < LONGEST_LINE:
            more = self.span(start + len(data), start + len(data) + PIECE)
            if not more:
                break
            data += more
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            yield start + end + 1, data[at:end].removesuffix(b"\r")
            at = end + 1
        rest = data[at:]
        is_last = len(data) < PIECE
        if rest and ((whole and is_last) or len(rest) >= LONGEST_LINE):
            yield start + len(data), rest
