"""Studies through the service: real trials as real runs, and every way in which a search can go wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.errors import AimassError, Conflict, Forbidden, Invalid, MissingExtra, NotFound
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.training import (
    AskImportance,
    CreateSplit,
    CreateStudy,
    ExtendStudy,
    ListStudies,
    ListTrials,
    Objective,
    OneRun,
    OneSplit,
    OneStudy,
    Split,
    Study,
    Training,
    Trial,
)
from aimass.training.domain.studies import objectives_of
from aimass.training.jobs import follow, search
from aimass.training.search import document
from aimass.training.service import searching, studies
from aimass.training.tables import runs
from aimass.training.tasks import TASKS
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.rooms import ON_POSTGRES, Rooms, person

ANN = person("Ann", "training.read", "training.use", "training.edit", "training.manage", "lake.use")
EVE = person("Eve", "training.read")
SPACE = {
    "strength": {"type": "float", "low": 1e-4, "high": 10.0, "log": True},
    "class_weight": {"type": "categorical", "choices": ["none", "balanced"]},
}


@pytest.fixture(scope="module")
def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    url = request.getfixturevalue("postgres").create() if ON_POSTGRES else None
    found = Rooms(tmp_path_factory.mktemp("data"), [ACCESS, CLUSTER, MODELS, TRAINING], url).start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def training(rooms: Rooms) -> Training:
    return rooms.get(Training)


@pytest.fixture(scope="module")
def split(rooms: Rooms, training: Training) -> Split:
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    return rooms.until(lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)


@pytest.fixture(scope="module")
def order(split: Split) -> CreateStudy:
    return CreateStudy(
        workspace="demo",
        recipe="logistic_regression",
        split=split.id,
        experiment="searches",
        space=SPACE,
        params={"max_iterations": 50},
        folds=2,
    )


def moved(rooms: Rooms, condition: Callable[[], Any]) -> Any:
    """Let studies and jobs go on until the condition holds."""

    def look() -> Any:
        follow(rooms.registry)
        search(rooms.registry)
        return condition()

    return rooms.until(look)


def ended(rooms: Rooms, study: Study) -> Study:
    training = rooms.get(Training)
    return moved(rooms, lambda: (found := training.study("demo", study.slug)).state != "RUNNING" and _is_still(found))


def _is_still(study: Study) -> Study | None:
    return None if study.counts.get("RUNNING") or study.counts.get("WAITING") else study


def of(training: Training, study: Study) -> list[Trial]:
    return training.list_trials(EVE, ListTrials(workspace="demo", study=study.slug)).items


def first(trial: Trial) -> float:
    """Return the value of the first objective."""
    assert trial.values is not None
    return trial.values[0]


def named(study: Study) -> OneStudy:
    return OneStudy(workspace="demo", study=study.slug)


@pytest.fixture(scope="module")
def done(rooms: Rooms, training: Training, order: CreateStudy) -> Study:
    """A finished study of 5 trials, 2 at once."""
    study = training.create_study(ANN, replace(order, name="Who leaves? 😀", trials=5, parallel=2, seed=3))
    most = 0

    def watched() -> Any:
        nonlocal most
        found = training.study("demo", study.slug)
        most = max(most, found.counts.get("RUNNING", 0))
        return found.state != "RUNNING" and found

    found = moved(rooms, watched)
    assert most == 2
    return found


def test_a_study_runs_its_trials_as_runs_and_names_the_best(training: Training, done: Study) -> None:
    found = of(training, done)
    assert (done.state, done.reason, done.counts, done.fraction) == ("FINISHED", "", {"COMPLETE": 5}, 1.0)
    assert [trial.number for trial in found] == list(range(1, 6))
    best = training.list_best_trials(EVE, named(done))
    values = {trial.number: first(trial) for trial in found}
    assert (best[0].number,) == done.best == (max(values, key=lambda number: (values[number], -number)),)
    run = training.get_run(EVE, OneRun(workspace="demo", run=str(best[0].run)))
    assert (run.state, run.experiment, run.metrics["cv_roc_auc"]) == ("FINISHED", "searches", values[best[0].number])
    assert run.tags == {"study": done.slug, "trial": str(best[0].number)}
    assert run.params["strength"] == best[0].params["strength"]
    assert run.params["max_iterations"] == 50
    assert run.package is not None


def test_the_steps_of_a_trial_are_the_means_over_its_folds(training: Training, done: Study) -> None:
    for trial in of(training, done):
        assert [step for step, _ in trial.steps] == [1, 2]
        assert trial.steps[-1][1] == pytest.approx(first(trial))


def test_what_matters_is_told_in_shares(training: Training, done: Study) -> None:
    found = training.get_importance(EVE, AskImportance(workspace="demo", study=done.slug))
    assert set(found.shares) == set(SPACE)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert (found.objective, found.trials, found.method) == ("cv_roc_auc", 5, "fANOVA")
    with pytest.raises(Invalid, match="does not look at"):
        training.get_importance(EVE, AskImportance(workspace="demo", study=done.slug, objective="f1"))


def test_a_study_is_listed_found_told_and_audited(rooms: Rooms, training: Training, done: Study) -> None:
    listed = training.list_studies(EVE, ListStudies(workspace="demo", recipe="logistic_regression", state="FINISHED"))
    assert done.slug in [study.slug for study in listed.items]
    assert training.list_studies(EVE, ListStudies(workspace="demo", recipe="lightgbm")).items == []
    page = training.list_trials(EVE, ListTrials(workspace="demo", study=done.slug, limit=3))
    rest = training.list_trials(EVE, ListTrials(workspace="demo", study=done.slug, cursor=page.next))
    assert [trial.number for trial in (*page.items, *rest.items)] == list(range(1, 6))
    found = document(rooms.registry, "demo", f"study:{done.slug}")
    assert found is not None
    assert found.title == "Who leaves? 😀"
    with rooms.get(Database).read() as conn:
        query = select(events_log.c.type).where(events_log.c.subject == f"study:{done.slug}").order_by(events_log.c.seq)
        told = list(conn.execute(query).scalars())
        audited = select(audit_log.c.action, audit_log.c.actor).where(audit_log.c.object == f"study:{done.slug}")
        assert ("training.study.create", "Ann") in conn.execute(audited).all()
    assert (told[0], told[-1], told.count("training.trial.ended")) == (
        "training.study.created",
        "training.study.finished",
        5,
    )


def test_who_may_only_read_begins_and_stops_nothing(training: Training, order: CreateStudy, done: Study) -> None:
    for act in (training.cancel_study, training.pause_study, training.resume_study, training.delete_study):
        with pytest.raises(Forbidden):
            act(EVE, named(done))
    with pytest.raises(Forbidden, match=r"training\.edit"):
        training.create_study(EVE, order)
    with pytest.raises(NotFound, match="no workspace"):
        training.get_study(EVE, OneStudy(workspace="other", study=done.slug))


@pytest.mark.long
def test_two_studies_with_one_name_are_refused_and_without_a_name_numbered(
    rooms: Rooms, training: Training, order: CreateStudy, done: Study
) -> None:
    with pytest.raises(Conflict, match="taken"):
        training.create_study(ANN, replace(order, name=done.name))
    names = [training.create_study(ANN, replace(order, trials=1)) for _ in range(2)]
    assert [study.slug for study in names] == [
        "logistic-regression-on-telco-churn",
        "logistic-regression-on-telco-churn-2",
    ]
    for study in names:
        training.cancel_study(ANN, named(study))
        assert ended(rooms, study).state == "KILLED"


def test_equal_configurations_are_run_once(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    space = {"class_weight": {"type": "categorical", "choices": ["none", "balanced"]}}
    wish = replace(order, name="equal", space=space, sampler="random", trials=6, parallel=3)
    found = of(training, ended(rooms, training.create_study(ANN, wish)))
    firsts = [trial for trial in found if trial.same_as is None]
    assert len(firsts) == 2
    for trial in found:
        one = found[(trial.same_as or trial.number) - 1]
        assert (trial.params, trial.values, trial.run) == (one.params, one.values, one.run)
    with rooms.get(Database).read() as conn:
        tagged = [row for row in conn.execute(select(runs.c.tags)).scalars() if row.get("study") == "equal"]
    assert len(tagged) == 2


def test_a_grid_is_tried_whole_and_cannot_be_extended_beyond(
    rooms: Rooms, training: Training, order: CreateStudy
) -> None:
    space = {"strength": {"type": "float", "low": 0.5, "high": 1.0, "step": 0.5}}
    wish = replace(order, name="grid", space=space, sampler="grid", trials=50)
    study = training.create_study(ANN, wish)
    assert study.trials == 2
    found = of(training, ended(rooms, study))
    assert sorted(trial.params["strength"] for trial in found) == [0.5, 1.0]
    with pytest.raises(Invalid, match="no more configurations"):
        training.extend_study(ANN, ExtendStudy(workspace="demo", study="grid", trials=5))


@pytest.mark.long
def test_a_finished_study_is_extended_and_deleted(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    study = ended(rooms, training.create_study(ANN, replace(order, name="more", sampler="random", trials=1)))
    with pytest.raises(Conflict) as refused:
        training.resume_study(ANN, named(study))
    assert refused.value.hint == "extend it to go on"
    again = training.extend_study(ANN, ExtendStudy(workspace="demo", study="more", trials=1))
    assert (again.state, again.trials) == ("RUNNING", 2)
    with pytest.raises(Conflict, match="is RUNNING"):
        training.delete_study(ANN, named(study))
    assert ended(rooms, study).counts == {"COMPLETE": 2}
    training.delete_study(ANN, named(study))
    with pytest.raises(NotFound):
        training.study("demo", "more")
    assert ("study", "more") in {(going.kind, going.name) for going in training.going()}


@pytest.mark.long
def test_a_pause_lets_trials_end_and_begins_none(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    study = training.create_study(ANN, replace(order, name="pause", sampler="random", trials=2, parallel=1))
    moved(rooms, lambda: training.study("demo", "pause").counts.get("RUNNING"))
    assert training.pause_study(ANN, named(study)).state == "PAUSED"
    moved(rooms, lambda: training.study("demo", "pause").counts == {"COMPLETE": 1})
    for _ in range(3):
        search(rooms.registry)
    paused = training.study("demo", "pause")
    assert (paused.counts, paused.spent_s) == ({"COMPLETE": 1}, training.study("demo", "pause").spent_s)
    training.resume_study(ANN, named(study))
    assert ended(rooms, study).counts == {"COMPLETE": 2}


@pytest.mark.long
def test_a_cancelled_study_stops_its_runs_and_can_go_on(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    forest = {"min_rows_per_leaf": {"type": "int", "low": 1, "high": 50}}
    wish = replace(order, name="stop", recipe="random_forest", space=forest, params={"trees": 3000}, trials=2)
    study = training.create_study(ANN, replace(wish, sampler="random"))
    moved(rooms, lambda: training.study("demo", "stop").counts.get("RUNNING") == 2)
    training.cancel_study(ANN, named(study))
    killed = ended(rooms, study)
    assert (killed.state, killed.counts) == ("KILLED", {"FAIL": 2})
    assert {(trial.error or {})["code"] for trial in of(training, study)} == {"run_killed"}
    states = {training.run("demo", str(trial.run)).state for trial in of(training, study)}
    assert states == {"KILLED"}


@pytest.mark.long
def test_trials_that_fail_stop_a_study_with_the_cause(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    wish = replace(order, name="broken", features=["no such column"], sampler="random", trials=20, parallel=2)
    broken = ended(rooms, training.create_study(ANN, wish))
    assert broken.state == "FAILED"
    assert "5 trials in a row failed" in broken.reason
    assert "no such column" in broken.reason
    assert 5 <= sum(broken.counts.values()) <= 7
    assert training.list_best_trials(EVE, named(broken)) == []


@pytest.mark.long
def test_an_objective_that_no_run_has_fails_with_those_there_are(
    rooms: Rooms, training: Training, order: CreateStudy
) -> None:
    wish = replace(order, name="odd", objectives=["beauty:maximize"], sampler="random", trials=1)
    odd = ended(rooms, training.create_study(ANN, wish))
    error = of(training, odd)[0].error or {}
    assert (odd.state, error["code"], "cv_roc_auc" in error["allowed"]) == ("FAILED", "metric_missing", True)


@pytest.mark.long
def test_trials_that_fall_behind_are_given_up(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    """Halving keeps the best third after each rung: the worst ranges are tried last, and given up after the first fold."""
    space = {"strength": {"type": "categorical", "choices": [1.0, 0.5, 1e-6, 2e-6]}}
    wish = replace(order, name="halving", space=space, sampler="grid", pruner="halving", trials=4, parallel=1, folds=5)
    halved = ended(rooms, training.create_study(ANN, wish))
    found = of(training, halved)
    given_up = [trial for trial in found if trial.state == "PRUNED"]
    assert halved.state == "FINISHED"
    assert given_up
    assert halved.counts["COMPLETE"] >= 1
    for trial in given_up:
        run = training.run("demo", str(trial.run))
        assert (run.state, run.tags["pruned"]) == ("KILLED", f"step {trial.pruned_at}")
        assert any("pruned at step" in note for note in run.notes)
        assert trial.values is None


@pytest.mark.long
def test_several_objectives_have_a_front(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    wish = replace(order, name="front", objectives=["cv_roc_auc", "brier:minimize"], sampler="nsga2", trials=3)
    front = ended(rooms, training.create_study(ANN, wish))
    best = training.list_best_trials(EVE, named(front))
    assert front.best == tuple(trial.number for trial in best)
    for one in best:
        auc, brier = (*(one.values or ()), 0.0, 0.0)[:2]
        assert not any(
            v[0] >= auc and v[1] <= brier and v != (auc, brier)
            for v in (t.values or (0, 1) for t in of(training, front))
        )


@pytest.mark.long
def test_a_budget_ends_a_study(rooms: Rooms, training: Training, order: CreateStudy) -> None:
    wish = replace(order, name="short", sampler="random", trials=500, parallel=1, budget_s=0.2)
    short = ended(rooms, training.create_study(ANN, wish))
    assert (short.state, short.reason) == ("FINISHED", "the time budget is used up")
    assert sum(short.counts.values()) < 10


def test_the_objective_is_the_number_that_the_task_is_judged_by() -> None:
    assert objectives_of(None, TASKS["classification"]) == (Objective(metric="cv_roc_auc", direction="maximize"),)
    assert objectives_of(None, TASKS["regression"]) == (Objective(metric="cv_rmse", direction="minimize"),)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"space": {}}, "space"),
        ({"space": {"strength": 3}}, "space.strength"),
        ({"space": {"strength": {"type": "colour"}}}, "space.strength.type"),
        ({"space": {"strength": {"type": "float", "low": 2, "high": 1}}}, "space.strength.high"),
        ({"space": {"strength": {"type": "float", "low": 0, "high": 1, "log": True}}}, "space.strength.low"),
        ({"space": {"strength": {"type": "float", "low": 1, "high": 2, "step": 0}}}, "space.strength.step"),
        ({"space": {"strength": {"type": "float", "low": "a", "high": 2}}}, "space.strength.low"),
        ({"space": {"strength": {"type": "float", "low": 1, "high": 2, "colour": 1}}}, "space.strength.colour"),
        ({"space": {"strength": {"type": "float", "low": -1, "high": 2}}}, "space.strength.low"),
        ({"space": {"strength": {"type": "float", "low": 1, "high": 1e9}}}, "space.strength.high"),
        ({"space": {"class_weight": {"type": "categorical", "choices": []}}}, "space.class_weight.choices"),
        ({"space": {"class_weight": {"type": "categorical", "choices": ["odd"]}}}, "space.class_weight.choices"),
        (
            {"space": {"class_weight": {"type": "categorical", "choices": ["none", "none"]}}},
            "space.class_weight.choices",
        ),
        ({"space": {"max_categories": {"type": "float", "low": 2, "high": 9}}}, "space.max_categories.type"),
        ({"space": {"beauty": {"type": "int", "low": 1, "high": 2}}}, "space.beauty"),
        (
            {"space": {"strength": {"type": "float", "low": 1, "high": 2, "when": {"class_weight": ["none"]}}}},
            "space.strength.when.class_weight",
        ),
        (
            {
                "space": {
                    "class_weight": {"type": "categorical", "choices": ["none"]},
                    "strength": {"type": "float", "low": 1, "high": 2, "when": {"class_weight": ["balanced"]}},
                }
            },
            "space.strength.when.class_weight",
        ),
        (
            {
                "space": {
                    "class_weight": {"type": "categorical", "choices": ["none"], "when": {"strength": [1.0]}},
                    "strength": {"type": "categorical", "choices": [1.0], "when": {"class_weight": ["none"]}},
                }
            },
            "space.class_weight.when",
        ),
        ({"params": {"strength": 1.0}}, "params.strength"),
        ({"params": {"beauty": 1}}, "params.beauty"),
        ({"objectives": []}, "objectives"),
        ({"objectives": ["log_loss"]}, "objectives"),
        ({"objectives": ["cv_roc_auc", "cv_roc_auc:minimize"]}, "objectives"),
        ({"objectives": ["cv_roc_auc", "fit_s:minimize"], "pruner": "median"}, "pruner"),
        ({"sampler": "cmaes"}, "sampler"),
        ({"recipe": "alchemy"}, "recipe"),
        ({"split": "01NONE"}, "split"),
        ({"experiment": "A b"}, "experiment"),
    ],
)
def test_a_study_that_cannot_work_is_refused_when_it_is_created(
    training: Training, order: CreateStudy, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(AimassError) as refused:
        training.create_study(ANN, replace(order, name="wrong", **changes))
    assert refused.value.field == field
    assert refused.value.status in (400, 404)


def test_a_missing_extra_is_named_and_grid_random_and_gp_need_none(
    rooms: Rooms, training: Training, order: CreateStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "find_spec", lambda _: None)
    for changes in ({"sampler": "tpe"}, {"sampler": "cmaes"}, {"sampler": "random", "pruner": "median"}):
        with pytest.raises(MissingExtra) as refused:
            training.create_study(ANN, replace(order, name="bare", **changes))
        assert refused.value.hint == "pip install 'aimass[tune]'"
    for sampler in ("grid", "random", "gp"):
        study = training.create_study(ANN, replace(order, name=f"bare {sampler}", sampler=sampler))
        training.cancel_study(ANN, named(study))
        ended(rooms, study)


@pytest.mark.long
@pytest.mark.parametrize("where", ["put_trial", "start_run", "asked", "told"])
def test_a_platform_that_dies_anywhere_begins_no_trial_twice(
    rooms: Rooms, training: Training, order: CreateStudy, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The step is cut off at each place where it has just committed something; then the next step goes on."""
    study = training.create_study(ANN, replace(order, name=f"dies {where}", sampler="random", trials=1))

    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if where == "put_trial":  # runs are started, and not written down
            patched.setattr(searching, "put_trial", die)
        elif where == "start_run":  # trials are written down, and not started
            patched.setattr(Training, "begin_run", die)
        elif where == "asked":  # nothing is written down
            patched.setattr(searching, "add", die)
        else:  # runs are started and written down
            patched.setattr(searching, "tell_study", die)
        with pytest.raises(KeyboardInterrupt):
            for _ in range(3):
                search(rooms.registry)
    done = ended(rooms, study)
    assert done.counts == {"COMPLETE": 1}
    with rooms.get(Database).read() as conn:
        query = select(func.count()).select_from(runs).where(runs.c.key.like(f"study:{study.id}:%"))
        assert conn.execute(query).scalar_one() == 1


@pytest.mark.long
def test_a_data_child_that_dies_is_asked_again(
    rooms: Rooms, training: Training, order: CreateStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = training.create_study(ANN, replace(order, name="child dies", trials=1))
    for child in rooms.get(WarmChild)._free:  # one that is stopped answers in no time; a new one takes longer to begin
        os.kill(child.pid, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(searching, "_ASK_S", 0.02)
        search(rooms.registry)
    waiting = training.study("demo", study.slug)
    assert (waiting.state, "took longer" in waiting.reason) == ("RUNNING", True)
    assert ended(rooms, study).counts == {"COMPLETE": 1}
    assert training.study("demo", study.slug).reason == ""
