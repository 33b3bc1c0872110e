"""The public port: opened by one process, served by others, and closed without losing a client."""

from __future__ import annotations

import ctypes
import socket
import sys

from aimass.kernel.errors import Conflict

_SO_ATTACH_FILTER = 26
_DROP_NEW_CLIENTS = (
    (0x30, 0, 0, 13),  # load the byte of the TCP flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone: a new client
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # let everything else through
)


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def open_listener(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """Bind a port without listening on it yet; several workers of one platform may share it.

    Raises
    ------
    Conflict
        The port or the address cannot be used.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as reason:
        listener.close()
        raise Conflict(
            f"port {port} on {host} cannot be used: {reason.strerror}",
            field="port",
            value=port,
            hint="stop the other program, or choose another port",
        ) from reason
    listener.setblocking(False)
    return listener


def turn_away(listener: socket.socket) -> bool:
    """Let no new client come to a port that is about to be closed; say whether the system can do that (Linux).

    Closing a port resets the clients that have come and were not accepted yet. When the kernel drops the first packet
    of every new one, those can be accepted before the port is closed; a new one finds it closed when it asks again.
    """
    if sys.platform != "linux":
        return False
    count = len(_DROP_NEW_CLIENTS)
    program = _Program(count, (_Instruction * count)(*(_Instruction(*one) for one in _DROP_NEW_CLIENTS)))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))
    except OSError:
        return False
    return True
