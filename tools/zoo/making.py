"""Train, judge and write down one ready model, by the same jobs that a platform runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models.package import verify_package
from aimass.models.zoo import ABOUT, PACKAGE
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.recipes import find_recipe

FRACTIONS = {"train": 0.6, "validation": 0.15, "test": 0.25}
OF_THE_MACHINE = ("row_us", "fit_s", "training_s", "cpu_s", "peak_memory_mb")
MAX_BYTES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a ready model is made.

    Attributes
    ----------
    rows
        Returns the rows that it learns from and is judged by; gets the folder of data sets that come from elsewhere.
    about
        What people should know: title, summary, family, licence, data, card.
    more
        What the split needs beside the target: ``group``, ``time``, ``horizon``.
    folds
        Of the cross-validation: fewer where a fit takes minutes.
    """

    rows: Callable[[Path | None], pl.DataFrame]
    about: Mapping[str, Any]
    task: str
    recipe: str
    target: str | None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int = 0
    folds: int = 5


def make(name: str, making: Making, data: Path | None, shelf: Path) -> dict[str, Any]:
    """Make one model and lay it on the shelf in place of the one that lay there; return what is written about it."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        making.rows(data).write_delta(str(root / "table"))
        payload: dict[str, Any] = {"dataset": {"path": str(root / "table"), "version": 0}, "key": None, **making.more}
        payload |= {"target": making.target, "task": making.task, "seed": making.seed}
        cut = _job(root / "split", {**payload, "fractions": FRACTIONS})
        parts = split(cut)
        payload |= {"split": {"file": str(cut.out / parts["file"]), "sha256": parts["sha256"]}, "folds": making.folds}
        payload |= {"horizon": parts["horizon"]} if parts["horizon"] else {}
        run = _job(root / "run", {**payload, "recipe": making.recipe, "params": dict(making.params)})
        told = fit(run)
        package = verify_package(run.out / told["package"]["folder"])
        judged = evaluate(_job(root / "judged", {**payload, "package": str(package.folder), "part": "test"}))
        if package.size > MAX_BYTES:
            raise SystemExit(f"{name} has {package.size} bytes, at most {MAX_BYTES} fit a ready model")
        about = {
            **making.about,
            "task": making.task,
            "recipe": making.recipe,
            "recipe_version": find_recipe(making.recipe).version,
            "params": told["params"],
            "seed": making.seed,
            "target": making.target,
            "rows": parts["counts"],
            "metrics": _figures(told["metrics"], judged["metrics"]),
            "evaluation": {key: judged[key] for key in ("part", "rows", "auc", "interval")},
            "digest": package.digest,
        }
        _lay(shelf / name, package.folder, about)
        return about


def _figures(run: Mapping[str, float], test: Mapping[str, float]) -> dict[str, float]:
    """Return the scores, without what only the machine tells that made the model."""
    kept = {name: value for name, value in run.items() if name not in OF_THE_MACHINE}
    return kept | {f"test_{name}": value for name, value in test.items()}


def _lay(folder: Path, package: Path, about: Mapping[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(package, folder / PACKAGE)
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / ABOUT).write_text(f"{text}\n", encoding="utf8")


def _job(folder: Path, params: Mapping[str, Any]) -> JobContext:
    directory = JobDirectory(folder)
    directory.freeze({"id": folder.name, "run": "tools.zoo", "params": dict(params), "slots": 2})
    return JobContext(directory, directory.take())
