from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aimass.access import Access, CreateKey, CreateService
from aimass.access.domain.keys import ListKeys, OneKey
from aimass.gateway import Gateway, ListConsumers, ListModelRoutes, SetRateLimit
from aimass.gateway.jobs import attention
from aimass.gateway.publish import Publisher, is_gateway
from aimass.infra.database import Database
from aimass.kernel.errors import Forbidden, NotFound, Stale
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.serving import ChangeEndpoint, Serving
from tests.fixtures.gateway import Gateway as Gateway_
from tests.fixtures.gateway import ask, wait_for
from tests.fixtures.packages import oip
from tests.fixtures.rooms import person
from tests.fixtures.stage import ANN, Stage, live, stage

__all__ = ["live", "stage"]


def snapshot(stage: Stage) -> dict[str, object]:
    return json.loads((stage.rooms.folder / "gateway" / "snapshot.json").read_text())


def new_publisher(stage: Stage) -> Publisher:
    rooms = stage.rooms
    return Publisher(rooms.get(Database), rooms.get(Access), rooms.get(Serving), rooms.get(DataDir))


def test_what_did_not_change_is_not_written_again(live: Stage) -> None:
    live.turn()
    publisher = live.rooms.get(Gateway).publisher
    version = publisher.version
    assert not publisher.publish()
    assert publisher.version == version == snapshot(live)["version"]


def test_a_new_control_goes_on_with_the_version_that_was_published(live: Stage) -> None:
    live.turn()
    publisher = new_publisher(live)
    assert publisher.version == snapshot(live)["version"]
    assert not publisher.publish()


def test_the_snapshot_is_readable_by_its_owner_alone(live: Stage) -> None:
    assert (live.rooms.folder / "gateway" / "snapshot.json").stat().st_mode & 0o077 == 0


def test_a_revoked_key_is_refused_within_a_second(live: Stage) -> None:
    assert live.infer().status == 200
    stop = threading.Event()
    loop = threading.Thread(target=lambda: [live.turn() or time.sleep(0.1) for _ in iter(stop.is_set, True)])
    loop.start()
    access = live.rooms.get(Access)
    (key,) = access.list_keys(SYSTEM, ListKeys(workspace="demo")).items
    access.revoke_key(SYSTEM, OneKey(workspace="demo", key=key.id))
    begin = time.monotonic()
    wait_for(lambda: live.infer().status == 401)
    took = time.monotonic() - begin
    stop.set()
    loop.join()
    assert took < 1


def test_a_key_without_use_is_forbidden_and_an_unknown_one_unauthorized(live: Stage) -> None:
    access = live.rooms.get(Access)
    access.create_service(SYSTEM, CreateService(workspace="demo", name="looker", role="viewer"))
    looker = access.create_key(SYSTEM, CreateKey(workspace="demo", name="looker", service="looker")).text
    live.until(lambda: live.infer(key=looker).status == 403)
    assert live.infer(key="aim_" + "x" * 43).status == 401


def test_a_rate_limit_reaches_the_gateway_and_goes_away(live: Stage) -> None:
    gateway = live.rooms.get(Gateway)
    (shop,) = gateway.list_consumers(ANN, ListConsumers(workspace="demo")).items
    assert (shop.rate_per_s, [key.use for key in shop.keys]) == (None, [["*"]])
    limit = SetRateLimit(workspace="demo", consumer=shop.name, rate_per_s=1.0, expected_version=0)
    assert gateway.set_rate_limit(ANN, limit).rate_per_s == 1.0
    live.until(lambda: live.infer().status == 429)
    with pytest.raises(Stale):
        gateway.set_rate_limit(ANN, limit)
    gateway.set_rate_limit(ANN, SetRateLimit(workspace="demo", consumer=shop.name))
    live.until(lambda: [live.infer().status for _ in range(3)] == [200] * 3)


def test_an_endpoint_decides_about_categories_that_the_model_never_saw(live: Stage) -> None:
    assert live.infer({"c0": "gold"}).status == 200
    live.serving.change_endpoint(ANN, ChangeEndpoint(workspace="demo", endpoint="churn", unseen="refuse"))
    live.until(lambda: live.infer({"c0": "gold"}).status == 400)
    refused = live.infer({"c0": "gold"}).json()
    assert (refused["code"], refused["field"], refused["value"]) == ("unseen_category", "c0", "gold")


def test_limits_want_a_consumer_and_the_right_to_edit(live: Stage) -> None:
    gateway = live.rooms.get(Gateway)
    with pytest.raises(NotFound, match="belongs to 'nobody'"):
        gateway.set_rate_limit(ANN, SetRateLimit(workspace="demo", consumer="nobody", rate_per_s=1))
    with pytest.raises(Forbidden):
        gateway.set_rate_limit(person("Eve", "gateway.read"), SetRateLimit(workspace="demo", consumer="shop"))


@pytest.mark.sqlite
def test_inference_goes_on_while_the_database_is_away(live: Stage) -> None:
    before = snapshot(live)
    live.rooms.get(Database).close()
    file = live.rooms.folder / "aimass.db"
    for one in file.parent.glob("aimass.db*"):
        one.rename(one.with_name("gone-" + one.name))
    file.mkdir()
    with pytest.raises(Exception, match="unable to open database file"):
        live.rooms.get(Gateway).publisher.publish()
    assert live.infer().status == 200
    live.gateway.stop()
    live.start_gateway()
    wait_for(lambda: live.infer().status == 200)
    assert snapshot(live) == before


def test_the_gateway_tells_how_far_its_workers_are(live: Stage) -> None:
    gateway = live.rooms.get(Gateway)
    live.until(lambda: all(worker.is_current for worker in gateway.get_gateway(ANN).workers))
    state = gateway.get_gateway(ANN)
    assert (state.snapshot, state.endpoints, state.keys) == (snapshot(live)["version"], 1, 1)
    assert [(worker.worker, worker.loaded, worker.errors) for worker in state.workers] == [("0", 1, [])]
    live.gateway.stop()
    assert gateway.get_gateway(ANN).workers == []


def test_routes_show_addresses_with_their_policies(live: Stage) -> None:
    live.deploy(2, name="canary", weight=10)
    live.ready(2, "canary")
    (route,) = live.rooms.get(Gateway).list_model_routes(ANN, ListModelRoutes(workspace="demo")).items
    assert (route.path, route.timeout_s) == ("/v2/models/churn/infer", 30.0)
    assert [(t.deployment, t.version, t.weight) for t in route.targets] == [("champion", 1, 90), ("canary", 2, 10)]


def test_only_a_gateway_counts_as_one() -> None:
    assert not is_gateway(os.getpid())
    assert not is_gateway(2**22 + 1)


def test_a_broken_status_file_is_passed_over(live: Stage) -> None:
    (live.rooms.folder / "gateway" / "status-9.json").write_text("{")
    assert [status.worker for status in live.rooms.get(Gateway).publisher.workers()] == ["0"]


def test_the_door_of_the_room_loads_no_library(tmp_path: Path) -> None:
    program = (
        "import sys, aimass.gateway; print([m for m in ('sqlalchemy', 'pydantic', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


class SecondWorker(Gateway_):
    """Another worker on the same data directory."""

    def status(self) -> dict[str, Any]:
        try:
            return json.loads((self.data / "gateway" / "status-1.json").read_text())
        except FileNotFoundError:
            return {"snapshot": 0, "port": 0, "pid": 0}


def test_a_change_is_live_on_all_workers_within_a_second(live: Stage) -> None:
    second = SecondWorker(live.rooms.folder, worker=1).start()
    live.until(lambda: len(live.rooms.get(Gateway).get_gateway(ANN).workers) == 2)
    live.deploy(2)
    begin = time.monotonic()
    live.ready(2)
    took = time.monotonic() - begin
    found = {
        ask(one, "POST", "/v2/models/churn/infer", oip(), key=live.key).json()["model_version"]
        for one in (live.gateway, second)
    }
    second.stop()
    assert found == {"2"}
    assert took < 1


def test_workers_that_are_gone_need_somebody_who_may_look_at_them(live: Stage) -> None:
    registry = live.rooms.registry
    assert attention(registry, ANN, "demo") == []
    live.gateway.stop()
    (need,) = attention(registry, ANN, "demo")
    assert (need["title"], need["path"]) == ("no gateway worker runs: no service answers", "/demo/operate/gateway")
    assert attention(registry, person("Sam"), "demo") == []


def test_without_an_endpoint_nobody_misses_a_gateway(stage: Stage) -> None:
    assert attention(stage.rooms.registry, ANN, "demo") == []
