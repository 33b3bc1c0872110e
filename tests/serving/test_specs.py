from __future__ import annotations

from typing import Any

import pytest

from aimass.infra.database import Database
from aimass.infra.events import EventLog
from aimass.infra.search import Search
from aimass.kernel.errors import Forbidden, Invalid
from aimass.kernel.principal import Principal
from aimass.serving import DeleteEndpoint
from aimass.serving.domain.placing import Options
from aimass.serving.domain.things import Resources
from aimass.serving.jobs import index
from aimass.serving.specs import ENDPOINT
from tests.fixtures.rooms import person
from tests.fixtures.stage import ANN, Stage

WANTED: dict[str, Any] = {
    "kind": "endpoint",
    "name": "leavers",
    "description": "who leaves",
    "sample": 0.5,
    "deployments": [
        {"name": "champion", "model": "churn", "model_version": 1},
        {"name": "canary", "model": "churn", "model_version": 2},
    ],
    "traffic": {"weights": {"champion": 80, "canary": 20}},
}


def apply(stage: Stage, document: dict[str, Any], *, dry_run: bool = False, who: Principal = ANN) -> Any:
    return ENDPOINT.apply(stage.rooms.registry, who, "demo", document, dry_run=dry_run)


def test_applying_twice_changes_nothing_the_second_time(stage: Stage) -> None:
    assert apply(stage, WANTED) == ("create", ["deployments", "description", "sample", "traffic"])
    made = stage.endpoint("leavers")
    assert dict(made.traffic.weights) == {"champion": 80, "canary": 20}
    exported = next(d for d in ENDPOINT.export(stage.rooms.registry, ANN, "demo") if d["name"] == "leavers")
    assert apply(stage, exported) == ("none", [])


def test_how_a_deployment_runs_is_written_applied_and_taken_back(stage: Stage) -> None:
    part = {"name": "champion", "model": "churn", "model_version": 1, "placement": "auto"}
    how = {"execution": "batched", "max_rows": 16, "isolation": "process", "network": True}
    how |= {"resources": {"threads": 2, "cpus": 0.5}}
    wanted = {**WANTED, "deployments": [{**part, **how}], "traffic": {"weights": {"champion": 100}}}
    apply(stage, wanted)
    exported = next(d for d in ENDPOINT.export(stage.rooms.registry, ANN, "demo") if d["name"] == "leavers")
    assert exported["deployments"] == wanted["deployments"]
    apply(stage, {**wanted, "deployments": [part]})
    (one,) = stage.endpoint("leavers").deployments
    assert (one.options, one.resources) == (Options(), Resources())
    with pytest.raises(Invalid, match="resources has no field 'cpu'"):
        apply(stage, {**wanted, "deployments": [{**part, "resources": {"cpu": 1}}]})


def test_a_whole_policy_is_written_applied_and_taken_back(stage: Stage) -> None:
    said = {"split": "consumer", "fallback": "canary", "fallback_on": ["error"], "fallback_after_s": 0.5}
    said |= {"shadow_percent": 10, "static": {"label": "No", "probabilities": [1.0, 0.0]}}
    wanted = {**WANTED, "traffic": {**WANTED["traffic"], **said}}
    apply(stage, wanted)
    exported = next(d for d in ENDPOINT.export(stage.rooms.registry, ANN, "demo") if d["name"] == "leavers")
    assert exported["traffic"] == wanted["traffic"]
    assert apply(stage, exported) == ("none", [])
    assert "traffic" in apply(stage, WANTED)[1]
    assert stage.endpoint("leavers").traffic.static is None
    with pytest.raises(Invalid, match="no way to assign"):
        apply(stage, {**WANTED, "traffic": {**WANTED["traffic"], "split": "moon"}})


def test_a_dry_run_tells_the_differences_and_does_nothing(stage: Stage) -> None:
    apply(stage, WANTED)
    changed = {**WANTED, "sample": 1.0}
    changed["deployments"] = [{"name": "champion", "model": "churn", "model_version": 3, "placement": "auto"}]
    assert apply(stage, changed, dry_run=True) == ("change", ["deployments", "sample"])
    assert stage.endpoint("leavers").record.sample == 0.5


def test_an_unknown_field_is_named(stage: Stage) -> None:
    with pytest.raises(Invalid, match="endpoint has no field 'colour'"):
        apply(stage, {**WANTED, "colour": "red"})
    with pytest.raises(Invalid, match="deployments has no field 'color'"):
        apply(stage, {**WANTED, "deployments": [{"color": 1}]})


def test_applying_needs_the_right_to_edit(stage: Stage) -> None:
    with pytest.raises(Forbidden):
        apply(stage, WANTED, who=person("Eve", "serving.read"))


def test_the_search_finds_endpoints_until_they_are_deleted(stage: Stage) -> None:
    database = stage.rooms.get(Database)
    search = Search(database)
    stage.rooms.registry.put(Search, search)
    apply(stage, WANTED)
    log = EventLog(database)
    for event in log.read(type_="serving.endpoint.*"):
        index(stage.rooms.registry, event)
    assert [hit.href for hit in search.find(ANN, "leaves")] == ["/demo/services/leavers"]
    seen = log.head()
    stage.serving.delete_endpoint(ANN, DeleteEndpoint(workspace="demo", endpoint="leavers"))
    for event in log.read(seen, type_="serving.endpoint.*"):
        index(stage.rooms.registry, event)
    assert search.find(ANN, "leaves") == []
