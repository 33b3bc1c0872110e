"""Push rows to a source: in parts that the platform takes, each sent again until it is safe, and stored once."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aimass.client.request import API
from aimass.client.transport import Transport
from aimass.kernel.errors import Invalid, TooMany, Unavailable

CHUNK_ROWS = 10_000
CHUNK_BYTES = 4 * 2**20
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
    path = f"{API}/workspaces/{quote(str(client.workspace), safe='')}/sources/{quote(source, safe='')}/push"
    return _Pusher(transport=client.transport, path=path, end=time.monotonic() + timeout_s).push(
        rows, key or uuid4().hex
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pusher:
    """Sends rows to one source until a moment."""

    transport: Transport
    path: str
    end: float

    def push(self, rows: Iterable[Mapping[str, Any] | bytes] | Path, key: str) -> Pushed:
        taken = repeated = 0
        ids: list[str] = []
        lines = lines_in(rows) if isinstance(rows, Path) else map(_line, rows)
        for number, part in enumerate(_parts(lines)):
            answer = self._sent(part, f"{key}/{number}")
            taken += answer["rows"]
            repeated += answer["rows"] if answer["repeated"] else 0
            ids.append(answer["id"])
        return Pushed(rows=taken, ids=tuple(ids), repeated=repeated)

    def _sent(self, part: bytes, key: str) -> dict[str, Any]:
        """Send one part; its key makes it safe to send it again when the answer is lost, or the inbox is full."""
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Idempotency-Key": key}
        packed, pause = gzip.compress(part, 1, mtime=0), 0.25
        while True:
            try:
                return self.transport.send("POST", self.path, content=packed, headers=headers).json()
            except (TooMany, Unavailable):
                if time.monotonic() + pause > self.end:
                    raise
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, 2 * pause)


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
