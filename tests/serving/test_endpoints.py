from __future__ import annotations

import asyncio

import pytest

from aimass.infra.live import Listener, LiveHub
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.serving import ChangeEndpoint, CreateEndpoint, DeleteEndpoint, DeployModel, ListEndpoints, OneEndpoint
from aimass.serving.jobs import attention
from tests.fixtures.rooms import person
from tests.fixtures.stage import ANN, Stage


def test_an_endpoint_name_is_a_slug_and_taken_once(stage: Stage) -> None:
    with pytest.raises(Invalid, match="not allowed") as caught:
        stage.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name="Churn 1"))
    assert caught.value.hint == "use 'churn-1'"
    with pytest.raises(Conflict, match="an endpoint 'churn' already"):
        stage.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name="churn"))


def test_a_change_keeps_what_is_not_named(stage: Stage) -> None:
    command = ChangeEndpoint(workspace="demo", endpoint="churn", sample=0.25, timeout_s=2, expected_version=1)
    changed = stage.serving.change_endpoint(ANN, command)
    assert (changed.record.sample, changed.record.payload, changed.timeout_s, changed.version) == (0.25, True, 2, 2)
    with pytest.raises(Stale):
        stage.serving.change_endpoint(ANN, command)


def test_a_deleted_endpoint_answers_no_more_and_frees_its_name(live: Stage) -> None:
    assert live.infer().status == 200
    live.serving.delete_endpoint(ANN, DeleteEndpoint(workspace="demo", endpoint="churn"))
    live.until_gone()
    with pytest.raises(NotFound, match="no endpoint 'churn'"):
        live.endpoint()
    live.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name="churn"))


def test_deploying_a_model_makes_its_endpoint(stage: Stage) -> None:
    command = DeployModel(workspace="demo", model="churn", endpoint="leavers", model_version=2)
    made = stage.serving.deploy_model(ANN, command)
    assert (made.slug, made.main, made.deployments[0].target_version) == ("leavers", "champion", 2)


def test_endpoints_are_listed_by_name_and_model(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name=name))
    first = stage.serving.list_endpoints(ANN, ListEndpoints(workspace="demo", limit=2))
    rest = stage.serving.list_endpoints(ANN, ListEndpoints(workspace="demo", cursor=first.next))
    assert [e.slug for e in [*first.items, *rest.items]] == ["a", "b", "churn"]
    stage.deploy(1)
    found = stage.serving.list_endpoints(ANN, ListEndpoints(workspace="demo", model="churn"))
    assert [e.slug for e in found.items] == ["churn"]


def test_status_counts_the_gateways(live: Stage) -> None:
    status = live.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn"))
    assert (status.state, status.gateways, status.reason) == ("READY", 1, "")


def test_a_deployment_without_any_gateway_is_degraded_and_needs_somebody(live: Stage) -> None:
    live.serving._ground.settings.quiet_s = 0.2
    live.serving._ground.settings.look_s = 0.1
    live.gateway.stop()
    live.until(lambda: live.deployment().state == "DEGRADED")
    assert live.deployment().reason == "no gateway worker is running"
    assert [need["subject"] for need in attention(live.rooms.registry, ANN)] == ["endpoint:churn"]
    assert attention(live.rooms.registry, person("Zoe", "serving.read", workspace="other")) == []


def test_open_pages_see_a_deployment_become_ready(live: Stage) -> None:
    loop = asyncio.new_event_loop()
    listener = Listener(loop)
    live.rooms.get(LiveHub).follow(listener, ["demo/endpoint:churn"])
    loop.close()
    assert listener.waiting[-1]["data"]["state"] == "READY"
