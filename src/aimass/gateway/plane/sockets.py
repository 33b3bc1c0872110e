"""What the kernel knows about a connection."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import sys
import termios

_INT = struct.Struct("i")
_PIECE = 64 * 1024


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes the client has not taken yet: ours, and those in the kernel (Linux; elsewhere only ours).

    The kernel asks for more only when a third of its own buffer is free, which may be a megabyte: a client that reads
    slowly shows in the kernel's buffer long before it shows in ours.
    """
    ours = transport.get_write_buffer_size()
    if sys.platform != "linux":
        return ours
    try:
        answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, _INT.pack(0))
    except (OSError, ValueError):
        return ours
    return ours + _INT.unpack(answer)[0]


def write_in_pieces(transport: asyncio.Transport, data: bytes) -> None:
    """Write under TLS: of one large piece such a transport counts nothing, and it never says that the client is slow."""
    view = memoryview(data)
    for start in range(0, len(data), _PIECE):
        transport.write(view[start : start + _PIECE])
