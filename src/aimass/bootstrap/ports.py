"""The ports of a platform: the public one, and that of gRPC, which may be off."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.util import find_spec

from aimass.bootstrap.settings import PlatformSettings
from aimass.kernel.errors import Conflict, MissingExtra

OFF = -1


def check_port(host: str, port: int, option: str = "--port") -> None:
    """Refuse a port that somebody else holds.

    Raises
    ------
    Conflict
        The port is taken.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as reason:
            raise Conflict(
                f"port {port} on {host} is taken", value=port, hint=f"choose another one with {option}"
            ) from reason


@dataclass(frozen=True, slots=True)
class RpcPort:
    """The port of gRPC, or -1 where it is off; and a sentence about it."""

    port: int
    sentence: str


NO_RPC = RpcPort(OFF, "gRPC is off")


def wanted_rpc(settings: PlatformSettings) -> RpcPort:
    """Find out whether gRPC is wanted and installed.

    Raises
    ------
    MissingExtra
        Its port was named, and it is not installed.
    """
    if settings.grpc_port == 0:
        return NO_RPC
    if find_spec("grpc") is None:
        missing = MissingExtra("grpc")
        if settings.grpc_is_named:
            raise missing
        return RpcPort(OFF, f"gRPC is off; to have it: {missing.hint}")
    return RpcPort(settings.grpc_port, f"gRPC: {settings.host}:{settings.grpc_port}")


def rpc_port(settings: PlatformSettings) -> RpcPort:
    """Find out whether gRPC can be served, and where.

    Raises
    ------
    MissingExtra
        Its port was named, and it is not installed.
    Conflict
        Its port was named, and is taken.
    """
    found = wanted_rpc(settings)
    if found.port == OFF:
        return found
    try:
        check_port(settings.host, found.port, "--grpc-port")
    except Conflict:
        if settings.grpc_is_named:
            raise
        return RpcPort(OFF, f"gRPC is off: port {found.port} is taken; choose another one with --grpc-port")
    return found
