"""The access log of one worker: a line of JSON for each request, written by a thread, rotated by size and number.

No line holds a query, a header or a body: keys, tokens and what people send stand there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import orjson

from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.tracing import ID_BYTES
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.clock import instant
from aimass.kernel.layout import DataDir

_LOG = logging.getLogger(__name__)
_MOST_LINES, _MOST_PATH = 50_000, 500
_GONE, _CONTINUE = 499, b"100"
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Entry:
    """A request on its way, as the log will tell of it.

    Attributes
    ----------
    status
        Of the answer; 0 while none has begun.
    sent
        Bytes of the answer, with its head.
    about
        ``endpoint`` or ``route`` with its name, as far as the request was understood.
    """

    __slots__ = ("about", "began", "consumer", "method", "path", "sent", "started", "status")

    def __init__(self, method: bytes, path: bytes) -> None:
        self.began, self.started = wall(), perf_counter()
        self.method, self.path = method, path
        self.status = self.sent = 0
        self.consumer = ""
        self.about: tuple[str, str, str] | None = None

    def note(self, data: bytes) -> None:
        """Hear of a part of the answer; an interim one is none."""
        if not self.status and data[9:12] != _CONTINUE:
            self.status = int(data[9:12])
        self.sent += len(data)


class AccessLog:
    """Takes entries, and writes them in the background; what cannot be written is counted and said once.

    Parameters
    ----------
    path
        The file that is written; older ones end in ``.1``, ``.2`` and so on.
    max_bytes, files
        How large a file becomes, and how many older ones are kept.
    """

    def __init__(self, path: Path, max_bytes: int, files: int, metrics: Metrics) -> None:
        self._path = path
        self._max_bytes, self._files = max_bytes, files
        self._metrics = metrics
        self._pending: list[bytes] = []
        self._is_writing = self._is_failing = False

    def end(self, entry: Entry, trace: bytes) -> None:
        """Write a line about a request that was answered, or whose client has gone."""
        if len(self._pending) >= _MOST_LINES:
            self._metrics.count("gateway_access_log_lost", ())
            return
        line = {
            "time": instant(datetime.fromtimestamp(entry.began, UTC)),
            "method": entry.method.decode("latin-1"),
            "path": entry.path.partition(b"?")[0][:_MOST_PATH].decode("latin-1"),
            "status": entry.status or _GONE,
            "bytes": entry.sent,
            "seconds": round(perf_counter() - entry.started, 6),
            "consumer": entry.consumer,
            "trace": trace[:ID_BYTES].decode(),
        }
        if entry.about is not None:
            kind, workspace, name = entry.about
            line |= {"workspace": workspace, kind: name}
        self._pending.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a thread write what waits, one at a time."""
        if self._pending and not self._is_writing:
            self._is_writing = True
            lines, self._pending = self._pending, []
            loop.run_in_executor(None, self._write, lines).add_done_callback(self._written)

    def _written(self, done: asyncio.Future[int]) -> None:
        self._is_writing = False
        lost = done.result()
        if lost:
            self._metrics.count("gateway_access_log_lost", (), lost)

    def _write(self, lines: list[bytes]) -> int:
        """Append lines; return how many could not be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path, _APPEND, 0o640), "ab") as file:
                file.write(b"".join(lines))
                is_full = file.tell() >= self._max_bytes
            if is_full:
                self._rotate()
        except OSError as reason:
            if not self._is_failing:
                _LOG.error("cannot write the access log to %s: %s; serving goes on", self._path, reason)
            self._is_failing = True
            return len(lines)
        self._is_failing = False
        return 0

    def _rotate(self) -> None:
        """Make room for a new file: each older one moves on by one, and the oldest goes."""
        for number in range(self._files - 1, 0, -1):
            older = self._named(number)
            if older.exists():
                older.replace(self._named(number + 1))
        if self._files:
            self._path.replace(self._named(1))
        else:
            self._path.unlink()

    def _named(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def close(self) -> None:
        """Write what is left."""
        if self._pending:
            lines, self._pending = self._pending, []
            self._write(lines)


def access_log(settings: GatewaySettings, metrics: Metrics) -> AccessLog | None:
    """Return the log of a worker, where one is wanted."""
    if settings.access_log == "off":
        return None
    path = DataDir(settings.data_dir).logs / f"access-{settings.worker}.log"
    return AccessLog(path, settings.access_log_bytes, settings.access_log_files, metrics)
