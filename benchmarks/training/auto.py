"""Automatic training against the defaults of LightGBM, XGBoost and a logistic or linear regression, on rows that none has seen.

Every side learns from the training rows of the same splits and answers the same test rows. XGBoost runs in an environment of its own.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models import verify_package
from aimass.training.children.blend import blend
from aimass.training.children.evaluate import part_of, predictor
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.domain.autos import Constraints
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes import recipes
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS
from benchmarks.data.environments import environment, spent
from benchmarks.measure import ROOT

FRACTIONS = {"train": 0.6, "validation": 0.15, "test": 0.25}
MOST = 4
FEW_ROWS, OFTEN = 1_000, 10  # what tells two models apart on a small table is less than what two splits differ by
PEERS = Path(__file__).parent / "programs" / "defaults.py"
TELCO = ROOT / "src" / "aimass" / "bootstrap" / "data" / "telco-churn.csv"
ADULT = "age,workclass,fnlwgt,education,education_num,marital,occupation,relationship,race,sex,gain,loss,hours,country,income"
ADULT_NUMBERS = ["age", "fnlwgt", "education_num", "gain", "loss", "hours"]


def run(seeds: int, folder: Path | None, wanted: Sequence[str] = ()) -> dict[str, Any]:
    """Return, by table, the score of automatic training and of each default on test rows, means over the splits.

    Parameters
    ----------
    seeds
        Splits of each table; small ones take more.
    folder
        Where further data sets lie.
    wanted
        The tables that are measured; all without any.
    """
    python, why_not = environment("xgboost", ("xgboost-cpu>=3", "lightgbm>=4.6", "scikit-learn>=1.8", "polars>=2"))
    if why_not:
        return {"skipped": why_not, "tables": {}}
    found: dict[str, Any] = {}
    for name, (frame, target, task) in tables(folder).items():
        if wanted and name not in wanted:
            continue
        splits = max(seeds, OFTEN) if frame.height < FEW_ROWS else seeds
        rounds = [_round(python, frame, target, task, seed) for seed in range(splits)]
        sides = {side: statistics.mean(one[side] for one in rounds) for side in rounds[0]}
        found[name] = {"task": task, "rows": frame.height, "splits": splits, "scores": sides}
        print(f"  {name}: {sides}", flush=True)
    return {"skipped": None, "tables": found}


def tables(folder: Path | None) -> dict[str, tuple[pl.DataFrame, str, str]]:
    """Return the tables: three that come with packages, and those that lie in a folder of data sets."""
    cancer: Any = datasets.load_breast_cancer()
    diabetes: Any = datasets.load_diabetes()
    telco = pl.read_csv(TELCO, schema_overrides={"TotalCharges": pl.String}).drop("customerID")
    telco = telco.with_columns(pl.col("TotalCharges").str.strip_chars().cast(pl.Float64, strict=False))
    names = [f"x{place}" for place in range(cancer.data.shape[1])]
    found = {
        "Telco": (telco, "Churn", "classification"),
        "breast cancer": (
            pl.DataFrame(cancer.data, schema=names).with_columns(pl.Series("y", cancer.target).cast(pl.String)),
            "y",
            "classification",
        ),
        "diabetes": (
            pl.DataFrame(diabetes.data, schema=list(diabetes.feature_names)).with_columns(
                pl.Series("y", diabetes.target)
            ),
            "y",
            "regression",
        ),
    }
    if folder is not None and (folder / "adult" / "adult.data").exists():
        adult = pl.read_csv(folder / "adult" / "adult.data", has_header=False, new_columns=ADULT.split(","))
        adult = adult.with_columns(pl.col(pl.String).str.strip_chars())
        adult = adult.with_columns(pl.col(ADULT_NUMBERS).cast(pl.Int64))
        found["Adult"] = (adult, "income", "classification")
    if folder is not None and (folder / "bike-sharing" / "hour.csv").exists():
        bikes = pl.read_csv(folder / "bike-sharing" / "hour.csv").drop("instant", "dteday", "casual", "registered")
        found["bike sharing"] = (bikes, "cnt", "regression")
    return found


def _round(python: Path, frame: pl.DataFrame, target: str, task: str, seed: int) -> dict[str, float]:
    """Return the scores of one split."""
    with TemporaryDirectory() as place:
        root = Path(place)
        frame.write_delta(str(root / "table"))
        data = {"dataset": {"path": str(root / "table"), "version": 0}, "target": target, "task": task, "key": None}
        job = _job(root / "split", {**data, "fractions": FRACTIONS, "seed": seed})
        told = split(job)
        data |= {"split": {"file": str(job.out / told["file"]), "sha256": told["sha256"]}, "seed": seed, "folds": 5}
        package = _automatic(root, data, Facts(rows=told["counts"]["train"], columns=frame.width - 1))
        mine = verify_package(package)
        features, truth, _ = part_of({**data, "part": "test"}, mine.manifest.signature)
        score = measures_of(task).score
        found = {"AI Mass": score(truth, predictor(mine, threads=2)(features))}
        _write_parts(root, data, mine)
        spent([python, PEERS, str(root), task, str(seed)])
        for name in ("LightGBM", "XGBoost", "linear"):
            said = np.array(json.loads((root / f"{name}.json").read_text()))
            found[name] = score(truth, said)
        return found


def _automatic(root: Path, data: Mapping[str, Any], facts: Facts) -> Path:
    """Do what automatic training does, in this process: the best few recipes, their blend, and the best of all."""
    task = TASKS[data["task"]]
    chosen = recommend(recipes().values(), task, facts, Constraints(), [])[:MOST]
    runs: list[dict[str, Any]] = []
    for number, one in enumerate(chosen):
        job = _job(root / f"run-{number}", {**data, "recipe": one.recipe, "params": one.params})
        told = fit(job)
        files = {"folds": str(job.out / "folds.parquet"), "report": str(job.out / "report.json")}
        runs.append({**told, **files, "run": str(number), "name": one.recipe})
    members = [
        {name: one[name] for name in ("run", "name", "folds", "report")}
        | {"package": str(root / f"run-{n}/out/package")}
        for n, one in enumerate(runs)
        if one["package"]["runtime"] == "onnx"
    ]
    scored = {root / f"run-{n}/out/package": one["metrics"][task.objective] for n, one in enumerate(runs)}
    if len(members) > 1:
        job = _job(root / "blend", {**data, "members": members, "method": "auto"})
        scored[job.out / "package"] = blend(job)["metrics"][task.objective]
    return (min if task.is_lower_better else max)(scored, key=lambda package: scored[package])


def _write_parts(root: Path, data: Mapping[str, Any], package: Any) -> None:
    """Write what the others learn from and answer, as Parquet, with the truth as numbers."""
    for part in ("train", "test"):
        features, truth, _ = part_of({**data, "part": part}, package.manifest.signature)
        features.with_columns(pl.Series("__truth", truth)).write_parquet(root / f"{part}.parquet")


def _job(folder: Path, params: Mapping[str, Any]) -> JobContext:
    directory = JobDirectory(folder)
    directory.freeze({"id": folder.name, "run": "benchmark", "params": dict(params), "slots": 2})
    return JobContext(directory, directory.take())
