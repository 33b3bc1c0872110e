"""From no worker to two under load and back to none, through a real platform: no request fails on the way."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from aimass import Client
from aimass.kernel.errors import AimassError
from tests.fixtures.gateway import wait_for
from tests.fixtures.packages import INPUTS, packages
from tests.fixtures.platform import RunningPlatform, running_platform, upload_model

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
QUICK = {"AIMASS_SERVING_SCALE_UP_S": "1", "AIMASS_SERVING_SCALE_DOWN_S": "2"}
ASLEEP = {"min": 0, "max": 2, "target": 1, "idle_s": 1}
ROWS = [INPUTS] * 2000
CALLERS = 6
CHURN = {"workspace": "lab", "endpoint": "churn"}


@pytest.fixture
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d", QUICK) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def status(admin: Client) -> Any:
    return admin.serving.get_status(**CHURN)


def up(admin: Client) -> list[int]:
    return [one.replica for one in status(admin).replicas if one.is_up]


def review(admin: Client) -> str:
    return admin.models.get_version(workspace="lab", model="churn", number=1).review


def serve(admin: Client, url: str) -> str:
    """Serve a model that runs code, from as many processes as are needed; return a key to call it."""
    admin.access.create_workspace(name="lab", slug="lab")
    admin.access.create_service(workspace="lab", name="author", role="editor")
    written = admin.access.create_key(workspace="lab", name="author", service="author").text
    with Client(url, key=written, workspace="lab") as author:
        upload_model(author, packages()["python"])
    wait_for(lambda: review(admin) not in ("SUBMITTED", "SCANNING"), within=90)
    admin.models.approve(workspace="lab", model="churn", number=1)
    admin.serving.create_endpoint(workspace="lab", name="churn")
    admin.serving.deploy(**CHURN, model="churn", model_version=1, execution="threads", replicas=ASLEEP)
    wait_for(lambda: status(admin).state == "READY", within=90)
    return admin.access.create_key(workspace="lab", name="shop", scopes=["serving.use"]).text


@contextmanager
def load(ask: Callable[[], Any]) -> Iterator[tuple[list[int], list[AimassError]]]:
    """Ask from several callers at once; give how often each was answered, and what went wrong."""
    over, answered, wrong = threading.Event(), [0] * CALLERS, list[AimassError]()

    def call(number: int) -> None:
        while not over.is_set():
            try:
                assert len(ask()) == len(ROWS)
                answered[number] += 1
            except AimassError as error:
                wrong.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield answered, wrong
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_workers_come_with_the_load_and_go_with_it_without_a_failed_request(platform: RunningPlatform) -> None:
    with ExitStack() as stack:
        admin = stack.enter_context(platform.admin())
        caller = stack.enter_context(Client(platform.url, key=serve(admin, platform.url), workspace="lab"))
        wait_for(lambda: not status(admin).replicas, within=60)
        with load(lambda: caller.predict("churn", ROWS)) as (answered, wrong):
            wait_for(lambda: up(admin) == [0, 1], within=90)
            wait_for(lambda: all(one.in_flight for one in status(admin).replicas), within=60)
            before = list(answered)
            wait_for(lambda: all(now > then for now, then in zip(answered, before, strict=True)), within=60)
        assert [str(error) for error in wrong] == []
        wait_for(lambda: not status(admin).replicas, within=90)
        assert status(admin).state == "READY"
        assert len(caller.predict("churn", [INPUTS])) == 1
        found = [(one.before, one.after) for one in reversed(admin.serving.list_scalings(**CHURN).items)]
        assert found[0] == (1, 0)
        assert all(one[1] == two[0] for one, two in pairwise(found))
        assert [*found[1:3], *found[-3:]] == [(0, 1), (1, 2), (2, 1), (1, 0), (0, 1)]
        text = admin.transport.http.get("/metrics").text
        whose = '{deployment="champion",endpoint="churn",workspace="lab"}'
        assert f"aimass_gateway_cold_start_seconds_count{whose} 2" in text.splitlines()
