from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import skops.io

from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import Gateway, deployment, endpoint, onnx_of, snapshot, trained, write_package


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two ONNX packages that answer differently, and one for the Python runtime."""
    root = tmp_path_factory.mktemp("packages")
    first, second = trained(0), trained(4)
    python = skops.io.dumps(trained(0, ("c0", "c1", "c2", "c3")))
    return {
        "one": write_package(root / "one", "model.onnx", onnx_of(first)),
        "two": write_package(root / "two", "model.onnx", onnx_of(second)),
        "python": write_package(root / "python", "model.skops", python, runtime="python"),
    }


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short directory: the path of a Unix socket has at most 107 letters."""
    folder = Path(tempfile.mkdtemp(prefix="gw"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def control(short: Path, request: pytest.FixtureRequest) -> Iterator[ControlServer]:
    server = ControlServer(short / f"{abs(hash(request.node.name)) % 10**8}.sock").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(
    packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, control: ControlServer
) -> Iterator[Gateway]:
    """One gateway for all tests of a module that change nothing."""
    gateway = Gateway(tmp_path_factory.mktemp("data"), series_flush_s=0.2)
    gateway.control_socket = str(control.path)
    gateway.publish(
        snapshot(
            1,
            endpoint("churn", deployment(packages["one"])),
            endpoint("other", deployment(packages["two"], "other", version=3)),
            control_socket=str(control.path),
        )
    )
    gateway.start()
    yield gateway
    if gateway.process is not None:
        gateway.stop()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of its own, not started yet."""
    gateway = Gateway(tmp_path / "data")
    yield gateway
    if gateway.process is not None:
        gateway.stop(signal.SIGKILL)
