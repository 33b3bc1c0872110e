"""A service of one's own behind the gateway, by the command line and the SDK, on a real platform."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from aimass import Client
from tests.fixtures.backups import until
from tests.fixtures.platform import RunningPlatform, running_platform
from tests.fixtures.upstreams import Server

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d", {"AIMASS_GATEWAY_ALLOW": "127.0.0.1"}) as platform:
        yield platform
    shutil.rmtree(folder)


def test_a_registered_service_answers_until_it_is_stopped(platform: RunningPlatform) -> None:
    server = Server()
    with platform.admin() as admin:
        admin.access.create_workspace(name="Demo", slug="demo")
    with platform.admin("demo") as admin:
        key = admin.access.create_key(name="mine").text
        words = ["register", "geo", f"http://127.0.0.1:{server.port}", "--lease", "3", "--route", "--json"]
        environment = {**os.environ, "AIMASS_URL": platform.url, "AIMASS_KEY": key, "AIMASS_WORKSPACE": "demo"}
        process = subprocess.Popen([sys.executable, "-m", "aimass", *words], env=environment, stdout=subprocess.PIPE)

        def answer(key: str | None = key) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return httpx2.get(f"{platform.url}/s/demo/geo/tiles?x=1", headers=headers)

        until(lambda: answer().status_code == 200)
        assert answer().json()["target"] == "/tiles?x=1"
        assert answer().json()["headers"]["x-aimass-consumer"] == "admin"
        assert answer(None).status_code == 401
        _see_it_outlive_leases(admin)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert json.loads(out)["url"] == f"http://127.0.0.1:{server.port}"
        until(lambda: answer().status_code == 503)
        with admin.register("geo", f"http://127.0.0.1:{server.port}", lease_s=5):
            until(lambda: answer().status_code == 200)
        until(lambda: answer().status_code == 503)
        _kill_without_a_word(platform, admin, server, environment)
    server.stop()


def _see_it_outlive_leases(admin: Client) -> None:
    (first,) = admin.gateway.list_instances(upstream="geo").items
    seen = {first.expires_at}
    until(lambda: seen.add(admin.gateway.list_instances(upstream="geo").items[0].expires_at) or _spread_s(seen) > 6)


def _spread_s(moments: set[object]) -> float:
    found = sorted(moments)  # pyright: ignore[reportArgumentType]
    return (found[-1] - found[0]).total_seconds()  # pyright: ignore[reportOperatorIssue]


def _kill_without_a_word(platform: RunningPlatform, admin: Client, server: Server, environment: dict[str, str]) -> None:
    """A server whose program is killed is gone when its lease is over."""
    words = ["register", "geo", f"http://127.0.0.1:{server.port}", "--lease", "2"]
    process = subprocess.Popen([sys.executable, "-m", "aimass", *words], env=environment, stdout=subprocess.DEVNULL)
    until(lambda: len(admin.gateway.list_instances(upstream="geo").items) == 1)
    process.kill()
    process.wait()
    until(lambda: admin.gateway.list_instances(upstream="geo").items == [])
    assert platform.process.poll() is None
