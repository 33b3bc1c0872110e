"""Learners that begin with what another one knows, on rows of another domain: beside one that begins with nothing."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Rows = list[dict[str, Any]]
SEEDS = 3
LEARNED, KEPT, ASKED = 4000, 2000, 1000
FEW = (30, 300)
WAYS = ("nothing", "plain", "weighted")
WORDS = {
    "nothing": "begins with nothing",
    "plain": "begins with the other's knowledge",
    "weighted": "and its rows weighted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Rows that one learner knows, and rows of another domain that are to be answered."""

    title: str
    model: str
    target: str
    classes: tuple[str, ...]
    columns: list[dict[str, Any]]
    old: Rows
    new: Rows


def run(folder: Path | None) -> dict[str, Any]:
    """Measure each shift with few rows of the new domain."""
    if folder is None or find_spec("river") is None:
        return {"skipped": "wants River, and --data with adult/adult.data and bike-sharing/hour.csv"}
    shifts = [*_bikes(folder / "bike-sharing" / "hour.csv"), *_adults(folder / "adult" / "adult.data")]
    told = [
        {"title": one.title, "model": one.model, "classes": len(one.classes), "few": _measured(one)} for one in shifts
    ]
    return {"shifts": told}


def _bikes(path: Path) -> list[Shift]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    numbers = ("temp", "atemp", "hum", "windspeed", "workingday", "weathersit")
    columns = [_number(name) for name in numbers]
    columns += [_text("hr", (row["hr"] for row in rows)), _text("weekday", (row["weekday"] for row in rows))]
    made = [{**row, **{name: float(row[name]) for name in (*numbers, "cnt")}} for row in rows]
    old = [row for row in made if row["yr"] == "0"]
    free = [row for row in made if row["yr"] == "1" and not row["workingday"]]
    cold = [row for row in made if row["yr"] == "1" and row["mnth"] in ("1", "2", "3")]
    shared: dict[str, Any] = {"target": "cnt", "classes": (), "columns": columns, "old": old}
    return [
        Shift(title=f"bike rentals of 2011, then {name} of 2012", model="linear_regression", new=new, **shared)
        for name, new in (("free days", free), ("the first quarter", cold))
    ]


def _adults(path: Path) -> list[Shift]:
    names = (
        *("age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation", "relationship"),
        *("race", "sex", "gain", "loss", "hours", "country", "income"),
    )
    with path.open() as file:
        rows = [
            dict(zip(names, one, strict=True))
            for one in csv.reader(file, skipinitialspace=True)
            if len(one) == len(names)
        ]
    numbers = ("age", "education_num", "gain", "loss", "hours")
    texts = ("workclass", "education", "marital", "occupation", "relationship", "race", "sex")
    columns = [_number(name) for name in numbers] + [_text(name, (row[name] for row in rows)) for name in texts]
    made = [{**row, **{name: float(row[name]) for name in numbers}} for row in rows]
    shared: dict[str, Any] = {"target": "income", "classes": ("<=50K", ">50K"), "columns": columns}
    men, women = ([row for row in made if row["sex"] == one] for one in ("Male", "Female"))
    young, old = [row for row in made if row["age"] < 35], [row for row in made if row["age"] >= 50]
    return [
        Shift(title=f"income (Adult) of {name}", model="logistic_regression", old=known, new=new, **shared)
        for name, known, new in (("men, then women", men, women), ("people under 35, then from 50", young, old))
    ]


def _number(name: str) -> dict[str, Any]:
    return {"name": name, "type": "float", "categories": None}


def _text(name: str, values: Any) -> dict[str, Any]:
    return {"name": name, "type": "string", "categories": sorted(set(values) - {"?"})}


def _measured(shift: Shift) -> dict[str, dict[str, float]]:
    """Return how good each way to begin is after few rows of the new domain: RMSE, or accuracy in percent."""
    told: dict[str, dict[str, list[float]]] = {str(count): {way: [] for way in WAYS} for count in FEW}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        old, new = ([rows[place] for place in rng.permutation(len(rows))] for rows in (shift.old, shift.new))
        other = _learner(shift, seed)
        for row in old[:LEARNED]:
            other.take(row, row[shift.target])
        state = other.pack({})
        asked = new[max(FEW) :][:ASKED]
        for count in FEW:
            for way in WAYS:
                told[str(count)][way].append(_tried(shift, seed, state, (way, new[:count], asked)))
    return {count: {way: statistics.mean(found) for way, found in ways.items()} for count, ways in told.items()}


def _learner(shift: Shift, seed: int) -> Any:
    from aimass.training.children.learnerfiles import begun
    from aimass.training.online import check_model

    spec = {"model": shift.model, "params": check_model(shift.model, {}), "detector": "adwin", "replay": 0}
    spec |= {"replay_times": 4, "window": KEPT, "seed": seed, "memory_mb": 64}
    return begun(spec, shift.columns, shift.classes)


def _tried(shift: Shift, seed: int, state: bytes, rows: tuple[str, Rows, Rows]) -> float:
    """Return how good a learner is that began in one way and learned few rows."""
    from aimass.training.children.learnerfiles import unpack
    from aimass.training.children.starting import started

    way, few, asked = rows
    learner = _learner(shift, seed)
    if way != "nothing":
        other, _ = unpack(state, learner.spec)
        learner = started(learner, other, {"from": "the other", "transfer": way}, pl.DataFrame(few))
    for row in few:
        learner.take(row, row[shift.target])
    said = [learner.answer(row, list(shift.classes)) for row in asked]
    measure: Callable[[Any], float] = (
        (lambda one: float(shift.classes[one[0].index(max(one[0]))] == one[1]))
        if shift.classes
        else (lambda one: (one[0] - one[1]) ** 2)
    )
    found = statistics.mean(measure((one, row[shift.target])) for one, row in zip(said, asked, strict=True))
    return 100 * found if shift.classes else found**0.5


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section of the report."""
    head = ["## Learners that begin with what another one knows", ""]
    if told.get("skipped"):
        return [*head, f"Not measured: {told['skipped']}", ""]
    found = [
        (
            f"The other one learned up to {LEARNED:,} rows of the old domain and keeps the newest {KEPT:,}; then come few rows of the new one, and "
            f"{ASKED:,} others are answered. {SEEDS} seeds. Weighted: the kept rows are learned again as often as they are likely in the new domain (RuLSIF)."
        ),
        "",
        f"| from, to | model | measure | rows of the new domain | {' | '.join(WORDS.values())} |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for shift in told["shifts"]:
        for count, ways in shift["few"].items():
            cells = [f"{ways[way]:.1f}" for way in WAYS]
            best = (max if shift["classes"] else min)(WAYS, key=lambda way: ways[way])
            cells[WAYS.index(best)] = f"**{cells[WAYS.index(best)]}**"
            measure = "accuracy, %" if shift["classes"] else "RMSE"
            found.append(f"| {shift['title']} | {shift['model']} | {measure} | {count} | {' | '.join(cells)} |")
    return [*head, *found, ""]
