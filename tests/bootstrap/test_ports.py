"""The port of gRPC: on where it can be, off without a fuss where it cannot, and a clear word where it was asked for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from aimass.bootstrap.ports import rpc_port
from aimass.bootstrap.settings import PlatformSettings, read_settings
from aimass.kernel.errors import Conflict, MissingExtra
from tests.fixtures.gateway import wait_for
from tests.fixtures.platform import free_port

INSTALL = "pip install 'aimass[grpc]'"


@contextmanager
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def settings(port: int, *, named: bool) -> PlatformSettings:
    return PlatformSettings(data_dir=Path("nowhere"), grpc_port=port, grpc_is_named=named)


def test_a_free_port_is_used() -> None:
    port = free_port()
    found = rpc_port(settings(port, named=False))
    assert (found.port, found.sentence) == (port, f"gRPC: 127.0.0.1:{port}")


def test_a_port_that_is_taken_turns_it_off_unless_it_was_named() -> None:
    with taken() as port:
        found = rpc_port(settings(port, named=False))
        assert (found.port, "--grpc-port" in found.sentence) == (-1, True)
        with pytest.raises(Conflict, match=f"port {port}") as caught:
            rpc_port(settings(port, named=True))
    assert "--grpc-port" in caught.value.hint


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert rpc_port(settings(free_port(), named=False)).sentence == f"gRPC is off; to have it: {INSTALL}"
    with pytest.raises(MissingExtra) as caught:
        rpc_port(settings(free_port(), named=True))
    assert caught.value.hint == INSTALL


@pytest.mark.parametrize(("port", "named", "expected"), [(8800, None, 8801), (65535, None, 0), (0, None, 0), (1, 5, 5)])
def test_it_is_the_port_after_the_public_one(
    monkeypatch: pytest.MonkeyPatch, port: int, named: int | None, expected: int
) -> None:
    monkeypatch.delenv("AIMASS_GRPC_PORT", raising=False)
    assert read_settings(None, None, port, named).grpc_port == expected


def test_a_platform_serves_it_and_says_where() -> None:
    port, grpc_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="am") as folder:
        command = [sys.executable, "-m", "aimass", "up", "--data-dir", f"{folder}/d"]
        said = Path(folder) / "said"
        with said.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--port", str(port), "--grpc-port", str(grpc_port)], stdout=out, stderr=out, env=os.environ
            )
        try:
            wait_for(lambda: f"gRPC: 127.0.0.1:{grpc_port}" in said.read_text(), within=90, process=process, log=said)
            with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
                assert live(b"", timeout=30, wait_for_ready=True) == b"\x08\x01"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
