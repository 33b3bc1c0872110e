"""Forecasting through the jobs: windows and their parts, figures against an independent count, the file, the gate, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.models.children.package import replay_samples
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.folds import cuts_of
from aimass.training.children.grids import DAY, SECOND, grid_of
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.sources import Source
from aimass.training.children.split import split
from aimass.training.children.table import prepare
from aimass.training.errors import Unlearnable
from aimass.training.measures.forecasts import compare_mase, forecast_scores, mase_interval

Make = Callable[..., Any]
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def visits() -> pl.DataFrame:
    """Hours of two doors, with a day that repeats itself; ten hours of the second door are missing, and one is null."""
    rng, hours = np.random.default_rng(3), np.arange(40 * 24)
    day = 60 + 50 * np.sin(2 * np.pi * (hours - 8) / 24)
    frames = [
        pl.DataFrame(
            {
                "door": name,
                "at": [START + timedelta(hours=int(hour)) for hour in hours],
                "visits": np.round(size * (day + rng.normal(0, 8, len(hours))).clip(0)),
            }
        )
        for name, size in (("back", 1), ("front", 20))
    ]
    frames[1] = frames[1].filter(~pl.int_range(pl.len()).is_between(200, 209))
    frames[0] = frames[0].with_columns(pl.when(pl.int_range(pl.len()) != 300).then("visits"))
    return pl.concat(frames).sample(fraction=1, shuffle=True, seed=1)


@pytest.fixture(scope="module")
def data(visits: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "visits"
    visits.write_delta(str(path))
    return {"path": str(path), "version": 0}


def wish_for(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = {"target": "visits", "task": "forecasting", "key": None, "group": "door", "time": "at", "horizon": 12}
    return {"dataset": data, **named, "fractions": FRACTIONS, "seed": 1, **more}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    wish = wish_for(data, **more)
    job = make_job(wish)
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, "horizon": found["horizon"], "split": parts, "recipe": "lag_regression", "folds": 3}


def test_windows_lie_in_one_part_touch_no_gap_and_folds_look_ahead(
    data: dict[str, Any], visits: pl.DataFrame, make_job: Make
) -> None:
    wish = ready(make_job, data)
    found = prepare(Source.of(wish), wish["split"], history=30)
    parts = pl.read_parquet(wish["split"]["file"])["part"]
    rows = visits.sort(visits.columns).with_columns(parts)
    table = {(row["door"], row["at"]): row for row in rows.iter_rows(named=True)}
    hour, truth = timedelta(hours=1), found.truth
    for place in range(0, len(truth), 37):
        row = rows.row(int(found.places[place]), named=True)
        ahead = [table[row["door"], row["at"] + step * hour] for step in range(1, 13)]
        known = [table[row["door"], row["at"] - step * hour]["visits"] for step in range(29, -1, -1)]
        assert {one["part"] for one in ahead} == {found.parts[place]}
        assert truth.ahead[place].tolist() == [one["visits"] for one in ahead]
        assert found.frame["history"][place].to_list() == known
        assert found.frame["hour"][place] == row["at"].hour
        naive = [table[row["door"], row["at"] + (step - 24) * hour]["visits"] for step in range(1, 13)]
        assert truth.naive[place].tolist() == naive
    assert truth.season == 24
    assert any("touch a moment without a value" in note for note in found.notes)
    train = found.table("train").truth
    for inside, outside in cuts_of(found, 3, 0):
        assert (train.when[inside] + 12).max() <= train.when[outside].min()


def test_a_run_forecasts_and_its_file_is_evaluated_and_compared(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    naive, short, good = (
        make_job({**wish, "recipe": recipe, "params": params})
        for recipe, params in (("seasonal_naive", {}), ("lag_regression", {"history": 24}), ("lag_regression", {}))
    )
    told = [fit(job) for job in (naive, short, good)]
    assert {one["package"]["runtime"] for one in told} == {"onnx"}
    assert told[0]["metrics"]["skill"] == 0
    assert told[2]["metrics"]["cv_skill"] > 0.15
    package = verify_package(good.out / "package")
    assert replay_samples(package, load_model(package))["passed"]
    whose = json.loads((good.out / "sampled.json").read_text())  # by which an erasure finds them
    assert (len(whose), set(whose)) == (len(package.samples()["outputs"]["forecast"]), {"back", "front"})
    answer = load_model(package).predict({"history": [list(range(48))], "hour": [7], "weekday": [1]})
    assert [answer[name].shape for name in ("forecast", "low", "high")] == [(1, 12)] * 3
    job = make_job({**wish, "package": str(good.out / "package"), "part": "test"})
    found, report = evaluate(job), json.loads((job.out / "evaluation.json").read_text())
    assert found["interval"]["low"] < found["metrics"]["mase"] < found["interval"]["high"]
    assert len(report["curves"]["ahead"]["mae"]) == 12
    shown = report["curves"]["shown"]
    assert np.diff(shown["at"]).min() == 3600
    assert report["importance"][0]["column"] == "history"
    champion = str(short.out / "package")
    same = metric_gate(make_job({**wish, "package": champion, "champion": champion}))
    better = metric_gate(
        make_job({**wish, "package": str(good.out / "package"), "champion": str(naive.out / "package")})
    )
    longer = metric_gate(make_job({**wish, "package": champion, "champion": str(good.out / "package")}))
    assert same["passed"]
    assert better["passed"]
    assert better["detail"]["difference"] < 0
    assert "on the same" in longer["evidence"]
    worse = metric_gate(
        make_job({**wish, "package": str(naive.out / "package"), "champion": str(good.out / "package")})
    )
    assert not worse["passed"]
    assert "MASE" in worse["evidence"]


def test_steps_ahead_are_found_and_features_chosen(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, horizon=None)
    assert wish["horizon"] == 24
    job = make_job({**wish, "features": ["history"]})
    fit(job)
    assert [one.name for one in verify_package(job.out / "package").manifest.signature.inputs] == ["history"]
    with pytest.raises(Invalid, match="learned from the history"):
        fit(make_job({**wish, "features": ["door"]}))


def test_the_figures_are_those_of_an_independent_count(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    truth = prepare(Source.of(wish), wish["split"], history=30).table("test").truth
    rng = np.random.default_rng(0)
    forecast = truth.ahead + rng.normal(0, 5, truth.ahead.shape)
    said = np.concatenate([forecast, forecast - 3, forecast + 3], axis=1)
    scores = forecast_scores(truth, said)
    scaled = [
        abs(f - y) / truth.scale[row]
        for row in range(len(truth))
        for f, y in zip(forecast[row].tolist(), truth.ahead[row].tolist(), strict=True)
    ]
    shares = [
        2 * abs(f - y) / (abs(f) + abs(y)) for f, y in zip(forecast.ravel(), truth.ahead.ravel(), strict=True) if f or y
    ]
    assert scores["mase"] == pytest.approx(sum(scaled) / len(scaled))
    assert scores["smape"] == pytest.approx(sum(shares) / truth.ahead.size)
    assert scores["coverage"] == pytest.approx(float((abs(forecast - truth.ahead) <= 3).mean()))
    interval = mase_interval(truth, said)
    assert interval.low < interval.value < interval.high
    nothing = compare_mase(truth, said, said)
    assert (nothing.difference, nothing.p_value) == (0.0, 1.0)


def rows_of(stamps: list[datetime], **more: Any) -> pl.DataFrame:
    return pl.DataFrame({"at": stamps, "visits": np.arange(len(stamps)) ** 2 % 11 + 0.5, **more})


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        ([START + timedelta(hours=hour // 2) for hour in range(400)], "have the moment of another one"),
        ([START + timedelta(hours=hour, minutes=hour % 3 // 2 * 20) for hour in range(400)], "at equal distances"),
        ([START + timedelta(hours=hour if hour < 300 else 90_000 + hour) for hour in range(400)], "most hold none"),
    ],
)
def test_rows_that_are_no_series_are_refused(tmp_path: Path, make_job: Make, stamps: list[datetime], said: str) -> None:
    rows_of(stamps).write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match=said) as caught:
        split(make_job(wish_for({"path": str(tmp_path / "d"), "version": 0}, group=None)))
    assert caught.value.hint


def test_too_few_rows_for_the_steps_ahead_are_refused(tmp_path: Path, make_job: Make) -> None:
    rows_of([START + timedelta(days=day) for day in range(60)]).write_delta(str(tmp_path / "d"))
    wish = wish_for({"path": str(tmp_path / "d"), "version": 0}, group=None)
    with pytest.raises(Unlearnable, match="holds no window") as caught:
        split(make_job({**wish, "horizon": 30}))
    assert caught.value.field == "horizon"


def test_months_are_steps_whatever_their_length(tmp_path: Path, make_job: Make) -> None:
    months = np.arange("2010-01", "2024-01", dtype="datetime64[M]").astype("datetime64[us]").astype(datetime).tolist()
    values = 100 + np.arange(len(months)) + 20 * np.sin(2 * np.pi * np.arange(len(months)) / 12)
    pl.DataFrame({"at": months, "visits": values}).write_delta(str(tmp_path / "d"))
    wish = ready(make_job, {"path": str(tmp_path / "d"), "version": 0}, group=None, horizon=None)
    assert wish["horizon"] == 12
    job = make_job({**wish, "folds": 2})
    assert fit(job)["metrics"]["skill"] > 0.5
    asked = pl.read_parquet(job.out / "asked.parquet")  # what monitoring compares questions with: figures, no histories
    assert {"history.level", "history.trend"} <= set(asked.columns)
    assert not any(one.dtype.is_nested() for one in asked.iter_columns())
    report = json.loads((job.out / "report.json").read_text())
    assert report["curves"]["season"] == 12


def test_the_step_is_the_most_frequent_distance() -> None:
    stamps = np.array([0, 1, 2, 5, 6, 0, 1]) * 15 * 60 * SECOND
    grid = grid_of(stamps, np.array([0, 0, 0, 0, 0, 1, 1]))
    assert (grid.step, grid.seasons) == (15 * 60 * SECOND, (96, 672))
    assert grid.places(stamps).tolist() == [0, 1, 2, 5, 6, 0, 1]
    weeks = grid_of(np.arange(30) * 7 * DAY, np.zeros(30))
    assert (weeks.seasons, weeks.calendar(200)) == ((52,), ("month",))


@pytest.fixture(scope="module")
def promoted(visits: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], pl.DataFrame]:
    """Visits that a promotion doubles, drawn anew for every hour, so that nothing but the promotion itself tells; and a weather."""
    rng = np.random.default_rng(5)
    frame = visits.sort("door", "at").with_columns(
        pl.Series("promotion", rng.random(visits.height) < 0.3),
        pl.Series("rain", rng.normal(0, 1, visits.height)),
    )
    lifted = pl.when("promotion").then(2 * pl.col("visits")).otherwise("visits")
    frame = frame.with_columns(lifted.alias("visits"), pl.when(pl.int_range(pl.len()) != 120).then("rain"))
    path = tmp_path_factory.mktemp("lake") / "promoted"
    frame.write_delta(str(path))
    return {"path": str(path), "version": 0}, frame


def test_columns_beside_the_target_are_cut_as_they_are_known(
    promoted: tuple[dict[str, Any], pl.DataFrame], make_job: Make
) -> None:
    data, frame = promoted
    wish = ready(make_job, data, known_ahead=["promotion"], past=["rain", "promotion"])
    found = prepare(Source.of(wish), wish["split"], history=30)
    assert found.frame.columns == ["history", "hour", "weekday", "promotion_ahead", "rain_history", "promotion_history"]
    rows = frame.sort(frame.columns)
    table = {(row["door"], row["at"]): row for row in rows.iter_rows(named=True)}
    hour = timedelta(hours=1)
    for place in range(0, len(found.truth), 61):
        row = rows.row(int(found.places[place]), named=True)
        ahead = [table[row["door"], row["at"] + step * hour]["promotion"] for step in range(1, 13)]
        rain = [table[row["door"], row["at"] - step * hour]["rain"] for step in range(29, -1, -1)]
        assert found.frame["promotion_ahead"][place].to_list() == ahead
        assert found.frame["rain_history"][place].to_list() == pytest.approx(rain, rel=1e-6)
    gone = rows.with_row_index().filter(pl.col("rain").is_null()).row(0, named=True)
    near = rows.filter((pl.col("door") == gone["door"]) & (abs(pl.col("at") - gone["at"]) < 30 * hour))["at"].to_list()
    asked = {(rows["door"][int(place)], rows["at"][int(place)]) for place in found.places}
    assert not [at for at in near if at >= gone["at"] and (gone["door"], at) in asked]


@pytest.mark.parametrize(("recipe", "params"), [("lag_regression", {}), ("lag_boosting", {"trees": 80})])
def test_what_is_known_ahead_is_learned_packaged_and_compared(
    promoted: tuple[dict[str, Any], pl.DataFrame], make_job: Make, recipe: str, params: dict[str, Any]
) -> None:
    wish = ready(make_job, promoted[0], known_ahead=["promotion"], past=["rain"])
    plain = {"recipe": recipe, "params": params, "folds": 2}
    blind, seeing = make_job({**wish, **plain, "features": ["history", "hour"]}), make_job({**wish, **plain})
    without, told = fit(blind), fit(seeing)
    assert told["package"]["runtime"] == "onnx"
    assert told["metrics"]["mase"] < 0.6 * without["metrics"]["mase"]
    inputs = verify_package(seeing.out / "package").manifest.signature.inputs
    assert [(one.name, one.shape) for one in inputs if one.shape] == [
        ("history", (-1, 48)),
        ("promotion_ahead", (-1, 12)),
        ("rain_history", (-1, 48)),
    ]
    package = load_model(verify_package(seeing.out / "package"))
    day = (60 + 50 * np.sin(2 * np.pi * (np.arange(48) - 8) / 24)).tolist()  # it ends at 23 hours
    row = {"history": [day], "hour": [23], "weekday": [1], "rain_history": [[0.0] * 48]}
    first, second = (package.predict({**row, "promotion_ahead": [[on] * 12]})["forecast"] for on in (0.0, 1.0))
    assert second.sum() > 1.5 * first.sum()
    found = metric_gate(
        make_job(
            {**wish, "part": "test", "package": str(seeing.out / "package"), "champion": str(blind.out / "package")}
        )
    )
    assert found["passed"]
    assert found["detail"]["difference"] < 0


def test_a_column_of_words_beside_a_series_is_refused(
    promoted: tuple[dict[str, Any], pl.DataFrame], make_job: Make
) -> None:
    with pytest.raises(Unlearnable, match="numbers and truth values are learned from") as caught:
        split(make_job(wish_for(promoted[0], known_ahead=["door"])))
    assert caught.value.field == "known_ahead"
