"""How workers of their own are kept: what a deployment may ask for, and where it is said."""

from __future__ import annotations

from typing import Any

import pytest

from aimass.kernel.errors import Invalid, Unavailable
from aimass.serving import OneEndpoint
from aimass.serving.jobs import doctor
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.stage import ANN, Stage


def found_by_doctor(stage: Stage) -> Any:
    return next(finding for finding in doctor(stage.rooms.registry) if finding.name == "isolation")


@needs_bubblewrap
def test_the_status_of_a_service_says_how_its_workers_are_kept(stage: Stage) -> None:
    assert found_by_doctor(stage).detail == "models that run code are kept in a sandbox (bubblewrap)"
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, isolation="sandbox")  # an ONNX package, which would run in the gateway
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    (replica,) = stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn")).replicas
    assert (replica.is_up, replica.isolation, replica.isolation_reason) == (True, "sandbox", "")
    assert stage.answers().status == 200
    stage.deploy(1, isolation="process", placement="isolated")
    stage.until(lambda: (one := stage.deployment()).state == "READY" and one.revision == one.target, within=60)
    found = stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn")).replicas
    newest = max(found, key=lambda one: one.revision)
    assert (newest.isolation, newest.isolation_reason) == ("process", "its deployment asks for no more")


def test_a_sandbox_that_is_not_there_is_refused_with_the_reason(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="there is none: bubblewrap is not installed") as refused:
        stage.deploy(1, model="scikit", isolation="sandbox")
    assert (refused.value.field, refused.value.value) == ("isolation", "sandbox")
    finding = found_by_doctor(stage)
    assert finding.is_good
    assert finding.detail.startswith("process only, because bubblewrap is not installed")
    stage.serving._ground.settings.sandbox = "require"
    assert not found_by_doctor(stage).is_good
    with pytest.raises(Invalid, match="no worker without a sandbox"):
        stage.deploy(1, model="scikit", isolation="process")


def test_what_runs_in_the_gateway_has_no_sandbox(stage: Stage) -> None:
    with pytest.raises(Invalid, match="what runs inside the gateway has no sandbox"):
        stage.deploy(1, isolation="sandbox", placement="inline")
