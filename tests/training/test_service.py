from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select

from aimass.cluster import Job, Jobs
from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.models import Models, OneVersion, SetAlias
from aimass.training import (
    CompareRuns,
    CreateExperiment,
    CreateStudy,
    EvaluateRun,
    ListExperiments,
    ListRuns,
    ListSplitRows,
    ListSplits,
    OneExperiment,
    OneMetric,
    OneRecipe,
    OneRun,
    RegisterRun,
    Run,
    Split,
    StartRun,
    TagRun,
    Training,
)
from aimass.training import recipes as recipes_module
from aimass.training.jobs import fit_done, follow
from aimass.training.search import document
from tests.fixtures.rooms import Rooms
from tests.training.place import AMY, ANN, EVE, WISH, Lakeside, ended, split_made


def trained(rooms: Rooms, split: Split, who: Any = ANN, recipe: str = "logistic_regression", **more: Any) -> Run:
    wish = StartRun(workspace=split.workspace, recipe=recipe, split=split.id, folds=2, **more)
    return ended(rooms, rooms.get(Training).start_run(who, wish), who)


def reviewed(rooms: Rooms, number: int, who: Any = AMY) -> Any:
    models = rooms.get(Models)
    name = OneVersion(workspace=who.grants[0].workspace, model="churn", number=number)
    models.submit_review(who, name)
    return rooms.until(lambda: (found := models.get_review(who, name)).checked_at and found)


def job_of(rooms: Rooms, run: Run) -> Job:
    return rooms.get(Jobs).job(run.workspace, str(run.job))


@pytest.fixture(scope="module")
def split(rooms: Rooms) -> Split:
    return split_made(rooms)


@pytest.fixture(scope="module")
def run(rooms: Rooms, split: Split) -> Run:
    return trained(rooms, split, recipe="gradient_boosting", params={"trees": 15}, name="First try 😀")


def test_recipes_are_listed_with_the_schema_of_their_parameters(training: Training) -> None:
    names = [recipe.name for recipe in training.list_recipes(EVE)]
    assert names == sorted(names)
    shown = training.get_recipe(EVE, OneRecipe(recipe="lightgbm"))
    assert shown.parameters["properties"]["trees"]["minimum"] == 1
    assert "exportable:onnx" in shown.capabilities


def test_a_split_is_made_by_a_job_and_kept_as_a_blob(split: Split) -> None:
    assert split.state == "READY"
    assert split.counts == {"train": 900, "validation": 150, "test": 225, "future": 225}
    assert len(split.sha256 or "") == 64


def test_the_rows_of_a_part_are_listed_by_what_names_them(
    training: Training, split: Split, churn: pl.DataFrame
) -> None:
    wish = ListSplitRows(workspace="demo", split=split.id, part="future", limit=200)
    first = training.list_split_rows(ANN, wish)
    rest = training.list_split_rows(ANN, replace(wish, cursor=first.next))
    names = {*first.items, *rest.items}
    assert (len(first.items), len(rest.items), rest.next) == (200, 25, None)
    assert names <= set(churn.head(1500)["customerID"])


def test_a_split_asked_twice_with_one_key_is_one(rooms: Rooms, training: Training) -> None:
    wish = replace(WISH, key="story-1")
    assert split_made(rooms, wish).id == training.create_split(ANN, wish).id


def test_a_split_that_cannot_be_made_says_why_and_nothing_is_trained_on_it(rooms: Rooms, training: Training) -> None:
    split = split_made(rooms, replace(WISH, target="Churned"))
    assert split.error is not None
    assert (split.state, split.error["field"], split.error["value"]) == ("FAILED", "target", "Churned")
    with pytest.raises(Conflict, match="FAILED"):
        training.start_run(ANN, StartRun(workspace="demo", recipe="lightgbm", split=split.id))


def test_a_later_version_keeps_the_test_rows(
    rooms: Rooms, training: Training, lakeside: Lakeside, churn: pl.DataFrame
) -> None:
    lakeside.write("growing", churn.head(400))
    wish = replace(WISH, dataset="growing")
    first = split_made(rooms, wish)
    lakeside.write("growing", churn.slice(1500, 300))
    second = split_made(rooms, replace(wish, base=first.id))
    assert second.dataset_version == 2
    assert second.counts == {**first.counts, "train": first.counts["train"] + 300}
    assert len(training.list_splits(ANN, ListSplits(workspace="demo", dataset="growing")).items) == 2
    with pytest.raises(Invalid, match="names rows by another column"):
        training.create_split(ANN, replace(wish, base=first.id, key_column=None))


@pytest.fixture(scope="module")
def charges(rooms: Rooms, lakeside: Lakeside, churn: pl.DataFrame) -> Split:
    """A split for regression, by groups; nobody named the task."""
    lakeside.write("charges", churn.head(400))
    return split_made(
        rooms, replace(WISH, dataset="charges", target="MonthlyCharges", group_column="customerID", key_column=None)
    )


def test_the_task_of_a_split_is_found_from_its_target_and_kept_by_its_runs(
    rooms: Rooms, training: Training, charges: Split, split: Split
) -> None:
    assert (split.task, charges.task, charges.group_column) == ("classification", "regression", "customerID")
    assert charges.notes == ("the task is regression: target 'MonthlyCharges' holds fractions",)
    with pytest.raises(Invalid, match="'logistic_regression' does not do regression") as caught:
        training.start_run(ANN, StartRun(workspace="demo", recipe="logistic_regression", split=charges.id))
    assert "linear_regression" in caught.value.allowed
    run = trained(rooms, charges, recipe="linear_regression")
    assert (run.state, run.task) == ("FINISHED", "regression"), run.error
    assert {"cv_rmse", "cv_rmse_sd", "rmse", "r2"} <= set(run.metrics)
    assert training.list_runs(ANN, ListRuns(workspace="demo", task="regression")).items == [run]
    wish = EvaluateRun(workspace="demo", run=run.id)
    training.evaluate_run(ANN, wish)
    found = rooms.until(lambda: (known := training.get_evaluation(ANN, wish)).state != "PENDING" and known)
    assert (found.state, found.interval["metric"], found.auc) == ("READY", "rmse", {}), found.error
    version = training.register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="charges"))
    assert version.metrics["test_rmse"] == found.metrics["rmse"]
    card = rooms.get(Models).get_card(ANN, OneVersion(workspace="demo", model="charges", number=1))
    texts = {section.name: section.text for section in card.sections}
    assert "predicts `MonthlyCharges` (a number)" in texts["summary"]
    assert f"RMSE {found.interval['value']:.4f}, 95% interval" in texts["evaluation"]


def test_a_split_by_columns_that_play_two_parts_is_refused(training: Training) -> None:
    with pytest.raises(Invalid, match="the group and the time are two columns"):
        training.create_split(ANN, replace(WISH, group_column="tenure", time_column="tenure"))
    with pytest.raises(Invalid, match="cannot be this column") as caught:
        training.create_split(ANN, replace(WISH, group_column="Churn"))
    assert caught.value.field == "group_column"
    with pytest.raises(Invalid, match="needs the column whose rows are one list") as caught:
        training.create_split(ANN, replace(WISH, task="ranking"))
    assert caught.value.field == "group_column"


@pytest.mark.parametrize(
    ("told", "words", "field"),
    [
        (
            {"task": "regression", "action_column": None, "episode_column": "Contract"},
            "only a policy",
            "episode_column",
        ),
        ({"discount": 0.9}, "steps follow each other in an episode", "episode_column"),
        ({"episode_column": "Contract"}, "needs the column that puts its rows in order", "step_column"),
        (
            {"episode_column": "Contract", "step_column": "tenure", "group_column": "gender"},
            "are the groups",
            "group_column",
        ),
        ({"episode_column": "Contract", "step_column": "done"}, "plays another part already", "step_column"),
        ({"episode_column": "tenure", "step_column": "tenure"}, "are two columns", "episode_column"),
    ],
)
def test_columns_of_episodes_that_do_not_fit_are_refused(
    training: Training, told: dict[str, Any], words: str, field: str
) -> None:
    wish = {"task": "policy", "action_column": "done", "target": "MonthlyCharges", **told}
    with pytest.raises(Invalid, match=words) as caught:
        training.create_split(ANN, replace(WISH, **wish))
    assert caught.value.field == field


def test_a_run_records_metrics_history_files_and_lineage(rooms: Rooms, training: Training, run: Run) -> None:
    assert run.state == "FINISHED", run.error
    assert run.metrics["cv_roc_auc"] > 0.78
    assert run.package is not None
    assert run.package.runtime == "onnx"
    points = training.get_metric_history(ANN, OneMetric(workspace="demo", run=run.id, metric="train_loss"))
    assert [point.step for point in points] == list(range(1, 16))
    report = training.get_run_report(ANN, OneRun(workspace="demo", run=run.id))
    assert set(report["curves"]) == {"roc", "pr", "calibration", "confusion"}
    with rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges.c.src_kind, lineage_edges.c.src_id, lineage_edges.c.dst_kind)).all()
    assert ("split", run.split, "run") in edges
    assert ("dataset_version", "demo/telco-churn/1", "split") in edges


def test_the_files_of_a_run_are_blobs(training: Training, run: Run) -> None:
    names = [artifact.name for artifact in training.list_artifacts(ANN, OneRun(workspace="demo", run=run.id))]
    package = ["package/manifest.json", "package/model.onnx", "package/samples.json"]
    assert names == ["folds.parquet", *package, "report.json"]
    artifact, path = training.artifact("demo", run.id, "package/model.onnx")
    assert path.stat().st_size == artifact.size
    with pytest.raises(NotFound, match="no file 'secret'"):
        training.artifact("demo", run.id, "secret")


def test_a_metric_that_is_not_there_is_refused_with_those_that_are(training: Training, run: Run) -> None:
    with pytest.raises(NotFound) as caught:
        training.get_metric_history(ANN, OneMetric(workspace="demo", run=run.id, metric="auc"))
    assert "fold_roc_auc" in caught.value.allowed


def test_params_get_their_defaults_and_wrong_ones_are_refused_at_once(training: Training, run: Run) -> None:
    assert (run.params["trees"], run.params["max_depth"]) == (15, 3)
    with pytest.raises(Invalid, match="'trees'") as caught:
        training.start_run(
            ANN, StartRun(workspace="demo", recipe="lightgbm", split=run.split, params={"trees": "many"})
        )
    assert caught.value.field == "params.trees"
    with pytest.raises(Invalid, match="no recipe 'alchemy'"):
        training.start_run(ANN, StartRun(workspace="demo", recipe="alchemy", split=run.split))
    with pytest.raises(NotFound, match="no split"):
        training.start_run(ANN, StartRun(workspace="demo", recipe="lightgbm", split="01NONE"))


def test_a_run_shows_its_progress_and_can_be_cancelled_and_deleted(
    rooms: Rooms, training: Training, split: Split
) -> None:
    wish = StartRun(workspace="demo", recipe="random_forest", split=split.id, params={"trees": 3000}, key="slow")
    run = training.start_run(ANN, wish)
    name = OneRun(workspace="demo", run=run.id)
    assert training.start_run(ANN, wish).id == run.id

    def running() -> bool:
        follow(rooms.registry)
        seen = training.get_run(ANN, name)
        return seen.state == "RUNNING" and seen.progress is not None and bool(seen.progress.stage)

    rooms.until(running)
    with pytest.raises(Conflict, match="is RUNNING"):
        training.delete_run(ANN, name)
    training.cancel_run(ANN, name)
    assert ended(rooms, run).state == "KILLED"
    with pytest.raises(Conflict, match="KILLED already"):
        training.cancel_run(ANN, name)
    training.delete_run(ANN, name)
    with pytest.raises(NotFound):
        training.run("demo", run.id)


def test_a_run_that_fails_says_why(rooms: Rooms, split: Split) -> None:
    run = trained(rooms, split, features=["no such column"])
    assert run.error is not None
    assert (run.state, run.error["value"]) == ("FAILED", "no such column")


def test_taking_over_a_result_twice_changes_nothing(rooms: Rooms, training: Training, run: Run) -> None:
    before = training.run("demo", run.id)
    fit_done(rooms.registry, job_of(rooms, run))
    assert training.run("demo", run.id) == before


def test_runs_are_filtered_sorted_by_a_metric_paged_and_compared(
    rooms: Rooms, training: Training, split: Split
) -> None:
    params = [{"strength": 1.0}, {"strength": 0.0001}, {"strength": 0.01}]
    found = [trained(rooms, split, experiment="sorted", params=values) for values in params]
    by_auc = ListRuns(workspace="demo", experiment="sorted", sort="roc_auc", limit=2)
    page = training.list_runs(ANN, by_auc)
    rest = training.list_runs(ANN, replace(by_auc, cursor=page.next))
    values = [run.metrics["roc_auc"] for run in (*page.items, *rest.items)]
    assert values == sorted((run.metrics["roc_auc"] for run in found), reverse=True)
    assert training.list_runs(ANN, ListRuns(workspace="demo", experiment="sorted", limit=1)).items == [found[2]]
    assert training.list_runs(ANN, ListRuns(workspace="demo", sort="no_such_metric")).items == []
    with pytest.raises(Invalid, match="damaged"):
        training.list_runs(ANN, replace(by_auc, cursor="eA"))
    compared = training.compare_runs(ANN, CompareRuns(workspace="demo", runs=[run.id for run in found]))
    assert compared.differences == {"params.strength": (1.0, 0.0001, 0.01)}
    assert compared.metrics["roc_auc"] == tuple(run.metrics["roc_auc"] for run in found)
    with pytest.raises(Invalid, match="1 runs"):
        training.compare_runs(ANN, CompareRuns(workspace="demo", runs=[found[0].id]))
    training.delete_experiment(ANN, OneExperiment(workspace="demo", experiment="sorted"))
    with pytest.raises(NotFound):
        training.run("demo", found[0].id)


def test_tags_are_set_taken_away_and_guarded_by_version(training: Training, run: Run) -> None:
    first = training.tag_run(ANN, TagRun(workspace="demo", run=run.id, tags={"why": "baseline"}))
    tagged = training.tag_run(ANN, TagRun(workspace="demo", run=run.id, tags={"why": "", "owner": "Ann"}))
    assert tagged.tags == {"owner": "Ann"}
    with pytest.raises(Stale):
        training.tag_run(ANN, TagRun(workspace="demo", run=run.id, tags={"a": "b"}, expected_version=first.version))


def test_a_part_is_evaluated_once_and_the_card_of_the_version_holds_the_facts(
    rooms: Rooms, training: Training, run: Run
) -> None:
    wish = EvaluateRun(workspace="demo", run=run.id, part="test")
    with pytest.raises(NotFound, match="not evaluated"):
        training.get_evaluation(ANN, wish)
    training.evaluate_run(ANN, wish)
    found = rooms.until(lambda: (known := training.get_evaluation(ANN, wish)).state != "PENDING" and known)
    assert found.state == "READY", found.error
    assert found.auc["low"] < found.auc["value"] < found.auc["high"]
    assert training.evaluate_run(ANN, wish) == found
    assert training.get_evaluation_report(ANN, wish)["importance"][0]["drop"] > 0
    assert training.list_evaluations(ANN, OneRun(workspace="demo", run=run.id)) == [found]
    version = training.register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="churn"))
    assert training.register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="churn")) == version
    assert run.package is not None
    assert (version.number, version.digest, version.source) == (1, run.package.digest, run.id)
    assert version.metrics["test_roc_auc"] == found.metrics["roc_auc"]
    card = rooms.get(Models).get_card(ANN, OneVersion(workspace="demo", model="churn", number=1))
    text = "\n".join(section.text for section in card.sections)
    assert "`telco-churn` version 1" in text
    assert "On the 225 rows of part `test`" in text


def test_the_review_compares_with_the_champion_on_the_same_test_rows(rooms: Rooms, training: Training) -> None:
    models = rooms.get(Models)
    split = split_made(rooms, replace(WISH, workspace="auto"), AMY)
    gates = []
    for number, features in ((1, None), (2, ["gender", "PhoneService", "Partner"])):
        run = trained(rooms, split, AMY, features=features)
        training.register_run(AMY, RegisterRun(workspace="auto", run=run.id, model="churn"))
        review = reviewed(rooms, number)
        gates.append(next(check for check in review.checks if check.name == "training.metric_gate"))
        if number == 1:
            models.set_alias(AMY, SetAlias(workspace="auto", model="churn", alias="champion", number=1))
    assert [gate.passed for gate in gates] == [True, False]
    assert "no champion yet" in gates[0].evidence
    assert gates[1].detail["difference"] < -0.1
    assert models.version("auto", "churn", 1).review == "APPROVED"
    assert models.version("auto", "churn", 2).review == "QUARANTINED"


def test_experiments_are_created_by_people_and_by_runs(training: Training, run: Run) -> None:
    training.create_experiment(ANN, CreateExperiment(workspace="demo", name="Who leaves?"))
    with pytest.raises(Conflict, match="taken"):
        training.create_experiment(ANN, CreateExperiment(workspace="demo", name="Who leaves?"))
    listed = {item.slug: item.runs for item in training.list_experiments(ANN, ListExperiments(workspace="demo")).items}
    assert listed["who-leaves"] == 0
    assert listed[run.experiment] >= 1
    shown = training.get_experiment(ANN, OneExperiment(workspace="demo", experiment="who-leaves"))
    assert shown.name == "Who leaves?"


def test_who_may_only_read_starts_nothing(training: Training) -> None:
    with pytest.raises(Forbidden, match=r"training\.edit"):
        training.create_split(EVE, WISH)
    with pytest.raises(NotFound, match="no workspace"):
        training.create_split(EVE, replace(WISH, workspace="auto"))


def test_every_change_is_told_and_audited(rooms: Rooms, run: Run) -> None:
    with rooms.get(Database).read() as conn:
        query = select(events_log.c.type).where(events_log.c.subject == f"run:{run.id}").order_by(events_log.c.seq)
        told = list(conn.execute(query).scalars())
        audits = select(audit_log.c.action, audit_log.c.actor).where(audit_log.c.object == f"run:{run.id}")
        assert ("training.run.start", "Ann") in conn.execute(audits).all()
    assert told[0] == "training.run.created"
    assert "training.run.finished" in told


def test_runs_and_experiments_are_found_by_what_they_are(rooms: Rooms, run: Run) -> None:
    found = document(rooms.registry, "demo", f"run:{run.id}")
    group = document(rooms.registry, "demo", f"experiment:{run.experiment}")
    assert found is not None
    assert group is not None
    assert (found.title, "telco-churn" in found.text) == ("First try 😀", True)
    assert document(rooms.registry, "demo", "run:01NONE") is None
    assert document(rooms.registry, "demo", "split:01NONE") is None


def test_further_targets_that_are_something_else_are_refused_before_a_job_begins(
    training: Training, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes_module, "is_installed", lambda _: True)
    start = StartRun(workspace="demo", recipe="torch_mlp", split=split.id, params={"beside": ["Churn"]})
    study = CreateStudy(workspace="demo", recipe="torch_mlp", split=split.id, params={"beside": ["Churn"]})
    inputs = {"params": {"beside": ["gender"]}, "features": ["gender", "tenure"]}
    for ask, told in (
        (lambda: training.start_run(ANN, start), "'Churn' is the target of the split"),
        (lambda: training.start_run(ANN, replace(start, **inputs)), "'gender' is an input of the run"),
        (lambda: training.create_study(ANN, study), "'Churn' is the target of the split"),
        (lambda: training.create_study(ANN, replace(study, **inputs)), "'gender' is an input of the run"),
    ):
        with pytest.raises(Invalid, match=told) as refused:
            ask()
        assert refused.value.field == "params.beside"
