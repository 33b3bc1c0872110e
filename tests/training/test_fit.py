from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.infra.compute import Cancelled, JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.kernel.errors import Invalid
from aimass.models import verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import Fit, FitContext, fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.sources import Source, read_rows
from aimass.training.children.split import split
from aimass.training.errors import NotFinite, Unlearnable
from aimass.training.measures.ranking import roc_auc

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
Make = Callable[..., Any]


def split_of(make_job: Make, dataset: dict[str, Any], target: str, key: str | None) -> dict[str, Any]:
    job = make_job({"dataset": dataset, "target": target, "key": key, "fractions": FRACTIONS, "seed": 1})
    found = split(job)
    return {"file": str(job.out / found["file"]), "sha256": found["sha256"]}


@pytest.fixture
def churn_job(dataset: dict[str, Any], make_job: Make) -> dict[str, Any]:
    parts = split_of(make_job, dataset, "Churn", "customerID")
    return {"dataset": dataset, "split": parts, "target": "Churn", "key": "customerID", "seed": 1}


def wide(rows: int, columns: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(rng.normal(size=(rows, columns)), schema=[f"x{i}" for i in range(columns)])
    return frame.with_columns(pl.Series("y", np.where(frame["x0"].to_numpy() > 0, "up", "down").tolist()))


def quick(make_job: Make, path: Path, frame: pl.DataFrame, **changes: Any) -> Any:
    frame.write_delta(str(path))
    data = {"path": str(path), "version": 0}
    parts = split_of(make_job, data, "y", None)
    base = {"dataset": data, "split": parts, "target": "y", "recipe": "logistic_regression", "params": {}}
    return make_job({**base, **changes})


def test_a_run_reaches_the_bar_on_the_churn_data(churn_job: dict[str, Any], make_job: Make) -> None:
    job = make_job({**churn_job, "recipe": "lightgbm", "params": {}})
    found = fit(job)
    report = json.loads((job.out / "report.json").read_text())
    assert found["metrics"]["cv_roc_auc"] >= 0.84
    assert len(report["folds"]) == 5
    assert found["package"]["runtime"] == "onnx"
    assert report["rows"] == {"train": 4219, "validation": 1406, "test": 1407}
    assert set(report["curves"]) == {"roc", "pr", "calibration", "confusion"}


def test_the_folds_say_something_of_each_training_row_by_its_place(churn_job: dict[str, Any], make_job: Make) -> None:
    job = make_job({**churn_job, "recipe": "logistic_regression", "params": {}, "folds": 3})
    found = fit(job)
    said = pl.read_parquet(job.out / "folds.parquet")
    assert said.schema == {"row": pl.UInt32, "fold": pl.UInt8, "p0": pl.Float32, "p1": pl.Float32}
    parts = pl.read_parquet(churn_job["split"]["file"])
    assert sorted(said["row"]) == parts.filter(pl.col("part") == "train")["row"].to_list()
    source = Source.of(job.params)
    truth = (read_rows(source)["Churn"] == "Yes").to_numpy()[said["row"].to_numpy()]
    areas = [roc_auc(truth[rows], said["p1"].to_numpy()[rows]) for rows in (said["fold"] == n for n in (1, 2, 3))]
    assert np.mean(areas) == pytest.approx(found["metrics"]["cv_roc_auc"], abs=1e-4)


def test_the_package_tells_types_nulls_and_categories(churn_job: dict[str, Any], make_job: Make) -> None:
    job = make_job({**churn_job, "recipe": "logistic_regression", "params": {}, "unseen": {"Contract": "refuse"}})
    fit(job)
    columns = {column.name: column for column in verify_package(job.out / "package").manifest.signature.inputs}
    assert len(columns) == 19
    assert columns["Contract"].categories == ("Month-to-month", "One year", "Two year")
    assert columns["Contract"].unseen == "refuse"
    assert (columns["tenure"].type, columns["TotalCharges"].type) == ("integer", "float")
    assert not columns["TotalCharges"].nullable


def test_the_evaluation_reads_the_exported_file(churn_job: dict[str, Any], make_job: Make) -> None:
    run = make_job({**churn_job, "recipe": "logistic_regression", "params": {}})
    package = fit(run)["package"]
    job = make_job({**churn_job, "package": str(run.out / "package"), "part": "test"})
    found = evaluate(job)
    body = json.loads((job.out / "evaluation.json").read_text())
    assert found["package"] == package["digest"]
    assert found["auc"]["low"] < found["auc"]["value"] == found["metrics"]["roc_auc"] < found["auc"]["high"]
    assert found["auc"]["value"] > 0.81
    assert "tenure" in {item["column"] for item in body["importance"][:5]}


def test_the_gate_lets_an_equal_model_pass_and_a_worse_one_not(churn_job: dict[str, Any], make_job: Make) -> None:
    good, poor = make_job({**churn_job, "recipe": "lightgbm"}), make_job({**churn_job, "recipe": "lightgbm"})
    poor.params |= {"features": ["SeniorCitizen", "Partner"], "folds": 2}
    for job in (good, poor):
        fit(job)
    champion = str(good.out / "package")
    equal = metric_gate(make_job({**churn_job, "package": champion, "champion": champion}))
    worse = metric_gate(make_job({**churn_job, "package": str(poor.out / "package"), "champion": champion}))
    first = metric_gate(make_job({**churn_job, "package": champion}))
    assert (equal["passed"], worse["passed"], first["passed"]) == (True, False, True)
    assert worse["detail"]["difference"] < -0.1
    assert worse["detail"]["p_value"] < 0.001
    assert "no champion yet" in first["evidence"]


def test_a_second_attempt_repeats_no_finished_fold(churn_job: dict[str, Any], make_job: Make) -> None:
    job = make_job({**churn_job, "recipe": "gradient_boosting", "params": {"trees": 20}})
    directory = JobDirectory(job.out.parent)
    seen: list[str] = []

    class Watched(JobContext):
        def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
            seen.append(stage)
            if self.attempt == job.attempt and stage == "fold 3":
                (directory.path / "cancel").touch()
            super().report(fraction, stage, **metrics)

    with pytest.raises(Cancelled):
        fit(Watched(directory, job.attempt))
    seen.clear()
    second = fit(Watched(directory, directory.take()))
    again = make_job(job.params)
    undisturbed = fit(again)
    assert "fold 1" not in seen
    assert "fold 2" not in seen
    assert "fold 3" in seen
    assert second["metrics"]["cv_roc_auc"] == undisturbed["metrics"]["cv_roc_auc"]
    assert second["package"]["digest"] == undisturbed["package"]["digest"]
    assert pl.read_parquet(job.out / "folds.parquet").equals(pl.read_parquet(again.out / "folds.parquet"))


def test_a_column_without_values_is_left_out_with_a_note(tmp_path: Path, make_job: Make) -> None:
    frame = wide(200, 3).with_columns(pl.lit(None, dtype=pl.String).alias("nothing"))
    found = fit(quick(make_job, tmp_path / "d", frame))
    assert found["notes"] == ["column 'nothing' left out: it holds no values in the training part"]


def test_a_column_that_names_each_row_is_left_out_with_a_note(tmp_path: Path, make_job: Make) -> None:
    frame = wide(400, 3).with_columns(pl.Series("id", [f"row-{i}" for i in range(400)]))
    assert "looks like a key" in fit(quick(make_job, tmp_path / "d", frame))["notes"][0]


def test_too_few_rows_of_a_class_are_refused_by_name(tmp_path: Path, make_job: Make) -> None:
    frame = wide(200, 2)
    rare = pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("rare")).otherwise(pl.col("y"))
    with pytest.raises(Unlearnable, match="'rare' has 3 training rows"):
        fit(quick(make_job, tmp_path / "d", frame.with_columns(rare.alias("y"))))


def test_ten_thousand_columns_meet_a_clear_limit_and_chosen_ones_work(tmp_path: Path, make_job: Make) -> None:
    job = quick(make_job, tmp_path / "d", wide(120, 10_000))
    with pytest.raises(Unlearnable, match="10000 columns") as caught:
        fit(job)
    assert caught.value.hint == "name the columns that matter in 'features'"
    assert fit(make_job({**job.params, "features": ["x0", "x1"], "folds": 3}))["metrics"]["roc_auc"] > 0.9


def test_infinite_values_are_refused_with_their_column(tmp_path: Path, make_job: Make) -> None:
    frame = wide(200, 2).with_columns(pl.when(pl.col("x1") > 1).then(float("inf")).otherwise(pl.col("x1")).alias("x1"))
    with pytest.raises(Unlearnable, match="'x1' holds infinite"):
        fit(quick(make_job, tmp_path / "d", frame))


def test_a_feature_that_is_not_there_is_refused(tmp_path: Path, make_job: Make) -> None:
    with pytest.raises(Invalid, match="'x9'"):
        fit(quick(make_job, tmp_path / "d", wide(200, 2), features=["x9"]))


def test_whole_numbers_and_truth_values_are_targets_too(tmp_path: Path, make_job: Make) -> None:
    frame = wide(300, 3).with_columns(pl.col("x0") > 0, pl.Series("y", [float(i % 3) for i in range(300)]))
    job = quick(make_job, tmp_path / "d", frame)
    fit(job)
    assert verify_package(job.out / "package").manifest.signature.classes == ("0", "1", "2")


def test_a_loss_that_is_no_number_stops_the_run(make_job: Make) -> None:
    context = FitContext(
        job=make_job({}),
        task="classification",
        params=None,
        signature=None,
        seed=0,
        threads=1,
        stage="fit",
        start=0,
        share=1,
        tables={},
    )
    with pytest.raises(NotFinite, match="train_loss became nan at step 3"):
        context.report(3, 10, train_loss=float("nan"))


def test_kill_9_of_a_run_loses_at_most_one_fold(churn_job: dict[str, Any], make_job: Make) -> None:
    job = make_job({**churn_job, "recipe": "gradient_boosting", "params": {"trees": 60}})
    directory = JobDirectory(job.out.parent)
    code = (
        "import sys; from pathlib import Path; from aimass.infra.compute import JobContext;"
        "from aimass.infra.compute.directory import JobDirectory; from aimass.training.children.fit import fit;"
        "d = JobDirectory(Path(sys.argv[1])); fit(JobContext(d, d.take()))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(directory.path)])
    deadline = time.monotonic() + 60
    while directory.restore("folds") is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    kept = json.loads(directory.restore("folds") or b"{}")["folds"]
    again = JobContext(directory, directory.take())
    stages: list[str] = []
    found = fit(_noting(again, stages))
    assert len(kept) >= 1
    assert f"fold {len(kept)}" not in stages
    assert found["metrics"]["cv_roc_auc"] == pytest.approx(
        np.mean([fold["roc_auc"] for fold in json.loads(directory.restore("folds") or b"{}")["folds"]])
    )


def _noting(job: JobContext, stages: list[str]) -> JobContext:
    report = job.report

    def noted(fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        stages.append(stage)
        report(fraction, stage, **metrics)

    job.report = noted
    return job


def test_the_run_class_is_small_enough_to_read() -> None:
    assert {name for name in vars(Fit) if not name.startswith("_")} == {
        "cross_validate",
        "final",
        "report_of",
        "package",
    }
