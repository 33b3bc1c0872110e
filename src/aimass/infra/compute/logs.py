"""A job's log: whatever bytes it prints become dated lines of bounded length in a file of bounded size."""

from __future__ import annotations

import re
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path

from aimass.infra.compute.port import LogLine
from aimass.kernel.clock import Clock, SystemClock, instant

LOG_LIMIT_BYTES = 8 * 2**20
LINE_LIMIT_BYTES = 8 * 2**10
_TAIL_LINES = 200
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
_BREAK = re.compile(rb"\r\n|\n|\r")


class LogWriter:
    """Writes the log of one attempt.

    The first lines are written at once. After the limit only the last lines are kept and written at the end, with a
    note in between that tells how many were left out: the reason of a failure is in the last lines.
    """

    def __init__(self, path: Path, *, limit: int = LOG_LIMIT_BYTES, clock: Clock | None = None) -> None:
        self._file = path.open("ab", buffering=0)
        self._limit = limit
        self._clock = clock or SystemClock()
        self._rest = b""
        self._is_cutting = False
        self._written = 0
        self._seen = 0
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, data: bytes) -> None:
        """Take what the job printed."""
        *lines, rest = _BREAK.split(self._rest + data)
        if self._is_cutting and lines:
            lines.pop(0)
            self._is_cutting = False
        if self._is_cutting:
            rest = b""
        elif len(rest) > LINE_LIMIT_BYTES:
            lines.append(rest)
            rest, self._is_cutting = b"", True
        self._rest = rest
        self._write(lines)

    def note(self, text: str) -> None:
        """Write a line of our own."""
        self.feed(f"{text}\n".encode())

    def close(self) -> list[str]:
        """Write what is left and return the last lines."""
        if self._rest:
            self._write([self._rest])
        left_out = self._seen - len(self._tail)
        if self._written > self._limit and left_out >= 0:
            note = (
                f"... {left_out} lines left out: a log holds {self._limit} bytes and the last {_TAIL_LINES} lines ..."
            )
            self._put([self._line(note), *self._tail])
        self._file.close()
        return [line.partition(" ")[2] for line in self._tail]

    def _put(self, lines: list[str]) -> None:
        """Write lines; a full disk costs log lines, never the job."""
        text = ("\n".join(lines) + "\n").encode()
        self._written += len(text)
        with suppress(OSError):
            self._file.write(text)

    def _line(self, text: str) -> str:
        return f"{instant(self._clock.now())} {text}"

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        past = self._written > self._limit
        dated = [self._line(_clean(line)) for line in (lines[-_TAIL_LINES:] if past else lines)]
        self._tail.extend(dated)
        if past:
            self._seen += len(lines)
            return
        self._put(dated)
        if self._written > self._limit:
            self._tail.clear()


def _clean(line: bytes) -> str:
    cut = line[:LINE_LIMIT_BYTES].decode(errors="replace").translate(_CONTROL)
    return cut if len(line) <= LINE_LIMIT_BYTES else f"{cut} ... (line cut)"


def read_lines(path: Path, after: int, limit: int) -> list[LogLine]:
    """Return the lines behind line number ``after``; a line that is still being written waits."""
    try:
        with path.open("rb") as file:
            lines = list(islice(file, after, after + limit))
    except FileNotFoundError:
        return []
    whole = (line.decode(errors="replace") for line in lines if line.endswith(b"\n"))
    parts = (line.rstrip("\n").partition(" ") for line in whole)
    return [LogLine(number=after + n, time=time, text=text) for n, (time, _, text) in enumerate(parts, 1)]
