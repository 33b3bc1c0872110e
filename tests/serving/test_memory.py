"""What control says of models in the gateway's memory: pins, what is loaded, and what is too large."""

from __future__ import annotations

from typing import Any

import pytest

from aimass.kernel.errors import Invalid
from aimass.serving import OneEndpoint
from tests.fixtures.stage import ANN, Stage


def memory(stage: Stage) -> Any:
    status = stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn"))
    return next(iter(status.memory), None)


def test_status_shows_what_is_in_memory_and_a_pin_is_followed_without_a_new_revision(live: Stage) -> None:
    live.until(lambda: (found := memory(live)) is not None and found.loaded == found.gateways == 1)
    assert memory(live).memory_bytes > 0
    before = live.deployment()
    live.deploy(1, pinned=True)
    assert live.deployment().options.pinned
    assert live.deployment().target == before.target
    live.applied()
    index = {"name": "churn", "version": "1", "state": "READY"}
    live.until(lambda: _pinned(live) == {**index, "pinned": True})
    live.deploy(1, pinned=False)
    live.until(lambda: _pinned(live) == {**index, "pinned": False})
    assert live.answers().status == 200


def _pinned(stage: Stage) -> dict[str, Any]:
    from tests.fixtures.gateway import ask

    (entry,) = ask(stage.gateway, "POST", "/v2/repository/index", {}, key=stage.key).json()
    return {**{name: entry[name] for name in ("name", "version", "state")}, "pinned": entry["parameters"]["pinned"]}


def test_after_a_restart_of_the_gateway_it_is_loaded_when_it_is_asked_for(live: Stage) -> None:
    live.applied()
    live.until(lambda: memory(live) is not None)
    live.gateway.stop()
    live.start_gateway()
    live.until(lambda: memory(live) is not None and memory(live).loaded == 0)
    assert live.answers().status == 200
    live.until(lambda: memory(live).loaded == 1)


def test_a_model_larger_than_the_memory_for_models_is_refused_at_once(stage: Stage) -> None:
    stage.gateway.settings["max_model_bytes"] = 1000
    stage.turn()
    stage.start_gateway()
    stage.until(lambda: stage.gateway.status()["pid"] and stage.serving._ground.reports.seen().reports)
    with pytest.raises(Invalid) as refused:
        stage.deploy(1)
    assert refused.value.field == "model"
    assert "isolated" in refused.value.hint
