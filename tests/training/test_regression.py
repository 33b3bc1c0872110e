"""Regression through the jobs: splits, folds, figures against scikit-learn's own, packages, evaluation and the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
RIDGE = {"recipe": "linear_regression", "params": {"penalty": 2.0}}
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def patients() -> pl.DataFrame:
    """The 442 patients of scikit-learn's diabetes data, with a clinic of each and the day of his visit."""
    found: Any = load_diabetes(scaled=False)
    rng = np.random.default_rng(5)
    frame = pl.DataFrame(found["data"], schema=list(found["feature_names"]))
    return frame.with_columns(
        pl.Series("progression", found["target"]),
        pl.Series("clinic", rng.integers(0, 40, frame.height).astype(str).tolist()),
        (pl.date(2026, 1, 1) + pl.duration(days=pl.Series(rng.permutation(frame.height) // 3))).alias("day"),
    )


@pytest.fixture(scope="module")
def data(patients: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "patients"
    patients.write_delta(str(path))
    return {"path": str(path), "version": 0}


def splitting(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"dataset": data, "target": "progression", "key": None, "fractions": FRACTIONS, "seed": 1}
    return {**base, **more}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Split, and return what a run on it needs."""
    job = make_job(splitting(data, **more))
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**splitting(data, **more), "split": parts, "task": found["task"], "unseen": {}}


def parts_of(wish: dict[str, Any]) -> pl.Series:
    return pl.read_parquet(wish["split"]["file"])["part"]


def ordered(patients: pl.DataFrame) -> pl.DataFrame:
    """The rows in canonical order: by content, where no key names them."""
    return patients.sort(patients.columns)


def learnt(patients: pl.DataFrame, wish: dict[str, Any]) -> tuple[Any, Any, pl.DataFrame]:
    """Inputs as a graph sees them, truth, and the rows of the training part."""
    rows = ordered(patients).filter(parts_of(wish) == "train")
    inputs = rows.drop("progression", "clinic", "day").to_numpy().astype(np.float32)
    return inputs, rows["progression"].to_numpy(), rows


def independent() -> Any:
    return make_pipeline(StandardScaler(), Ridge(2.0))


def test_the_figures_are_those_of_scikit_learn_on_the_same_folds(
    patients: pl.DataFrame, data: dict[str, Any], make_job: Make
) -> None:
    wish = ready(make_job, data)
    columns = [name for name in patients.columns if name not in ("progression", "clinic", "day")]
    job = make_job({**wish, **RIDGE, "features": columns})
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    inputs, truth, _ = learnt(patients, wish)
    folds = KFold(5, shuffle=True, random_state=1)
    own = -cross_val_score(independent(), inputs, truth, cv=folds, scoring="neg_root_mean_squared_error")
    assert [fold["rmse"] for fold in report["folds"]] == pytest.approx(own, rel=1e-4)
    assert found["metrics"]["cv_rmse"] == pytest.approx(own.mean(), rel=1e-4)
    assert found["metrics"]["cv_rmse_sd"] == pytest.approx(own.std(ddof=1), rel=1e-3)
    assert set(found["metrics"]) >= {"rmse", "mae", "median_ae", "r2", "mape"}
    said = pl.read_parquet(job.out / "folds.parquet").sort("row")
    assert said.columns == ["row", "fold", "p0"]
    whole = cross_val_predict(independent(), inputs, truth, cv=folds)
    assert said["p0"].to_numpy() == pytest.approx(whole, rel=1e-4)
    assert (report["task"], set(report["curves"])) == ("regression", {"pairs", "deciles", "residuals"})
    assert sum(report["curves"]["residuals"]["counts"]) == report["rows"]["validation"]


def test_the_folds_keep_groups_whole_and_time_in_order(
    patients: pl.DataFrame, data: dict[str, Any], make_job: Make
) -> None:
    columns = ["bmi", "bp", "s5"]
    wish = {**ready(make_job, data, group="clinic"), **RIDGE, "features": columns}
    inputs, truth, rows = learnt(patients, wish)
    places = [rows.drop("progression", "clinic", "day").columns.index(name) for name in columns]
    cuts = GroupKFold(5, shuffle=True, random_state=1).split(inputs, truth, rows["clinic"].to_numpy())
    own = -cross_val_score(
        independent(), inputs[:, places], truth, cv=list(cuts), scoring="neg_root_mean_squared_error"
    )
    assert fit(make_job(wish))["metrics"]["cv_rmse"] == pytest.approx(own.mean(), rel=1e-4)
    wish = {**ready(make_job, data, time="day"), **RIDGE, "features": columns}
    inputs, truth, rows = learnt(patients, wish)
    order = np.argsort(rows["day"].to_physical().to_numpy(), kind="stable")
    inputs, truth = inputs[order][:, places], truth[order]
    own = -cross_val_score(independent(), inputs, truth, cv=TimeSeriesSplit(5), scoring="neg_root_mean_squared_error")
    assert fit(make_job(wish))["metrics"]["cv_rmse"] == pytest.approx(own.mean(), rel=1e-4)


def test_a_package_answers_a_number_per_row_and_the_gate_compares_two(
    patients: pl.DataFrame, data: dict[str, Any], make_job: Make
) -> None:
    wish = ready(make_job, data)
    good, poor = make_job({**wish, **RIDGE}), make_job({**wish, **RIDGE, "features": ["age"], "folds": 2})
    for job in (good, poor):
        assert fit(job)["package"]["runtime"] == "onnx"
    package = verify_package(good.out / "package")
    samples = package.samples()
    answers = load_model(package).predict(samples["inputs"])["value"]
    assert answers.shape == (20,)
    assert answers == pytest.approx(samples["outputs"]["value"], rel=1e-4)
    job = make_job({**wish, "package": str(good.out / "package"), "part": "test"})
    found, report = evaluate(job), json.loads((job.out / "evaluation.json").read_text())
    interval = found["interval"]
    assert (interval["metric"], found["auc"]) == ("rmse", {})
    assert interval["low"] < interval["value"] == found["metrics"]["rmse"] < interval["high"]
    assert {one["column"] for one in report["importance"][:4]} >= {"bmi", "s5"}
    assert report["importance"][0]["drop"] > 0
    champion = str(good.out / "package")
    equal = metric_gate(make_job({**wish, "package": champion, "champion": champion}))
    worse = metric_gate(make_job({**wish, "package": str(poor.out / "package"), "champion": champion}))
    first = metric_gate(make_job({**wish, "package": champion}))
    assert (equal["passed"], worse["passed"], first["passed"]) == (True, False, True)
    assert worse["detail"]["low"] > 0
    assert "RMSE" in worse["evidence"]
    hopeless = metric_gate(make_job({**wish, "package": champion, "minimum": 0.99}))
    assert "R² 0." in hopeless["evidence"]
    assert not hopeless["passed"]


def test_each_part_gets_its_share_of_small_and_large_numbers(
    patients: pl.DataFrame, data: dict[str, Any], make_job: Make
) -> None:
    parts = parts_of(ready(make_job, data))
    target = ordered(patients)["progression"]
    middle = target.median()
    shares = [float((target.filter(parts == part) > middle).mean()) for part in FRACTIONS]
    assert shares == pytest.approx([0.5, 0.5, 0.5], abs=0.06)


def test_a_group_lies_in_one_part_also_when_the_dataset_grows(
    patients: pl.DataFrame, tmp_path: Path, make_job: Make
) -> None:
    path, more = tmp_path / "growing", {"group": "clinic"}
    patients.head(300).write_delta(str(path))
    first = ready(make_job, {"path": str(path), "version": 0}, **more)
    patients.tail(142).write_delta(str(path), mode="append")
    second = ready(make_job, {"path": str(path), "version": 1}, base=first["split"]["file"], **more)
    for wish, rows in ((first, patients.head(300)), (second, patients)):
        table = ordered(rows).with_columns(parts_of(wish))
        assert table.group_by("clinic").agg(pl.col("part").n_unique())["part"].max() == 1
        assert {"train", "validation", "test"} == set(table["part"])
    shares = dict(parts_of(first).value_counts().iter_rows())
    assert {part: count / 300 for part, count in shares.items()} == pytest.approx(FRACTIONS, abs=0.02)


def test_a_base_that_tears_a_group_is_refused(data: dict[str, Any], make_job: Make) -> None:
    base = ready(make_job, data)["split"]["file"]
    with pytest.raises(Unlearnable, match="lie in more than one part") as caught:
        split(make_job(splitting(data, group="clinic", base=base)))
    assert (caught.value.field, caught.value.value) == ("group_column", "clinic")


def test_later_rows_go_to_later_parts_and_one_day_to_one_part(
    patients: pl.DataFrame, data: dict[str, Any], make_job: Make
) -> None:
    table = ordered(patients).with_columns(parts_of(ready(make_job, data, time="day")))
    spans = {part: table.filter(pl.col("part") == part)["day"] for part in FRACTIONS}
    assert spans["train"].max() < spans["validation"].min()
    assert spans["validation"].max() < spans["test"].min()


def test_rows_that_lie_in_two_parts_are_told(patients: pl.DataFrame, tmp_path: Path, make_job: Make) -> None:
    pl.concat([patients, patients]).write_delta(str(tmp_path / "twice"))
    found = split(make_job(splitting({"path": str(tmp_path / "twice"), "version": 0}, key=None)))
    assert "rows occur in more than one part" in found["notes"][-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.lit("text").alias("progression"), "holds text"),
        (pl.lit(float("inf")).alias("progression"), "infinite"),
        (pl.lit(3.5).alias("progression"), "is the same"),
    ],
)
def test_targets_that_are_no_numbers_are_refused(
    patients: pl.DataFrame, tmp_path: Path, make_job: Make, change: Any, words: str
) -> None:
    patients.with_columns(change).write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match=words):
        split(make_job(splitting({"path": str(tmp_path / "d"), "version": 0}, task="regression")))


def test_a_time_that_is_none_is_refused_by_its_column(
    data: dict[str, Any], patients: pl.DataFrame, tmp_path: Path, make_job: Make
) -> None:
    patients.with_columns(pl.lit("soon").alias("day")).write_delta(str(tmp_path / "d"))
    with pytest.raises(Invalid, match="cannot be read as times") as caught:
        split(make_job(splitting({"path": str(tmp_path / "d"), "version": 0}, time="day")))
    assert (caught.value.field, caught.value.value) == ("time_column", "day")
    assert "soon" not in str(caught.value.problem())


def test_a_recipe_for_classes_refuses_numbers_with_those_that_can(data: dict[str, Any], make_job: Make) -> None:
    with pytest.raises(Invalid, match="does not do regression") as caught:
        fit(make_job({**ready(make_job, data), "recipe": "logistic_regression"}))
    assert "linear_regression" in caught.value.allowed


def test_more_folds_than_groups_are_refused(patients: pl.DataFrame, tmp_path: Path, make_job: Make) -> None:
    four = patients.with_columns((pl.col("clinic").cast(pl.Int64) % 8).alias("clinic"))
    four.write_delta(str(tmp_path / "d"))
    wish = ready(make_job, {"path": str(tmp_path / "d"), "version": 0}, group="clinic")
    with pytest.raises(Unlearnable, match="groups, 9 folds need 9"):
        fit(make_job({**wish, **RIDGE, "folds": 9}))
