"""kill -9 of gateway, control and supervisor while an isolated model serves: it goes on, and nobody is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from aimass import Client
from aimass.kernel.errors import AimassError, Unavailable
from tests.fixtures.gateway import wait_for
from tests.fixtures.packages import INPUTS, packages
from tests.fixtures.platform import RunningPlatform, running_platform, upload_model

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def serve_isolated(admin: Client) -> str:
    """Upload a model, let its review approve it, and serve it from a process of its own; return a key to call it."""
    admin.access.create_workspace(name="lab", slug="lab", review="auto")
    upload_model(admin, packages()["one"])
    wait_for(lambda: admin.models.get_version(workspace="lab", model="churn", number=1).review == "APPROVED", within=90)
    admin.serving.create_endpoint(workspace="lab", name="churn")
    admin.serving.deploy(workspace="lab", endpoint="churn", model="churn", model_version=1, placement="isolated")
    wait_for(lambda: status(admin).state == "READY", within=90)
    return admin.access.create_key(workspace="lab", name="shop", scopes=["serving.use"]).text


def status(admin: Client) -> Any:
    return admin.serving.get_status(workspace="lab", endpoint="churn")


def present(admin: Client) -> list[int]:
    """Return the processes of the model, as far as control answers."""
    try:
        return [replica.pid for replica in status(admin).replicas]
    except Unavailable:
        return []


def process_of(platform: RunningPlatform, role: str) -> psutil.Process:
    (found,) = [p for p in psutil.Process(platform.process.pid).children() if role in " ".join(p.cmdline())]
    return found


def test_an_isolated_model_outlives_gateway_and_control_and_ends_with_the_supervisor(platform: RunningPlatform) -> None:
    with ExitStack() as stack:
        admin = stack.enter_context(platform.admin())
        key = serve_isolated(admin)
        worker = status(admin).replicas[0].pid
        caller = stack.enter_context(Client(platform.url, key=key, workspace="lab"))

        def answers() -> bool:
            try:
                return bool(caller.predict("churn", [INPUTS]))
            except (AimassError, OSError):
                return False

        wait_for(answers, within=30)
        control = process_of(platform, "bootstrap.control")
        control.kill()
        control.wait(10)
        assert all(answers() for _ in range(20)), "control is not needed to answer"
        process_of(platform, "gateway.plane").kill()
        wait_for(answers, within=60)
        wait_for(lambda: present(admin) == [worker], within=60)
    below = psutil.Process(platform.process.pid).children(recursive=True)
    os.kill(platform.process.pid, signal.SIGKILL)
    platform.process.wait()
    _, left = psutil.wait_procs(below, 20)
    assert [process.cmdline() for process in left] == []
