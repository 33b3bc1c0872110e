"""What a study sees of a trial while it learns, and that a trial is given up between two steps, whoever was killed when."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.training import BlendRuns, CreateStudy, ListTrials, OneMetric, StartRun, Study, Training, Trial
from aimass.training.children.fit import fit
from aimass.training.domain.looks import Rhythm, rhythm_of
from aimass.training.domain.space import chance, drawn, seed_of
from aimass.training.jobs import follow, search
from aimass.training.recipes import find_recipe
from aimass.training.searchspace import checked_space
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, EVE, WISH, Lakeside, ended, split_made
from tests.training.test_fit import quick

SEED = 0
Make = Callable[..., Any]


def rows(count: int, seed: int = 0) -> pl.DataFrame:
    """Return rows whose class follows a product of two numbers, which no single question tells."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(rng.normal(size=(count, 3)), schema=["x0", "x1", "x2"])
    pull = (frame["x0"] * frame["x1"]).to_numpy() + rng.normal(0, 0.3, count)
    return frame.with_columns(pl.Series("y", np.where(pull > 0, "up", "down").tolist()))


def told(job: Any, kind: str, metric: str) -> dict[int, float]:
    """Return what a job reported under a kind of step."""
    events = (job.out.parent / "events.ndjson").read_text().splitlines()
    seen = [found for line in events if kind in (found := json.loads(line).get("metrics") or {})]
    return {int(one[kind]): one[metric] for one in seen}


def folds_of(job: Any, metric: str) -> list[float]:
    return [fold[metric] for fold in json.loads((job.out / "report.json").read_text())["folds"]]


@pytest.mark.parametrize("recipe", ["lightgbm", "xgboost"])
def test_a_look_is_what_fewer_trees_would_score_in_the_mean_with_the_folds_before(
    recipe: str, make_job: Make, tmp_path: Path
) -> None:
    find_recipe(recipe).need_installed()
    plain = {"patience": 0} if recipe == "xgboost" else {}
    looks = {"metric": "roc_auc", "every": 4, "span": 3}
    whole = quick(
        make_job, tmp_path / "a", rows(300), recipe=recipe, folds=2, params={**plain, "trees": 12}, looks=looks
    )
    short = quick(make_job, tmp_path / "b", rows(300), recipe=recipe, folds=2, params={**plain, "trees": 4})
    unseen = quick(make_job, tmp_path / "c", rows(300), recipe=recipe, folds=2, params={**plain, "trees": 12})
    for job in (whole, short, unseen):
        fit(job)
    few, all_of_them = folds_of(short, "roc_auc"), folds_of(whole, "roc_auc")
    assert all_of_them == folds_of(unseen, "roc_auc")
    seen = told(whole, "looks", "look_roc_auc")
    assert sorted(seen) == [1, 2, 4, 5]
    assert seen[1] == pytest.approx(few[0], abs=1e-6)
    assert seen[4] == pytest.approx((all_of_them[0] + few[1]) / 2, abs=1e-6)
    assert sorted(told(whole, "folds", "cv_roc_auc")) == [1, 2]
    assert told(unseen, "looks", "look_roc_auc") == {}


def test_one_fold_is_a_fifth_that_is_held_out(make_job: Make, tmp_path: Path) -> None:
    job = quick(make_job, tmp_path / "a", rows(300), recipe="lightgbm", folds=1, params={"trees": 5})
    metrics = fit(job)["metrics"]
    assert metrics["cv_roc_auc"] == folds_of(job, "roc_auc")[0]
    assert "cv_roc_auc_sd" not in metrics
    said = pl.read_parquet(job.out / "folds.parquet")
    assert (said.height, said["fold"].unique().to_list()) == (36, [1])  # of 180 rows that learn
    five = quick(make_job, tmp_path / "b", rows(300), recipe="lightgbm", folds=5, params={"trees": 5})
    fit(five)
    assert folds_of(five, "roc_auc")[-1] == metrics["cv_roc_auc"]


@pytest.mark.parametrize(
    ("params", "space", "rhythm"),
    [
        ({}, {}, Rhythm(every=4, span=38)),
        ({"trees": 20}, {}, Rhythm(every=1, span=20)),
        ({}, {"trees": {"type": "int", "low": 10, "high": 100}}, Rhythm(every=3, span=34)),
        ({}, {"trees": {"type": "categorical", "choices": [10, 80]}}, Rhythm(every=2, span=40)),
        (
            {},
            {"trees": {"type": "int", "low": 10, "high": 20, "when": {"max_leaves": [4]}}},
            Rhythm(every=4, span=38),
        ),
    ],
)
def test_all_trials_of_a_study_have_the_steps_of_the_longest(
    params: dict[str, Any], space: dict[str, Any], rhythm: Rhythm
) -> None:
    recipe = find_recipe("lightgbm")
    assert rhythm_of(recipe.steps, space, recipe.check(params)) == rhythm


def test_the_structures_that_the_guide_searches_are_a_space_of_the_recipe() -> None:
    text = (Path(__file__).parents[2] / "docs/guides/tuning.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    space, _ = checked_space(find_recipe("torch_recurrent"), {}, json.loads(block))
    assert list(space).index("layers") < list(space).index("dropout")
    trials = [drawn(space, chance(seed_of(0, number))) for number in range(60)]
    assert {one["layers"] for one in trials} == {1, 2, 3}
    assert all(("dropout" in one) == (one["layers"] > 1) for one in trials)


def searched(rooms: Rooms, condition: Callable[[], Any]) -> Any:
    """Let studies and jobs go on until the condition holds."""

    def look() -> Any:
        follow(rooms.registry)
        search(rooms.registry)
        return condition()

    return rooms.until(look)


def killed(rooms: Rooms, job: str) -> bool:
    """Kill the process of a job as the kernel would."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if job.encode() in file.read_bytes() and int(file.parent.name) != os.getpid():
                os.kill(int(file.parent.name), signal.SIGKILL)
                return True
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return False


def test_a_trial_is_given_up_between_two_trees_though_its_process_was_killed(
    rooms: Rooms, training: Training, lakeside: Lakeside
) -> None:
    """The first trial learns; the others stand still, and each of them would take thousands of trees to its end."""
    lakeside.write("products", rows(400))
    split = split_made(rooms, replace(WISH, dataset="products", target="y", key_column=None))
    rate = {"type": "categorical", "choices": [0.1, 1e-7, 1e-8]}
    wish = CreateStudy(
        workspace="demo", recipe="lightgbm", split=split.id, space={"learning_rate": rate}, sampler="grid",
        pruner="halving", objectives=["log_loss:minimize"], params={"trees": 4000, "max_leaves": 3}, seed=SEED,
        parallel=1, folds=1,
    )  # fmt: skip
    study = training.create_study(ANN, wish)
    seen: dict[str, bool] = {}

    def over() -> bool:
        for trial in trials_of(training, study):
            job = training.run("demo", trial.run).job if trial.run else None
            if trial.state == "RUNNING" and trial.steps and job is not None and job not in seen:
                seen[job] = killed(rooms, job)
        found = training.study("demo", study.slug)
        return found.state != "RUNNING" and not found.counts.get("RUNNING")

    searched(rooms, over)
    assert any(seen.values()), "no process was killed on its way"
    first, *others = trials_of(training, study)
    assert (first.params["learning_rate"], first.state, first.error) == (0.1, "COMPLETE", None)
    assert first.steps[-1][0] == 40
    assert len(first.steps) == 40
    for trial in others:
        assert trial.state == "PRUNED"
        assert trial.pruned_at is not None
        assert trial.pruned_at < 40
        run = training.run("demo", str(trial.run))
        assert (run.state, run.tags["pruned"]) == ("KILLED", f"step {trial.pruned_at}")
        kept = training.get_metric_history(EVE, OneMetric(workspace="demo", run=run.id, metric="cv_log_loss"))
        assert [(point.step, point.value) for point in kept] == [tuple(step) for step in trial.steps]
    wish = StartRun(workspace="demo", recipe="lightgbm", split=split.id, params={"trees": 2}, seed=SEED, folds=1)
    beside = ended(rooms, training.start_run(ANN, wish))
    with pytest.raises(Invalid, match="runs with one fold cannot be blended"):
        training.blend_runs(ANN, BlendRuns(workspace="demo", runs=[str(first.run), beside.id]))


def trials_of(training: Training, study: Study) -> list[Trial]:
    return training.list_trials(EVE, ListTrials(workspace="demo", study=study.slug)).items
