"""What a trial costs beside its work: the owner of studies with its database, against Optuna's workers on one SQLite file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import psutil
from sqlalchemy import Boolean, Float, Integer, select
from sqlalchemy.sql.sqltypes import BigInteger

from aimass.infra.compute import WarmChild, child_environment
from aimass.infra.database import Database, Json, metadata
from aimass.infra.live import LiveHub
from aimass.kernel.principal import SYSTEM, Principal
from aimass.training import CreateStudy, Run, StartRun
from aimass.training.domain.studies import objectives_of
from aimass.training.recipes import find_recipe
from aimass.training.service.ground import Ground
from aimass.training.service.searching import Searching
from aimass.training.service.studies import _row as study_row
from aimass.training.store import add, find_run
from aimass.training.tables import runs, studies
from aimass.training.tasks import find_task

PARALLEL, TRIALS = 4, 160
SPACE = {
    "strength": {"type": "float", "low": 1e-4, "high": 10.0, "log": True},
    "max_categories": {"type": "int", "low": 5, "high": 100},
}
WORKER = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="s", storage=sys.argv[1], sampler=optuna.samplers.TPESampler(seed=int(sys.argv[2])))
study.optimize(lambda t: t.suggest_float("strength", 1e-4, 10, log=True) + t.suggest_int("max_categories", 5, 100), n_trials=int(sys.argv[3]))
"""


class Searched(Searching):
    """The owner of studies, whose runs are over as soon as they begin."""

    def start_run(self, who: Principal, command: StartRun) -> Run:
        """Write down a run that has ended."""
        with self._database.change(who, command.workspace) as change:
            score = float(command.params["strength"]) + float(command.params["max_categories"])
            id_ = str(command.key)[-26:]
            told = {"id": id_, "workspace": command.workspace, "key": command.key, "state": "FINISHED"}
            values = {column.name: _nothing(column, change.now) for column in runs.columns}
            lists: dict[str, Any] = {"notes": [], "features": None}
            add(change, runs, {**values, **lists, **told, "metrics": {"cv_roc_auc": score}, "deleted_at": None})
            return cast(Run, find_run(change.conn, command.workspace, id_))


def _nothing(column: Any, now: datetime) -> Any:
    if column.nullable:
        return None
    if isinstance(column.type, Boolean | Float | Integer | BigInteger):
        return 0
    if column.type is Json or "JSON" in repr(column.type).upper():
        return {}
    return now if "Instant" in repr(column.type) else ""


def run(trials: int = TRIALS) -> dict[str, Any]:
    """Return wall and CPU seconds for each trial on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "trials": trials,
            "parallel": PARALLEL,
            "own": _own(Path(folder), trials),
            "optuna": _optuna(Path(folder), trials),
        }


def _own(folder: Path, trials: int) -> dict[str, float]:
    database = Database.file(folder / "own.db")
    metadata.create_all(database.engine)
    warm = WarmChild(folder / "log", environment=child_environment())
    missing: Any = None
    ground = Ground(
        database=database,
        blobs=missing,
        jobs=missing,
        models=missing,
        live=LiveHub(),
        warm=warm,
        locate=missing,
        need_whole=missing,
        columns=missing,
        data=folder,
    )
    owner = Searched(ground)
    wish = CreateStudy(workspace="w", recipe="logistic_regression", split="s", space=SPACE, parallel=PARALLEL)
    with database.change(SYSTEM, "w") as change:
        row = study_row(change, wish, find_recipe(wish.recipe), objectives_of(None, find_task("classification")))
        add(change, studies, {**row, "slug": "s", "name": "s", "trials": trials})
    began, cpu = time.perf_counter(), _cpu()
    while owner.study("w", "s").state == "RUNNING":
        owner.follow_studies()
    wall, used = time.perf_counter() - began, _cpu() - cpu
    with database.read() as conn:
        done = len(conn.execute(select(runs.c.id)).all())
    warm.close()
    database.close()
    return {"wall_s": wall / trials, "cpu_s": used / trials, "runs": float(done)}


def _cpu() -> float:
    """Return the CPU seconds of this process and those below it."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def _optuna(folder: Path, trials: int) -> dict[str, float]:
    storage = f"sqlite:///{folder / 'optuna.db'}"
    create = f"import optuna; optuna.create_study(study_name='s', storage={storage!r}, direction='maximize')"
    subprocess.run([sys.executable, "-c", create], check=True, capture_output=True)
    began = time.perf_counter()
    before = psutil.Process().cpu_times()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, storage, str(seed), str(trials // PARALLEL)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for seed in range(PARALLEL)
    ]
    for worker in workers:
        worker.wait()
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": (time.perf_counter() - began) / trials, "cpu_s": cpu / trials}
