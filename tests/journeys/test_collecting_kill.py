"""A platform that collects by itself is killed in the middle, control alone or everything: each reading lands once."""

from __future__ import annotations

import contextlib
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aimass import Client
from aimass.kernel.errors import AimassError
from tests.fixtures.brokers import Broker, mosquitto, needs_mosquitto
from tests.fixtures.platform import RunningPlatform, running_platform
from tests.fixtures.story import none_left, processes_of
from tests.fixtures.writers import writing

pytestmark = [pytest.mark.long, pytest.mark.timeout(400), needs_mosquitto]

READINGS, KILLS = 4_000, 8
LOOPBACK = {"AIMASS_COLLECTOR_LOOPBACK": "true"}


@pytest.fixture
def stage() -> Iterator[tuple[RunningPlatform, Broker]]:
    with tempfile.TemporaryDirectory(prefix="am") as name, mosquitto(Path(name) / "broker") as broker:
        with running_platform(Path(name) / "d", LOOPBACK) as platform:
            yield platform, broker
        assert none_left(platform.data_dir) == []


def follow(client: Client, broker: Broker) -> str:
    """Let the readings be collected once a second; return the name of their source when the broker keeps what comes."""
    client.access.create_workspace(name="lab", review="auto")
    client.collector.create_connection(name="Broker", connector="mqtt", parameters={"url": broker.url})
    columns = [
        {"name": name, "type": kind} for name, kind in (("n", "integer"), ("v", "integer"), ("device", "string"))
    ]
    wish = {"stream": "site/{site}/{device}", "name": "readings", "columns": columns}
    (source,) = client.collector.collect_streams(connection="broker", streams=[wish], into="append", every_s=1)
    until(lambda: client.collector.list_collections(source=source.slug, state="SUCCEEDED").items, 60)
    return source.slug


def until(is_so: object, within_s: float) -> None:
    """Wait; a platform that is down for a moment is asked again."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with contextlib.suppress(AimassError, OSError):
            if is_so():  # type: ignore[operator]
                return
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s:g} s")


def kill(platform: RunningPlatform, who: str) -> None:
    """Kill control, which is started again by itself, or all that runs, which somebody starts again."""
    found = [one for one in processes_of(platform.data_dir) if "aimass.bootstrap.control" in " ".join(one.cmdline())]
    if who == "control":
        for one in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        return
    platform.process.kill()
    platform.stop()
    platform.start_again()


def test_readings_land_once_through_kills_of_control_and_of_everything(stage):
    platform, broker = stage
    chance = random.Random(11)
    with platform.admin("lab") as client:
        follow(client, broker)
    kills = 0
    with writing("device", broker.port, READINGS, 0, 0.01) as device:
        for number in range(KILLS):
            time.sleep(chance.uniform(0.5, 4))
            if device.poll() is None:
                kill(platform, "everything" if number % 4 == 3 else "control")
                kills += 1
        device.wait(120)
    with platform.admin("lab") as client:

        def numbers() -> list[int]:
            return sorted(client.query("SELECT n FROM readings").to_polars()["n"].to_list())

        until(lambda: len(numbers()) >= READINGS, 90)
        assert numbers() == list(range(READINGS)), "no key, no merge: each message is one row"
    assert kills >= KILLS - 2
