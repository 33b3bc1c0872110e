"""Models are measured before they serve, and run as their times advise unless somebody says otherwise."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

import pytest

from aimass.infra.plans import Timings, choose
from aimass.serving import ListRevisions, Revision
from aimass.serving.domain.placing import Options, calibration_of
from aimass.serving.service.placer import _advised, _kept
from tests.fixtures.stage import ANN, Stage


def newest(stage: Stage) -> Revision:
    return stage.serving.list_revisions(ANN, ListRevisions(workspace="demo", endpoint="churn")).items[0]


def test_a_graph_is_measured_once_and_its_table_is_kept_with_each_revision(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, execution="auto")
    stage.ready(1)
    first = newest(stage)
    assert first.calibration is not None
    assert first.running is not None
    assert [call.rows for call in first.calibration.calls] == [1, 8, 32, 128]
    assert first.calibration.machine
    assert first.running.reason
    assert stage.deployment().running == first.running
    stage.deploy(2, execution="auto")
    stage.ready(2)
    stage.deploy(1, execution="auto")
    stage.ready(1)
    again = newest(stage)
    assert again.number == 3
    assert again.calibration == first.calibration


def test_a_python_package_is_measured_by_the_worker_that_then_serves_it(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="scikit", execution="auto")
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    found = newest(stage)
    assert found.calibration is not None
    assert found.running is not None
    assert found.running.execution == "batched", found.calibration
    assert found.running.max_rows >= 8
    assert stage.answers().status == 200


def test_what_somebody_sets_is_kept_and_changes_make_a_new_revision(live: Stage) -> None:
    live.deploy(1, execution="batched", max_rows=16)
    live.until(lambda: (d := live.deployment()).state == "READY" and d.revision == 2)
    running = newest(live).running
    assert running is not None
    assert (running.execution, running.max_rows, running.reason) == ("batched", 16, "set by hand")
    assert newest(live).calibration is None
    live.deploy(1, execution=None)
    assert live.deployment().options.execution == "batched"
    assert live.deployment().target == 2
    assert live.answers().status == 200


def test_a_graph_that_cannot_be_measured_runs_in_a_thread_and_says_why(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, execution="auto")
    stage.serving.reconciler.run_once()
    for file in (stage.rooms.folder / "packages").rglob("model.onnx"):
        file.write_bytes(b"no graph")
    stage.until(lambda: stage.deployment().state == "FAILED", within=60)
    assert "the gateway cannot load it" in stage.deployment().reason
    running = newest(stage).running
    assert running is not None
    assert "its times are not known: it ended with code 1" in running.reason


@pytest.mark.parametrize(
    ("call_us", "rates", "execution", "threads", "max_rows"),
    [
        ({1: 6, 8: 16, 32: 46, 128: 170}, {}, "inline", 0, 32),
        ({1: 40, 8: 320, 32: 1280}, {}, "inline", 0, 1),
        ({1: 350, 8: 380, 32: 420, 128: 700}, {1: 2900}, "batched", 1, 128),
        ({1: 550, 8: 5000, 32: 22000}, {1: 1800, 2: 3200, 3: 3300}, "threads", 2, 1),
        ({1: 4_000_000}, {}, "threads", 1, 1),
    ],
)
def test_the_choice_follows_the_times(
    call_us: dict[int, float], rates: dict[int, float], execution: str, threads: int, max_rows: int
) -> None:
    choice = choose(Timings(call_us=call_us, rows_per_s=rates))
    assert (choice.execution, choice.plan.lanes, choice.plan.max_rows) == (execution, threads, max_rows)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"call_us": 5, "rows_per_s": {}},
        {"call_us": {"x": 1}, "rows_per_s": {}},
        {"call_us": {"1": "nan"}, "rows_per_s": {}},
        {"call_us": {"1": 0}, "rows_per_s": {}},
        {"call_us": {"1": 5}, "rows_per_s": [1]},
    ],
)
def test_what_are_no_times_is_not_taken_for_some(told: dict[str, Any]) -> None:
    assert _advised(told, Options()) is None


def test_a_worker_does_not_talk_the_platform_into_a_million_threads() -> None:
    told = {"call_us": {"1": 5e5, "8": 4e6}, "rows_per_s": {"1": 2.0, "1000000": 9e9}}
    found = _advised(told, Options())
    assert found is not None
    assert found.threads <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    "told",
    [
        {"call_us": {"0": 5, "1": 5}, "rows_per_s": {}},
        {"call_us": {"1": 5, "8": "nan"}, "rows_per_s": {}, "machine": ["x"]},
        {"error": "no", "call_us": 5},
        {"error": {"why": "no"}, "rows_per_s": {"x": 1}},
    ],
)
def test_what_is_kept_of_what_a_worker_told_can_be_shown(told: dict[str, Any]) -> None:
    shown = asdict(calibration_of(_kept(told)))
    assert json.dumps(shown, allow_nan=False)
    assert all(call["rows"] > 0 for call in shown["calls"])
