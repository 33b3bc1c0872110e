"""Forecasts of a day of hours: recipes that learn once, beside models of statsforecast that are fitted for each question.

Both sides get the same questions: the last four weeks before a moment of the test part. The peer runs in an environment of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models import load_model, verify_package
from aimass.training.children.columns import columns_of
from aimass.training.children.fit import fit
from aimass.training.children.sources import Source, read_rows, read_split
from aimass.training.children.split import split
from aimass.training.children.table import laid_by, windows_of
from aimass.training.children.windows import cut
from benchmarks.data.environments import environment, spent

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
HOURS, KNOWN, QUESTIONS = 24, 4 * 168, 20
PROGRAM = Path(__file__).parent / "programs" / "series.py"
RECIPES = ("lag_boosting", "lag_regression", "seasonal_naive")
NETS = ("torch_recurrent",)  # where torch is installed
REQUIRES = ("statsforecast>=2.1", "numpy>=2")


def run(folder: Path | None, wanted: Sequence[str] = ()) -> dict[str, Any]:
    """Return MASE and seconds of CPU of each side, by data set; ``folder`` has bike-sharing/hour.csv and melbourne-pedestrian/pedestrian.csv.

    Of tables that are ``wanted``, a beginning of the name is enough; all without any.
    """
    if folder is None:
        return {"skipped": "no folder of data was named (--data)", "tables": {}}
    python, why_not = environment("statsforecast", REQUIRES)
    if why_not:
        return {"skipped": why_not, "tables": {}}
    known = {name: one for name, one in tables(folder).items() if not wanted or name.startswith(tuple(wanted))}
    return {"tables": {name: _measured(frame, series, python) for name, (frame, series) in known.items()}}


def tables(folder: Path) -> dict[str, tuple[pl.DataFrame, str | None]]:
    """Return hours with a count, and the column that names the series."""
    bikes = pl.read_csv(folder / "bike-sharing" / "hour.csv")
    day = (
        pl.col("dteday").cast(pl.String).str.to_datetime("%Y%m%d" if bikes["dteday"].dtype.is_integer() else "%Y-%m-%d")
    )
    people = pl.read_csv(folder / "melbourne-pedestrian" / "pedestrian.csv")
    return {
        "hourly bike rentals, one series": (
            bikes.select((day + pl.duration(hours=pl.col("hr"))).alias("at"), pl.col("cnt").alias("count")),
            None,
        ),
        "hourly pedestrians, four sensors": (
            people.select("Sensor", pl.col("Date_Time").str.to_datetime().alias("at"), pl.col("Count").alias("count"))
            .unique(["Sensor", "at"], keep="first", maintain_order=True)
            .drop_nulls(),
            "Sensor",
        ),
    }


def _job(folder: Path, name: str, payload: Mapping[str, Any]) -> JobContext:
    directory = JobDirectory(folder / name.replace("_", "-"))
    directory.freeze({"id": name, "run": "benchmark", "params": dict(payload), "slots": 1})
    return JobContext(directory, directory.take())


def _measured(frame: pl.DataFrame, series: str | None, python: Path) -> dict[str, Any]:
    with TemporaryDirectory() as place:
        folder = Path(place)
        frame.write_delta(str(folder / "table"))
        wish = {"dataset": {"path": str(folder / "table"), "version": 0}, "target": "count", "task": "forecasting"}
        wish |= {"key": None, "group": series, "time": "at", "horizon": HOURS, "fractions": FRACTIONS, "seed": 1}
        job = _job(folder, "split", wish)
        made = split(job)
        wish |= {"split": {"file": str(job.out / made["file"]), "sha256": made["sha256"]}, "folds": 2, "part": "test"}
        source = Source.of(wish)
        rows = read_rows(source)
        parts = read_split(wish["split"]["file"], made["sha256"], rows.height)
        windows = cut(laid_by(source, rows, parts), steps=HOURS, history=KNOWN).of("test")
        chosen = _chosen(windows.truth.series)
        truth = windows.truth[chosen]
        found = {name: _own(folder, wish, name, (rows, parts, chosen, truth)) for name in (*RECIPES, *_nets())}
        ask = {"asked": windows.features["history"][chosen].to_list(), "steps": HOURS}
        (folder / "asked.json").write_text(json.dumps(ask))
        told = spent([python, PROGRAM, folder / "asked.json"], OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1").told
    for name, one in told.items():
        found[f"statsforecast: {name}"] = {
            "mase": _mase(truth, np.array(one["said"])),
            "fit_s": None,
            "asked_cpu_s": one["cpu_s"],
        }
    return {"rows": frame.height, "questions": len(chosen), "season": int(truth.season), "found": found}


def _nets() -> Sequence[str]:
    return NETS if find_spec("torch") is not None else ()


def _chosen(series: Any) -> Any:
    """Return so many questions of each series, at even distances."""
    found = [np.flatnonzero(series == one) for one in np.unique(series)]
    return np.concatenate([rows[np.linspace(0, len(rows) - 1, QUESTIONS).round().astype(int)] for rows in found])


def _own(folder: Path, wish: Mapping[str, Any], recipe: str, told: tuple[Any, Any, Any, Any]) -> dict[str, Any]:
    rows, parts, chosen, truth = told
    job = _job(folder, recipe, {**wish, "recipe": recipe})
    report = fit(job)
    package = verify_package(job.out / "package")
    asked = windows_of({**wish, "least_history": KNOWN}, rows, parts, package.manifest.signature)
    same = np.array_equal(asked.truth.ahead[chosen], truth.ahead)
    if not same:
        msg = "the questions of both sides differ"
        raise RuntimeError(msg)
    model = load_model(package, threads=1)
    questions = columns_of(asked.features[chosen])
    began = time.process_time()
    said = model.predict(questions)["forecast"]
    return {
        "mase": _mase(truth, np.asarray(said, dtype=float)),
        "fit_s": float(report["metrics"]["fit_s"]),
        "asked_cpu_s": time.process_time() - began,
    }


def _mase(truth: Any, said: Any) -> float:
    return float((np.abs(truth.ahead - said).mean(axis=1) / truth.scale).mean())


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the section of the report."""
    if "skipped" in told:
        return ["## Forecasts", "", f"Skipped: {told['skipped']}.", ""]
    found = [line for name, one in told["tables"].items() for line in _table(name, one)]
    return [
        "## Forecasts of a day of hours, beside statsforecast",
        "",
        *found,
        "The same questions for both sides, at even distances over the latest fifth of the moments; each with its defaults. A recipe learns once, from the first 70 % of the",
        "moments, and answers as its exported file; its fit is the one after the folds, in seconds of the clock on one thread or more. Models of statsforecast learn from the four weeks of each question",
        "anew, one thread. MASE counts errors in those of last season's values on the training part.",
        "",
    ]


def _table(name: str, told: Mapping[str, Any]) -> list[str]:
    return [
        f"{told['rows']:,} rows of {name}: {told['questions']} questions of {KNOWN} values, a season has {told['season']} hours.",
        "",
        "| model | MASE | fit, once | CPU for a question |",
        "| --- | --- | --- | --- |",
        *(_row(model, one, told["questions"]) for model, one in sorted(told["found"].items(), key=_by_error)),
        "",
    ]


def _row(model: str, one: Mapping[str, Any], questions: int) -> str:
    fitted = "" if one["fit_s"] is None else f"{one['fit_s']:.1f} s"
    return f"| {model} | {one['mase']:.3f} | {fitted} | {one['asked_cpu_s'] / questions * 1000:.1f} ms |"


def _by_error(pair: tuple[str, Mapping[str, Any]]) -> float:
    return pair[1]["mase"]
