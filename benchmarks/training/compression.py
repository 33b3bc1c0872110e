"""What compression gives: a network learns handwritten digits, and every technique is tried on its exported file."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.training.children.compress import compress
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.domain.compression import AUTO, Policy

FRACTIONS = {"train": 0.6, "validation": 0.3, "test": 0.1}
LAYERS, ROUNDS = [256, 128], 60
STUDENT = 'distill:recipe=scikit_learn,estimator=MLP,settings={"hidden_layer_sizes": [8], "max_iter": 60}'
TECHNIQUES = (*AUTO, "cluster:sparsity=0.8", "prune:sparsity=0.8", "prune:sparsity=0.92", "low_rank:rank=0.5")


def run(seeds: int, mnist: Path | None = None) -> dict[str, Any]:
    """Return the figures of each technique, and what a student gains from its teacher in each of some seeds."""
    pixels, names = _mnist(mnist) if mnist is not None else load_digits(return_X_y=True)
    folder = Path(tempfile.mkdtemp())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return _measured(folder, pixels, names, seeds) | {"table": "mnist-test" if mnist is not None else "digits"}
    finally:
        shutil.rmtree(folder)


def _mnist(file: Path) -> tuple[Any, Any]:
    """Read the test images from the usual ``mnist.npz``."""
    with np.load(file) as known:
        return known["x_test"].reshape(len(known["x_test"]), -1).astype(float), known["y_test"]


def _measured(folder: Path, pixels: Any, names: Any, seeds: int) -> dict[str, Any]:
    frame = pl.DataFrame({f"p{place:03d}": pixels[:, place] for place in range(pixels.shape[1])})
    rows = frame.with_columns(pl.Series("digit", [f"d{name}" for name in names]), pl.Series("id", range(len(names))))
    rows.write_delta(str(folder / "digits"))
    found: dict[str, Any] = {"rows": len(names), "layers": LAYERS, "gains": []}
    for seed in range(seeds):
        base, package, report = _learned(folder, seed)
        wish = {"run": "base", "package": str(package), "report": str(report)}
        techniques = [*(TECHNIQUES if seed == 0 else ()), STUDENT]
        policy = asdict(Policy(metric="accuracy", max_drop=0.005, min_speedup=0.9))
        job = _job(folder / f"compress-{seed}", {**base, "base": wish, "techniques": techniques, "policy": policy})
        compress(job)
        told = json.loads((job.out / "compression.json").read_bytes())
        student = told["candidates"].pop()
        if student["figures"] is not None:
            found["gains"].append(student["figures"]["score"] - student["alone"])
        if seed == 0:
            found |= {"told": told, "student_ratio": student["ratio"]}
    return found


def _learned(folder: Path, seed: int) -> tuple[dict[str, Any], Path, Path]:
    data = {"dataset": {"path": str(folder / "digits"), "version": 0}, "target": "digit", "key": "id", "seed": seed}
    data |= {"task": "classification"}
    cut = _job(folder / f"split-{seed}", {**data, "fractions": FRACTIONS})
    made = split(cut)
    data |= {"split": {"file": str(cut.out / made["file"]), "sha256": made["sha256"]}, "folds": 2}
    settings = {"hidden_layer_sizes": LAYERS, "max_iter": ROUNDS}
    job = _job(
        folder / f"fit-{seed}",
        {**data, "recipe": "scikit_learn", "params": {"estimator": "MLP", "settings": settings}},
    )
    fit(job)
    return data, job.out / "package", job.out / "report.json"


def _job(path: Path, payload: Mapping[str, Any]) -> JobContext:
    directory = JobDirectory(path)
    directory.freeze({"id": path.name, "run": "benchmark", "params": dict(payload), "slots": 1})
    return JobContext(directory, directory.take())
