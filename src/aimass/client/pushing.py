"""Push rows to a source: in parts that the platform takes, each sent again until it is safe, and stored once."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aimass.client.request import API
from aimass.kernel.errors import AimassError, Invalid, TooMany, Unavailable

CHUNK_ROWS = 10_000
CHUNK_BYTES = 4 * 2**20
FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What the platform has on disk.

    Attributes
    ----------
    ids
        The name of each part.
    repeated
        Rows among them that had come before under the same key, and were not stored again.
    """

    rows: int
    ids: tuple[str, ...]
    repeated: int = 0


def push_to(
    client: Any, source: str, rows: Iterable[Mapping[str, Any] | bytes] | Path, *, key: str | None, timeout_s: float
) -> Pushed:
    """Send rows to a source of the client's workspace."""
    pusher, transport = _pusher(client, source, timeout_s), client.transport
    for part in pusher.parts(rows, key):
        pause = FIRST_PAUSE_S
        while True:
            try:
                pusher.take(transport.send("POST", pusher.path, **part).json())
                break
            except (TooMany, Unavailable) as reason:
                time.sleep(pusher.wait(reason, pause))
                pause = min(_LONGEST_PAUSE_S, 2 * pause)
    return pusher.done()


async def push_async(
    client: Any, source: str, rows: Iterable[Mapping[str, Any] | bytes] | Path, *, key: str | None, timeout_s: float
) -> Pushed:
    """Do the same for asyncio; other coroutines go on while a part is on its way, or waits to be sent again."""
    pusher, transport = _pusher(client, source, timeout_s), client.transport
    for part in pusher.parts(rows, key):
        pause = FIRST_PAUSE_S
        while True:
            try:
                pusher.take((await transport.send("POST", pusher.path, **part)).json())
                break
            except (TooMany, Unavailable) as reason:
                await asyncio.sleep(pusher.wait(reason, pause))
                pause = min(_LONGEST_PAUSE_S, 2 * pause)
    return pusher.done()


def _pusher(client: Any, source: str, timeout_s: float) -> _Pusher:
    path = f"{API}/workspaces/{quote(str(client.workspace), safe='')}/sources/{quote(source, safe='')}/push"
    return _Pusher(path=path, end=time.monotonic() + timeout_s)


@dataclass(slots=True, kw_only=True)
class _Pusher:
    """Rows on their way to one source until a moment, and what is on disk there."""

    path: str
    end: float
    rows: int = 0
    repeated: int = 0
    ids: list[str] = field(default_factory=list[str])

    def parts(self, rows: Iterable[Mapping[str, Any] | bytes] | Path, key: str | None) -> Iterator[dict[str, Any]]:
        """Yield the requests; the key of each makes it safe to send it again when the answer is lost, or the inbox is full."""
        name = key or uuid4().hex
        lines = lines_in(rows) if isinstance(rows, Path) else map(_line, rows)
        for number, part in enumerate(_parts(lines)):
            headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
            headers["Idempotency-Key"] = f"{name}/{number}"
            yield {"content": gzip.compress(part, 1, mtime=0), "headers": headers}

    def take(self, answer: Mapping[str, Any]) -> None:
        """Count what the platform has on disk."""
        self.rows += answer["rows"]
        self.repeated += answer["rows"] if answer["repeated"] else 0
        self.ids.append(answer["id"])

    def wait(self, reason: AimassError, pause: float) -> float:
        """Return how long to wait before a part is sent again: as long as the platform asks for, and else some time.

        Raises
        ------
        AimassError
            The reason itself, when the time would be over by then.
        """
        asked = getattr(reason, "retry_after_s", None)
        seconds = max(pause, asked or 0.0)
        if time.monotonic() + seconds > self.end:
            raise reason
        return seconds

    def done(self) -> Pushed:
        """Tell what is on disk."""
        return Pushed(rows=self.rows, ids=tuple(self.ids), repeated=self.repeated)


def lines_in(path: Path) -> Iterator[bytes]:
    """Yield the objects of a file: NDJSON as it is, a JSON document one by one.

    Raises
    ------
    Invalid
        The document is neither an object nor a list of objects.
    """
    with path.open("rb") as file:
        first = file.read(1)
        file.seek(0)
        if first != b"[":
            yield from (line for line in file if line.strip())
            return
        try:
            found = json.load(file)
        except ValueError as reason:
            raise Invalid(f"{path.name!r} is no JSON: {reason}", field="path", value=path.name) from None
    yield from map(_line, found)


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line if line.endswith(b"\n") else line + b"\n")
        size += len(line)
        if len(held) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _line(row: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(row, bytes):
        return row
    if not isinstance(row, Mapping):
        raise Invalid("a row is no object", field="rows", value=type(row).__name__, allowed="a dictionary")
    try:
        return json.dumps(dict(row), ensure_ascii=False, allow_nan=False, default=_written).encode()
    except ValueError as reason:
        raise Invalid(f"a row cannot be written: {reason}", field="rows", hint="None is a missing value") from None


def _written(value: Any) -> str:
    """Write what JSON has no form for: moments by ISO 8601, decimals and others as text."""
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
