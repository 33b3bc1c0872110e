"""The model selector, blending and automatic training, through the front door of the room."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from aimass.infra.database import Database, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.models import Models
from aimass.training import (
    AutoRun,
    BlendRuns,
    ListAutos,
    OneAuto,
    OneRun,
    RecommendRecipes,
    Run,
    Split,
    StartAuto,
    StartRun,
    Training,
)
from aimass.training.domain.autos import Constraints
from aimass.training.jobs import follow_autos
from aimass.training.recipes import recipes
from aimass.training.search import document
from aimass.training.selecting import Facts, Past, recommend
from aimass.training.tables import artifacts, autos
from aimass.training.tasks import TASKS
from tests.fixtures.rooms import Rooms, person
from tests.training.place import ANN, EVE, WISH, Lakeside, ended, split_made

BEN = person("Ben", "training.read", workspace="auto")
TASK = TASKS["classification"]
FACTS = Facts(rows=20_000, columns=20)


def auto_ended(rooms: Rooms, auto: AutoRun) -> AutoRun:
    training = rooms.get(Training)

    def look() -> AutoRun | bool:
        follow_autos(rooms.registry)
        found = training.get_auto(ANN, OneAuto(workspace=auto.workspace, auto=auto.id))
        return found.state != "RUNNING" and found

    return rooms.until(look)


@pytest.fixture(scope="module")
def split(rooms: Rooms) -> Split:
    return split_made(rooms, WISH)


@pytest.fixture(scope="module")
def auto(rooms: Rooms, training: Training) -> AutoRun:
    wish = StartAuto(
        workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID", most=2, folds=2, seed=7
    )
    return auto_ended(rooms, training.start_auto(ANN, wish))


def named(found: Any) -> list[str]:
    return [f"{one.recipe} {one.variant}".strip() for one in found if one.left_out is None]


def test_an_automatic_training_goes_from_a_dataset_to_the_best_model(
    rooms: Rooms, training: Training, auto: AutoRun
) -> None:
    assert auto.error is None
    assert auto.state == "FINISHED"
    runs = {run.id: run for run in training.runs_of(auto)}
    scores = {id_: run.metrics["cv_roc_auc"] for id_, run in runs.items()}
    assert [run.state for run in runs.values()] == ["FINISHED"] * 3
    assert auto.best == max(scores, key=lambda id_: scores[id_])
    assert auto.objective == "cv_roc_auc"
    blend = runs[str(auto.blend)]
    assert blend.recipe == "blend"
    assert set(blend.params["members"]) <= set(auto.runs)
    assert blend.package is not None
    assert rooms.get(Models).package_manifest(blend.package.digest).runtime == "onnx"
    assert all(run.metrics["row_us"] > 0 for run in runs.values())
    assert {run.tags["auto"] for run in runs.values()} == {auto.id}
    assert all(one.reasons for one in auto.recommended)


def test_what_it_did_is_in_events_and_lineage(rooms: Rooms, auto: AutoRun) -> None:
    with rooms.get(Database).read() as conn:
        told = list(conn.execute(select(events_log.c.type).where(events_log.c.subject == f"auto:{auto.id}")).scalars())
        edges = conn.execute(select(lineage_edges).where(lineage_edges.c.src_id == auto.id)).all()
    assert told == ["training.auto.started", "training.auto.finished"]
    assert {edge.dst_id for edge in edges} == {*auto.runs, auto.blend}


def test_it_is_found_by_its_words(rooms: Rooms, auto: AutoRun) -> None:
    found = document(rooms.registry, "demo", f"auto:{auto.id}")
    assert found is not None
    assert (found.title, found.href) == (auto.name, f"/demo/work/auto/{auto.id}")
    assert document(rooms.registry, "demo", "auto:nowhere") is None


def test_runs_of_an_automatic_training_move_the_next_recommendation(
    training: Training, auto: AutoRun, split: Split
) -> None:
    found = training.recommend_recipes(EVE, RecommendRecipes(workspace="demo", split=split.id))
    told = {(one.recipe, one.variant): one for one in found}
    tried = (auto.recommended[0].recipe, auto.recommended[0].variant)
    assert any("splits where recipes were compared here" in reason for reason in told[tried].reasons)


def test_a_time_that_is_over_stops_what_is_at_work_and_keeps_what_finished(
    rooms: Rooms, training: Training, split: Split
) -> None:
    auto = training.start_auto(ANN, StartAuto(workspace="demo", split=split.id, most=3, folds=2, blend=False))
    follow_autos(rooms.registry)
    known = training.get_auto(ANN, OneAuto(workspace="demo", auto=auto.id))
    rooms.until(lambda: any(run.state == "FINISHED" for run in training.runs_of(known)))
    database = rooms.get(Database)
    with database.change(ANN, "demo") as change:
        past = auto.created_at - timedelta(days=1)
        change.execute(update(autos).where(autos.c.id == auto.id).values(deadline=past))
    found = auto_ended(rooms, known)
    assert found.state == "FINISHED"
    assert {run.state for run in training.runs_of(found)} <= {"FINISHED", "KILLED"}


def test_cancelling_stops_its_runs_and_a_second_order_under_the_key_is_the_first(
    rooms: Rooms, training: Training, split: Split
) -> None:
    wish = StartAuto(workspace="demo", split=split.id, most=1, key="nightly")
    auto = training.start_auto(ANN, wish)
    follow_autos(rooms.registry)
    assert training.start_auto(ANN, wish).id == auto.id
    name = OneAuto(workspace="demo", auto=auto.id)
    with pytest.raises(Conflict, match="still runs"):
        training.delete_auto(ANN, name)
    assert training.cancel_auto(ANN, name).state == "KILLED"
    follow_autos(rooms.registry)
    for run in training.runs_of(training.get_auto(ANN, name)):
        assert ended(rooms, run).state in ("KILLED", "FINISHED")
    training.delete_auto(ANN, name)
    with pytest.raises(NotFound):
        training.get_auto(ANN, name)


def test_a_step_that_was_under_way_when_it_was_cancelled_leaves_nothing_at_work(
    rooms: Rooms, training: Training, split: Split
) -> None:
    auto = training.start_auto(ANN, StartAuto(workspace="demo", split=split.id, most=1))
    name = OneAuto(workspace="demo", auto=auto.id)
    training.cancel_auto(ANN, name)
    training._step(auto)
    found = training.get_auto(ANN, name)
    assert found.state == "KILLED"
    assert [ended(rooms, run).state for run in training.runs_of(found)] == ["KILLED"]


def test_what_cannot_be_blended_leaves_the_best_of_the_runs(rooms: Rooms, training: Training, split: Split) -> None:
    auto = training.start_auto(ANN, StartAuto(workspace="demo", split=split.id, most=2, folds=2, size=500_000))
    follow_autos(rooms.registry)
    known = training.get_auto(ANN, OneAuto(workspace="demo", auto=auto.id))
    for run in training.runs_of(known):
        assert ended(rooms, run).state == "FINISHED"
    with rooms.get(Database).change(ANN, "demo") as change:
        mine = (artifacts.c.run == known.runs[0], artifacts.c.name == "folds.parquet")
        change.execute(delete(artifacts).where(*mine))
    found = auto_ended(rooms, known)
    assert (found.state, found.blend) == ("FINISHED", None)
    assert found.best in found.runs
    assert found.notes[0].startswith("not blended: run")


def test_two_who_ask_at_once_under_one_key_get_one(training: Training, split: Split) -> None:
    wish = StartAuto(workspace="demo", split=split.id, most=1, key="at once")
    with ThreadPoolExecutor(4) as pool:
        found = {one.id for one in pool.map(lambda _: training.start_auto(ANN, wish), range(8))}
    assert len(found) == 1
    training.cancel_auto(ANN, OneAuto(workspace="demo", auto=found.pop()))


def test_a_split_that_fails_ends_it_with_its_error(rooms: Rooms, training: Training) -> None:
    auto = training.start_auto(ANN, StartAuto(workspace="demo", dataset="telco-churn", target="Churned"))
    found = auto_ended(rooms, auto)
    assert (found.state, (found.error or {})["field"]) == ("FAILED", "target")


def test_limits_that_nothing_keeps_are_said_with_the_reasons(rooms: Rooms, training: Training, split: Split) -> None:
    found = auto_ended(rooms, training.start_auto(ANN, StartAuto(workspace="demo", split=split.id, size=10)))
    assert found.state == "FAILED"
    assert "lightgbm: takes about" in (found.error or {})["detail"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (StartAuto(workspace="demo"), "split"),
        (StartAuto(workspace="demo", dataset="telco-churn"), "target"),
        (StartAuto(workspace="demo", dataset="telco-churn", target="Churn", split="01J"), "split"),
        (StartAuto(workspace="demo", dataset="telco-churn", target="Churn", experiment="Not a slug"), "experiment"),
    ],
)
def test_orders_that_make_no_sense_are_refused(training: Training, wish: StartAuto, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        training.start_auto(ANN, wish)
    assert refused.value.field == field


def test_who_may_what(training: Training, auto: AutoRun, split: Split) -> None:
    with pytest.raises(Forbidden):
        training.start_auto(EVE, StartAuto(workspace="demo", split=split.id))
    with pytest.raises(Forbidden):
        training.cancel_auto(EVE, OneAuto(workspace="demo", auto=auto.id))
    with pytest.raises(Forbidden):
        training.blend_runs(EVE, BlendRuns(workspace="demo", runs=list(auto.runs)))
    with pytest.raises((Forbidden, NotFound)):
        training.get_auto(BEN, OneAuto(workspace="demo", auto=auto.id))
    with pytest.raises(NotFound):
        training.get_auto(BEN, OneAuto(workspace="auto", auto=auto.id))
    assert [one.id for one in training.list_autos(EVE, ListAutos(workspace="demo", state="FINISHED")).items][
        -1
    ] == auto.id
    assert training.list_autos(BEN, ListAutos(workspace="auto")).items == []


def test_runs_that_cannot_be_blended_are_refused(
    rooms: Rooms, training: Training, auto: AutoRun, lakeside: Lakeside
) -> None:
    first = auto.runs[0]
    one = training.get_run(ANN, OneRun(workspace="demo", run=first))
    sown = training.start_run(ANN, StartRun(workspace="demo", recipe=one.recipe, split=one.split, folds=2, seed=99))
    ended(rooms, sown)
    for runs, match in (
        ([first], "1 different runs"),
        ([first, first], "1 different runs"),
        ([first, sown.id], "differ in seed"),
        ([first, str(auto.blend)], "is a blend itself"),
    ):
        with pytest.raises(Invalid, match=match):
            training.blend_runs(ANN, BlendRuns(workspace="demo", runs=runs))
    with pytest.raises(NotFound):
        training.blend_runs(ANN, BlendRuns(workspace="demo", runs=[first, "nowhere"]))


def test_a_blend_is_a_run_that_can_be_evaluated_and_its_key_counts_once(
    rooms: Rooms, training: Training, auto: AutoRun
) -> None:
    wish = BlendRuns(workspace="demo", runs=list(auto.runs), method="mean", name="Half and half", key="mine")
    made: Run = training.blend_runs(ANN, wish)
    assert training.blend_runs(ANN, wish).id == made.id
    found = ended(rooms, made)
    assert (found.state, found.name, found.params["method"]) == ("FINISHED", "Half and half", "mean")


def test_few_rows_and_many_columns_favour_a_line() -> None:
    few = Facts(rows=300, columns=60)
    many = recommend(recipes().values(), TASK, FACTS, Constraints(), [])
    assert (many[0].recipe, many[0].variant) == ("lightgbm", "deep")
    assert many[0].params["max_leaves"] > many[1].params.get("max_leaves", 8)
    assert named(recommend(recipes().values(), TASK, few, Constraints(), []))[0] == "logistic_regression"


def test_limits_leave_out_and_say_why() -> None:
    found = recommend(recipes().values(), TASK, FACTS, Constraints(explainable=True), [])
    assert named(found) == ["logistic_regression"]
    said = {one.recipe: one.left_out or "" for one in found[1:]}
    assert said.pop("text_linear") == "no column holds free text"
    assert all("coefficients" in one for one in said.values())
    slow = recommend(recipes().values(), TASK, FACTS, Constraints(row_us=100), [])
    assert named(slow) == ["logistic_regression"]
    brief = recommend(recipes().values(), TASK, FACTS, Constraints(budget_s=6), [])
    assert "gradient_boosting" not in named(brief)


def test_what_was_best_here_comes_first_and_measured_costs_replace_guesses() -> None:
    past = [
        Past(recipe=recipe, split=f"s{n}", score=score, seconds=5.0, rows=20_000, row_us=row_us, size=4000)
        for n in range(6)
        for recipe, score, row_us in (("random_forest", 0.9, 50.0), ("lightgbm", 0.8, 900.0))
    ]
    told = recommend(recipes().values(), TASK, FACTS, Constraints(), past)
    found = {one.recipe: one for one in told if not one.variant}
    ordered = named(recommend(recipes().values(), TASK, FACTS, Constraints(), past))
    assert ordered.index("random_forest") < ordered.index("lightgbm")
    assert (found["lightgbm"].row_us, found["lightgbm"].size, found["lightgbm"].seconds) == (900, 4000, 5.0)
    lower = replace(TASK, is_lower_better=True)
    ordered = named(recommend(recipes().values(), lower, FACTS, Constraints(), past))
    assert ordered.index("lightgbm") < ordered.index("random_forest")
