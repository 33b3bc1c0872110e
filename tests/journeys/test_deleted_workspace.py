"""A workspace is deleted while it serves, trains and waits for the clock: nothing of it goes on."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass import Client
from aimass.kernel.errors import AimassError
from tests.fixtures.backups import QUICK, ROW, SLOW, until
from tests.fixtures.platform import RunningPlatform, running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
TABLE = "\n".join(
    ["plan,paid,left"]
    + [f"{('basic', 'plus')[n % 2]},{20 + n % 9}.5,{('Yes', 'No')[(n % 2) == (n % 7 == 0)]}" for n in range(240)]
)


@pytest.fixture
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)


def busy(platform: RunningPlatform, workspace: str) -> tuple[str, str]:
    """Let a workspace serve, have a schedule of each minute, and train; return a key and the run."""
    with platform.admin(workspace) as admin:
        admin.access.create_workspace(name=workspace, review="auto")
        admin.access.create_service(name="builder", role="admin")
        key = admin.access.create_key(name="builder", service="builder").text
    path = platform.data_dir / "logs" / "small.csv"
    path.write_text(TABLE)
    with Client(platform.url, key=key, workspace=workspace) as client:
        client.collect(path, "small")
        client.release(dataset="small", target="left", model="small", endpoint="small", parameters=QUICK)
        client.messaging.create_topic(topic="ticks")
        client.messaging.create_schedule(name="Tick", cron="* * * * *", message={"topic": "ticks"})
        order = {"dataset": "small", "target": "left", "model": "other", "endpoint": "other", **SLOW}
        client.lifecycle.create_pipeline(name="other", template="release", parameters=order)
        return key, client.lifecycle.start_run(pipeline="other").id


def answers(platform: RunningPlatform, key: str, workspace: str) -> bool:
    with Client(platform.url, key=key, workspace=workspace) as client, contextlib.suppress(AimassError):
        return bool(client.predict("small", [ROW])[0].outputs)
    return False


def rows(platform: RunningPlatform, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(platform.data_dir / "aimass.db")) as file:
        return file.execute(query).fetchall()


def test_nothing_of_a_deleted_workspace_serves_runs_or_fires(platform: RunningPlatform) -> None:
    keys = {workspace: busy(platform, workspace)[0] for workspace in ("stays", "goes")}
    assert [answers(platform, key, workspace) for workspace, key in keys.items()] == [True, True]
    until(lambda: rows(platform, "select 1 from cluster_jobs where workspace = 'goes' and state = 'RUNNING'"))
    with platform.admin("goes") as admin:
        personal = admin.access.create_key(name="mine").text
        admin.access.delete_workspace()
    until(lambda: not answers(platform, keys["goes"], "goes"))
    assert not answers(platform, personal, "goes")
    open_ = "select id from {} where workspace = 'goes' and state in ('QUEUED', 'RUNNING')"
    until(
        lambda: not rows(platform, open_.format("cluster_jobs")) and not rows(platform, open_.format("lifecycle_runs"))
    )
    fired = "select runs from messaging_schedules where workspace = '{}'"
    before, others = rows(platform, fired.format("goes")), rows(platform, fired.format("stays"))
    until(lambda: rows(platform, fired.format("stays")) > others, limit_s=180)
    assert rows(platform, fired.format("goes")) == before
    assert answers(platform, keys["stays"], "stays")
    with platform.admin() as admin:
        assert admin.access.restore_workspace(deleted="goes").slug == "goes"
    until(lambda: answers(platform, keys["goes"], "goes"), why="the restored workspace does not serve")
