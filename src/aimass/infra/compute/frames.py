"""JSON messages on a stream: four bytes of length (big-endian), then the text."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct(">I")


def send(stream: socket.socket, message: dict[str, Any]) -> None:
    """Send one message whole."""
    body = json.dumps(message).encode()
    stream.sendall(_HEAD.pack(len(body)) + body)


def receive(stream: socket.socket) -> dict[str, Any] | None:
    """Return the next message, or None when the other end is gone."""
    head = _exactly(stream, _HEAD.size)
    body = None if head is None else _exactly(stream, _HEAD.unpack(head)[0])
    return None if body is None else json.loads(body)


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
