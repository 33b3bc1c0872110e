from __future__ import annotations

import shutil
from dataclasses import asdict

import pytest

from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.serving import ListRevisions, OneDeployment, OneEndpoint
from aimass.serving.jobs import doctor
from tests.fixtures.rooms import Rooms, person
from tests.fixtures.stage import ANN, ROOMS, Stage


def test_a_deployed_version_answers_and_its_revision_says_who_put_it_there(live: Stage) -> None:
    answer = live.answers()
    assert answer.json()["model_version"] == "1"
    (revision,) = live.serving.list_revisions(ANN, ListRevisions(workspace="demo", endpoint="churn")).items
    assert (revision.actor, revision.model_version, revision.state, revision.cause) == ("Ann", 1, "READY", "deploy")
    assert revision.ready_at is not None


def test_nothing_is_ready_before_a_gateway_has_loaded_it(stage: Stage) -> None:
    stage.deploy(1)
    for _ in range(5):
        stage.turn()
    assert stage.deployment().state == "STARTING"


def test_the_same_deployment_again_makes_no_new_revision(live: Stage) -> None:
    live.deploy(1)
    assert live.deployment().target == 1
    live.deploy(2)
    assert live.deployment().target == 2


def test_an_alias_is_followed_when_it_moves(live: Stage) -> None:
    live.alias(1)
    live.deploy(None, alias="champion")
    live.alias(2)
    assert live.serving.follow_alias(ANN, "demo", "churn", "champion") == 1
    live.ready(2)
    assert live.answers().json()["model_version"] == "2"
    assert live.serving.follow_alias(ANN, "demo", "churn", "champion") == 0


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(live: Stage) -> None:
    model = live.rooms.folder / "packages"
    live.deploy(2)
    live.serving.reconciler.run_once()
    (folder,) = [one for one in model.iterdir() if one.name == _digest(live, 2)]
    (folder / "model.onnx").write_bytes(b"no graph")
    live.until(lambda: live.deployment().state == "DEGRADED")
    shown = live.deployment()
    assert shown.served_version == 1
    assert "revision 2 failed: the gateway cannot load it" in shown.reason
    assert {c.type: c.status for c in shown.conditions} == {"Serving": True, "RolledOut": False}
    assert live.answers().json()["model_version"] == "1"
    live.gateway.stop()
    live.start_gateway()
    assert live.answers().json()["model_version"] == "1"


def test_a_control_that_died_in_the_middle_goes_on_where_it_was(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1)
    stage.serving.reconciler.run_once()
    assert stage.deployment().state == "STARTING"
    stage.rooms.close()
    stage.rooms = Rooms(stage.rooms.folder, ROOMS).start()
    stage.ready(1)
    assert stage.answers().json()["model_version"] == "1"
    assert stage.deployment().target == 1


def test_a_revision_that_nobody_loads_in_time_has_failed(stage: Stage) -> None:
    stage.serving._ground.settings.start_timeout_s = 0.2
    stage.serving._ground.settings.look_s = 0.05
    stage.deploy(1)
    stage.until(lambda: stage.deployment().state == "FAILED")
    assert stage.deployment().reason.endswith("it was not loaded within 0.2 s: no gateway worker is running")
    stage.serving._ground.settings.start_timeout_s = 60
    stage.start_gateway()
    stage.serving.start_deployment(ANN, OneDeployment(workspace="demo", endpoint="churn", deployment="champion"))
    stage.ready(1)


def test_a_newer_revision_overtakes_one_that_has_not_started(live: Stage) -> None:
    live.deploy(2)
    live.deploy(3)
    live.ready(3)
    found = live.serving.list_revisions(ANN, ListRevisions(workspace="demo", endpoint="churn")).items
    assert [(one.model_version, one.state) for one in found] == [(3, "READY"), (2, "RETIRED"), (1, "RETIRED")]


def test_a_damaged_package_fails_with_the_reason(stage: Stage) -> None:
    stage.deploy(1)
    shutil.rmtree(stage.rooms.folder / "packages")
    blobs = stage.rooms.folder / "blobs"
    for file in [one for one in blobs.rglob("*") if one.is_file() and one.stat().st_size > 300]:
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1])
    stage.rooms.close()
    stage.rooms = Rooms(stage.rooms.folder, ROOMS).start()
    stage.until(lambda: stage.deployment().state == "FAILED")
    assert "revision 1 failed: its package cannot be used" in stage.deployment().reason
    found, *_ = doctor(stage.rooms.registry)
    assert (found.is_good, "demo/churn champion: revision 1 failed" in found.detail) == (False, True)


def test_deploying_what_is_not_there_says_what_is(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no version 9"):
        stage.deploy(9)
    with pytest.raises(NotFound, match="no alias 'champion'"):
        stage.deploy(None)
    with pytest.raises(NotFound, match="no model 'nobody'"):
        stage.deploy(1, model="nobody")
    with pytest.raises(Invalid, match="an alias and a version"):
        stage.deploy(1, alias="champion")


def test_a_python_package_is_refused_inside_the_gateway(stage: Stage) -> None:
    with pytest.raises(Invalid, match="cannot run inside the gateway") as caught:
        stage.deploy(1, model="scikit", placement="inline")
    assert caught.value.allowed == ["auto", "isolated"]


def test_a_stopped_deployment_hands_its_traffic_over_and_starts_again(live: Stage) -> None:
    live.deploy(2, name="canary", weight=30)
    live.ready(2, "canary")
    one = OneDeployment(workspace="demo", endpoint="churn", deployment="canary")
    live.serving.stop_deployment(ANN, one)
    assert dict(live.endpoint().traffic.weights) == {"champion": 100, "canary": 0}
    assert live.deployment("canary").state == "STOPPED"
    live.serving.start_deployment(ANN, one)
    live.ready(2, "canary")


def test_a_deployment_with_traffic_is_not_removed(live: Stage) -> None:
    live.deploy(2, name="canary", weight=10)
    one = OneDeployment(workspace="demo", endpoint="churn", deployment="canary")
    with pytest.raises(Conflict, match="gets 10 % of the traffic"):
        live.serving.remove_deployment(ANN, one)
    live.serving.stop_deployment(ANN, one)
    live.serving.remove_deployment(ANN, one)
    assert [d.name for d in live.endpoint().deployments] == ["champion"]


def test_a_grant_on_one_endpoint_is_enough_for_it(stage: Stage) -> None:
    eve = person("Eve", "serving.read")
    with pytest.raises(Forbidden):
        stage.serving.stop_deployment(eve, OneDeployment(workspace="demo", endpoint="churn", deployment="champion"))
    assert stage.serving.get_endpoint(eve, OneEndpoint(workspace="demo", endpoint="churn")).state == "STOPPED"


def _digest(stage: Stage, version: int) -> str:
    found = stage.serving.list_revisions(ANN, ListRevisions(workspace="demo", endpoint="churn")).items
    return next(one.digest for one in found if one.model_version == version)


def test_what_a_deploy_does_not_name_stays_as_it_is(stage: Stage) -> None:
    wish = {"placement": "isolated", "isolation": "process", "network": True, "device": "cpu"}
    stage.deploy(1, **wish)
    before = stage.deployment()
    stage.deploy(1, pinned=True)
    after = stage.deployment()
    assert (after.placement, after.target) == ("isolated", before.target)
    assert asdict(after.options) == {**asdict(before.options), "pinned": True}
    assert {name: getattr(after.options, name) for name in ("isolation", "network", "device")} == {
        "isolation": "process",
        "network": True,
        "device": "cpu",
    }
    stage.deploy(1, placement="auto", isolation="auto")
    assert (stage.deployment().placement, stage.deployment().options.isolation) == ("auto", "auto")
