"""A hundred thousand runs: how long a page of them takes, whatever it is asked for."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from aimass.infra.database import Database, metadata
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM
from aimass.training import ListRuns
from aimass.training.finding import facts_of
from aimass.training.service.runs import Runs
from aimass.training.tables import facts, runs, scores

COUNT, GOAL_MS, REPEATS, MANY = 100_000, 100.0, 15, 5000
RECIPES = ("lightgbm", "random_forest", "linear_regression", "gradient_boosting", "logistic_regression")
METRICS = ("cv_roc_auc", "roc_auc", "pr_auc", "log_loss", "training_s")
WISHES: Mapping[str, dict[str, Any]] = {
    "the newest": {},
    "of one experiment": {"experiment": "e7"},
    "of one recipe that failed": {"recipe": "lightgbm", "state": "FAILED"},
    "the best of all": {"sort": "cv_roc_auc"},
    "the best of one experiment": {"sort": "cv_roc_auc", "experiment": "e7"},
    "the best of one in a thousand": {"sort": "cv_roc_auc", "where": "tags.ticket = 't-77'"},
    "by a metric": {"where": "cv_roc_auc >= 0.99"},
    "by a parameter": {"where": "params.trees = 200"},
    "by a tag that few have": {"where": "tags.ticket = 't-77'"},
    "by metric, parameter and tag": {"where": "cv_roc_auc > 0.9 and params.trees >= 150 and tags.team = red"},
    "by what none has": {"where": "params.trees = 1 and tags.team = red"},
}


def run(count: int = COUNT) -> dict[str, Any]:
    """Return milliseconds of a page of fifty: median and slowest of fifteen, the first included."""
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as folder:
        database = Database.file(Path(folder) / "runs.db")
        metadata.create_all(database.engine, tables=[runs, scores, facts])
        _filled(database, count)
        service = _Listing(database)
        found = {name: _timed(service, wish) for name, wish in WISHES.items()}
        page = service.list_runs(SYSTEM, ListRuns(workspace="demo", sort="cv_roc_auc"))
        for _ in range(20):
            page = service.list_runs(SYSTEM, ListRuns(workspace="demo", sort="cv_roc_auc", cursor=page.next))
        found["the twenty-second page of the best"] = _timed(service, {"sort": "cv_roc_auc", "cursor": page.next})
    return {"runs": count, "goal_ms": GOAL_MS, "pages": found}


class _Listing(Runs):
    """The part of the service that lists, on a database alone."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _timed(service: Runs, wish: Mapping[str, Any]) -> dict[str, float]:
    spent: list[float] = []
    items = 0
    for _ in range(REPEATS):
        began = time.perf_counter()
        items = len(service.list_runs(SYSTEM, ListRuns(workspace="demo", **wish)).items)
        spent.append((time.perf_counter() - began) * 1000)
    return {"median_ms": statistics.median(spent), "slowest_ms": max(spent), "runs": items}


def _filled(database: Database, count: int) -> None:
    """Write the runs of one busy workspace, and as many of another between them."""
    draw = random.Random(0)  # noqa: S311 no secret
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for start in range(0, count, MANY):
        made = [_run(draw, moment + timedelta(seconds=start + n)) for n in range(min(MANY, count - start))]
        with database.engine.begin() as conn:
            conn.execute(insert(runs), [row for row, _ in made])
            conn.execute(
                insert(runs), [{**row, "id": new_id(), "key": new_id(), "workspace": "other"} for row, _ in made]
            )
            conn.execute(insert(scores), [one for _, values in made for one in values])
            told = [(row["id"], facts_of(row["params"], row["tags"])) for row, _ in made]
            rows = [
                {"run": id_, "name": name, "text": text, "number": number}
                for id_, values in told
                for name, (text, number) in values.items()
            ]
            conn.execute(insert(facts), rows)


def _run(draw: random.Random, moment: datetime) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    id_ = new_id()
    values = {name: draw.random() for name in METRICS}
    texts = {"experiment": f"e{draw.randrange(100)}", "recipe": draw.choice(RECIPES), "task": "classification"}
    lists: dict[str, Any] = {
        "features": None,
        "package": None,
        "sampled": None,
        "notes": [],
        "error": None,
        "unseen": {},
    }
    people = {"created_by": "u", "created_by_name": "U", "created_at": moment, "started_at": moment, "ended_at": moment}
    row = {
        **texts,
        **lists,
        **people,
        "id": id_,
        "workspace": "demo",
        "key": id_,
        "name": texts["recipe"],
        "recipe_version": "1.0",
        "params": {"trees": draw.choice([50, 100, 150, 200]), "learning_rate": draw.random(), "kind": "gbdt"},
        "dataset": "d",
        "dataset_version": 1,
        "split": "s",
        "target": "y",
        "seed": 0,
        "folds": 5,
        "state": draw.choices(["FINISHED", "FAILED"], [50, 1])[0],
        "job": None,
        "metrics": values,
        "tags": {"team": draw.choice(["red", "blue"]), "ticket": f"t-{draw.randrange(1000)}"},
        "deleted_at": None,
        "version": 1,
    }
    return row, [{"run": id_, "name": name, "value": value} for name, value in values.items()]


if __name__ == "__main__":
    for title, one in run()["pages"].items():
        print(f"{title}: {one['median_ms']:.1f} ms, slowest {one['slowest_ms']:.1f} ms, {one['runs']} runs")
