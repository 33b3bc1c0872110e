"""Pipelines: who may what, keys, triggers, cancel and retry; with a real durable engine."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from aimass.infra.database import Database, metadata
from aimass.infra.live import LiveHub
from aimass.infra.workflows import Runs, RunsConfig
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.kernel.events import Event
from aimass.kernel.principal import ANONYMOUS, SYSTEM, Grant, Principal
from aimass.kernel.registry import Registry
from aimass.lifecycle.domain import (
    ChangePipeline,
    CreatePipeline,
    ListRuns,
    NamePipeline,
    NameRun,
    StartRun,
    Trigger,
    missing,
)
from aimass.lifecycle.flow import run_pipeline
from aimass.lifecycle.plans import RELEASE, RETRAIN
from aimass.lifecycle.service import Lifecycle
from aimass.lifecycle.specs import PIPELINE

PARAMETERS = {"dataset": "telco", "target": "Churn", "model": "churn", "endpoint": "churn"}


def who(*permissions: str, workspace: str = "demo") -> Principal:
    return Principal(
        id="p", name="p", kind="user", grants=(Grant(workspace=workspace, permissions=frozenset(permissions)),)
    )


EDITOR = who("*.read", "*.use", "*.edit", "*.manage")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Lifecycle alone: its first step needs the lake, which is not there, so every run fails at it."""
    database = Database.file(tmp_path / "aimass.db")
    metadata.create_all(database.engine)
    registry = Registry()
    config = RunsConfig(url=f"sqlite:///{tmp_path}/workflows.db", executor_id="test-control-0")
    runs = Runs(config, {"lifecycle.pipeline": partial(run_pipeline, registry)})
    for kind, thing in ((Database, database), (LiveHub, LiveHub()), (Runs, runs)):
        registry.put(kind, thing)
    registry.put(Lifecycle, Lifecycle(database, runs, registry))
    runs.launch()
    yield registry
    runs.close()
    database.close()


@pytest.fixture
def lifecycle(registry: Registry) -> Lifecycle:
    return registry.get(Lifecycle)


def create(lifecycle: Lifecycle, **values: object) -> None:
    lifecycle.create_pipeline(EDITOR, CreatePipeline(workspace="demo", name="Churn", parameters=PARAMETERS, **values))


def ended(lifecycle: Lifecycle, run: str) -> str:
    for _ in range(200):
        found = lifecycle.get_run(EDITOR, NameRun(workspace="demo", run=run))
        if found.state != "RUNNING":
            return found.state
        time.sleep(0.05)
    return "RUNNING"


def test_each_kind_of_caller_gets_its_answer(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    name = NamePipeline(workspace="demo", pipeline="churn")
    for stranger, error in ((ANONYMOUS, "401"), (who("*.read", workspace="other"), "404")):
        with pytest.raises(Exception) as refused:
            lifecycle.get_pipeline(stranger, name)
        assert str(refused.value.status) == error
    reader = who("*.read")
    assert lifecycle.get_pipeline(reader, name).slug == "churn"
    with pytest.raises(Forbidden):
        lifecycle.delete_pipeline(reader, name)


def test_a_task_that_is_learned_without_a_target_needs_none() -> None:
    given = {"dataset": "payments", "model": "odd", "endpoint": "odd"}
    assert missing(RELEASE, given) == ["target"]
    assert missing(RELEASE, {**given, "task": "classification"}) == ["target"]
    assert missing(RELEASE, {**given, "task": "anomaly"}) == []
    assert missing(RETRAIN, given) == missing(RETRAIN, {**given, "task": "ranking"}) == ["target"]
    assert missing(RETRAIN, {**given, "task": "anomaly"}) == []
    assert missing(RELEASE, {**given, "task": "ranking"}) == ["target", "group_column"]
    assert missing(RELEASE, {**given, "task": "ranking", "target": "wanted", "group_column": "query"}) == []


def test_a_missing_or_unknown_parameter_is_named(lifecycle: Lifecycle) -> None:
    with pytest.raises(Invalid, match="needs 'dataset'"):
        lifecycle.create_pipeline(EDITOR, CreatePipeline(workspace="demo", name="x", parameters={"target": "y"}))
    with pytest.raises(Invalid, match="knows no 'colour'"):
        lifecycle.create_pipeline(
            EDITOR, CreatePipeline(workspace="demo", name="x", parameters={**PARAMETERS, "colour": 1})
        )
    with pytest.raises(Invalid, match="no template"):
        lifecycle.create_pipeline(EDITOR, CreatePipeline(workspace="demo", name="x", template="y"))


@pytest.mark.parametrize(
    ("recipes", "params", "why"),
    [
        (None, ["lightgbm"], "is not an object"),
        (None, {"lightgbm": 3}, "is not an object"),
        (["lightgbm"], {"xgboost": {}}, "does not train"),
        (None, {"nobody": {}}, "no recipe 'nobody'"),
        (["lightgbm"], {"lightgbm": {"learning_rate": -1}}, "'learning_rate' of recipe 'lightgbm'"),
        (["lightgbm"], {"lightgbm": {"rate": 1}}, "'rate' of recipe 'lightgbm'"),
    ],
)
def test_parameters_of_recipes_are_held_against_what_these_take(lifecycle: Lifecycle, recipes, params, why) -> None:
    wish = {**PARAMETERS, "recipes": recipes, "params": params}
    with pytest.raises(Invalid, match=why) as refused:
        lifecycle.create_pipeline(EDITOR, CreatePipeline(workspace="demo", name="x", parameters=wish))
    assert (refused.value.field or "").startswith(("params", "recipe"))


def test_the_same_key_twice_is_one_run(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    command = StartRun(workspace="demo", pipeline="churn", key="k")
    assert lifecycle.start_run(EDITOR, command).id == lifecycle.start_run(EDITOR, command).id
    assert len(lifecycle.list_runs(EDITOR, ListRuns(workspace="demo")).items) == 1


def test_a_failed_run_says_at_which_step_and_can_be_retried(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    run = lifecycle.start_run(EDITOR, StartRun(workspace="demo", pipeline="churn"))
    assert ended(lifecycle, run.id) == "FAILED"
    found = lifecycle.get_run(EDITOR, NameRun(workspace="demo", run=run.id))
    assert found.steps[0].state == "FAILED"
    assert "Lake" in found.steps[0].error
    assert {s.state for s in found.steps[1:]} == {"PENDING"}
    again = lifecycle.retry_run(EDITOR, NameRun(workspace="demo", run=run.id))
    assert (again.attempt, again.state) == (2, "RUNNING")
    assert ended(lifecycle, run.id) == "FAILED"


def test_an_ended_run_cannot_be_cancelled(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    run = lifecycle.start_run(EDITOR, StartRun(workspace="demo", pipeline="churn"))
    ended(lifecycle, run.id)
    with pytest.raises(Conflict):
        lifecycle.cancel_run(EDITOR, NameRun(workspace="demo", run=run.id))


def alert_of(id_: str, time: datetime) -> Event:
    return Event(
        id=id_,
        seq=9,
        type="monitoring.alert.fired",
        subject="endpoint:churn",
        workspace="demo",
        actor="system",
        time=time,
    )


def test_a_trigger_rests_after_a_run(lifecycle: Lifecycle) -> None:
    create(lifecycle, triggers=[Trigger(event="monitoring.alert.fired", subject="endpoint:churn", rest_s=600)])
    (first,) = lifecycle.start_triggered(alert_of("01FIRST", datetime(2026, 1, 1, tzinfo=UTC)))
    ended(lifecycle, first)
    end = lifecycle.get_run(EDITOR, NameRun(workspace="demo", run=first)).ended_at
    assert end is not None
    assert lifecycle.start_triggered(alert_of("01SECOND", end + timedelta(seconds=599))) == []
    (third,) = lifecycle.start_triggered(alert_of("01THIRD", end + timedelta(seconds=601)))
    assert third != first


def test_an_event_starts_the_pipelines_that_it_triggers_once(lifecycle: Lifecycle) -> None:
    create(lifecycle, triggers=[Trigger(event="monitoring.alert.fired", subject="endpoint:churn")])
    event = alert_of("01EVENT", datetime(2026, 1, 1, tzinfo=UTC))
    (first,) = lifecycle.start_triggered(event)
    ended(lifecycle, first)
    assert lifecycle.start_triggered(event) == [first]
    lifecycle.change_pipeline(EDITOR, ChangePipeline(workspace="demo", pipeline="churn", paused=True))
    assert lifecycle.start_triggered(event) == []


def test_a_change_on_an_old_state_is_refused(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    lifecycle.change_pipeline(
        EDITOR, ChangePipeline(workspace="demo", pipeline="churn", paused=True, expected_version=1)
    )
    with pytest.raises(Stale):
        lifecycle.change_pipeline(
            EDITOR, ChangePipeline(workspace="demo", pipeline="churn", paused=False, expected_version=1)
        )


def test_a_run_that_a_crash_left_unstarted_is_started(lifecycle: Lifecycle) -> None:
    create(lifecycle)
    run = lifecycle.start_run(EDITOR, StartRun(workspace="demo", pipeline="churn"))
    ended(lifecycle, run.id)
    assert lifecycle.recover() == 0


def test_exporting_and_applying_changes_nothing(registry: Registry, lifecycle: Lifecycle) -> None:
    create(lifecycle)
    (document,) = PIPELINE.export(registry, EDITOR, "demo")
    assert PIPELINE.apply(registry, EDITOR, "demo", document, dry_run=False) == ("none", [])
    changed = {**document, "paused": True}
    assert PIPELINE.apply(registry, EDITOR, "demo", changed, dry_run=True) == ("change", ["paused"])
    assert not lifecycle.get_pipeline(EDITOR, NamePipeline(workspace="demo", pipeline="churn")).paused
    PIPELINE.apply(registry, EDITOR, "demo", changed, dry_run=False)
    assert lifecycle.get_pipeline(EDITOR, NamePipeline(workspace="demo", pipeline="churn")).paused
    lifecycle.delete_pipeline(EDITOR, NamePipeline(workspace="demo", pipeline="churn"))
    assert PIPELINE.apply(registry, EDITOR, "demo", document, dry_run=False)[0] == "create"
    with pytest.raises(NotFound):
        lifecycle.get_pipeline(SYSTEM, NamePipeline(workspace="demo", pipeline="other"))
