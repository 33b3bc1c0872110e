"""Messages between a job and the recipe in its sandbox: a JSON head, then the bytes that it announces."""

from __future__ import annotations

import io
import json
import socket
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Signature, parse_signature
from aimass.training.measures.clusters import Points
from aimass.training.measures.relevance import Lists
from aimass.training.recipes.protocol import Table

MAX_HEAD = 16 << 20
MAX_BODY = 8 << 30
_HEAD = struct.Struct(">I")


def send(stream: socket.socket, message: dict[str, Any], *bodies: bytes) -> None:
    """Send one message with its bytes."""
    head = json.dumps({**message, "bodies": [len(body) for body in bodies]}).encode()
    stream.sendall(_HEAD.pack(len(head)) + head)
    for body in bodies:
        stream.sendall(body)


def receive(stream: socket.socket) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the next message and its bytes; None when the other end is gone.

    Raises
    ------
    Invalid
        It is larger than anything that is said here: the other end is not believed.
    """
    size = _exactly(stream, _HEAD.size)
    text = None if size is None else _exactly(stream, _limited(_HEAD.unpack(size)[0], MAX_HEAD))
    if text is None:
        return None
    message = json.loads(text)
    bodies = [_exactly(stream, _limited(int(length), MAX_BODY)) for length in message.pop("bodies")]
    whole = [body for body in bodies if body is not None]
    return (message, whole) if len(whole) == len(bodies) else None


def _limited(size: int, most: int) -> int:
    if not 0 <= size <= most:
        raise Invalid(f"a message of {size} bytes", field="recipe", value=size, allowed=f"at most {most}")
    return size


def _exactly(stream: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = stream.recv(min(size - len(parts), 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)


def packed(array: Any) -> bytes:
    """Return an array of numbers as bytes.

    Examples
    --------
    >>> unpacked(packed([0.5, 1.0])).tolist()
    [0.5, 1.0]
    """
    out = io.BytesIO()
    np.save(out, np.asarray(array), allow_pickle=False)
    return out.getvalue()


def unpacked(body: bytes) -> Any:
    """Return the array of numbers that bytes are; never anything that could run."""
    return np.load(io.BytesIO(body), allow_pickle=False)


def framed(frame: pl.DataFrame) -> bytes:
    """Return columns as bytes (Arrow IPC)."""
    out = io.BytesIO()
    frame.write_ipc(out)
    return out.getvalue()


def unframed(body: bytes) -> pl.DataFrame:
    """Return the columns that bytes are."""
    return pl.read_ipc(io.BytesIO(body))


def told(signature: Signature) -> dict[str, Any]:
    """Return a signature as JSON."""
    return asdict(signature)


def understood(told: dict[str, Any]) -> Signature:
    """Return the signature that JSON tells."""
    return parse_signature(told)


def tabled(table: Table) -> tuple[bytes, bytes]:
    """Return rows as bytes: what is asked, and the truth; of lists their two columns, of clusters nothing to learn from."""
    truth = table.truth
    if isinstance(truth, Lists):
        return framed(table.features), packed(np.column_stack([truth.relevance, truth.lists]))
    return framed(table.features), packed(np.zeros(len(truth)) if isinstance(truth, Points) else truth)


def untabled(features: bytes, truth: bytes) -> Table:
    """Return the rows that bytes are.

    Examples
    --------
    >>> lists = Lists(relevance=np.array([0.0, 2.0]), lists=np.array([1, 1]))
    >>> untabled(*tabled(Table(features=pl.DataFrame({"a": [1, 2]}), truth=lists))).truth.lists.tolist()
    [1, 1]
    >>> labels = np.array([[True, False], [False, True]])
    >>> untabled(*tabled(Table(features=pl.DataFrame({"a": [1, 2]}), truth=labels))).truth.tolist()
    [[True, False], [False, True]]
    """
    found = unpacked(truth)
    is_listed = found.ndim == 2 and found.dtype != bool  # noqa: PLR2004 relevance and list, no sets of labels
    lists = Lists(relevance=found[:, 0], lists=found[:, 1].astype(np.int64)) if is_listed else found
    return Table(features=unframed(features), truth=lists)
