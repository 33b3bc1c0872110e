"""Packages of the churn model, trained and written by the platform's own recipes: ``python -m benchmarks.churn DIR``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.models import Rows, Signature, build_package
from aimass.training.children.columns import columns_of, plain, signature_of
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.protocol import Table, parameters_of
from benchmarks.measure import ROOT

RECIPES = ("lightgbm", "logistic_regression")
CUSTOMERS = 1400
_KEY, _TARGET = "customerID", "Churn"
_DATATYPES = {"string": "BYTES", "float": "FP32", "integer": "INT64", "boolean": "BOOL"}


@dataclass(slots=True, kw_only=True)
class _Context:
    """A recipe context without a job."""

    task: str
    params: Any
    signature: Signature
    tables: Mapping[str, Table]
    seed: int = 0
    threads: int = 1

    def data(self, part: str) -> Table:
        """Return the rows of a part."""
        return self.tables[part]

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Nobody listens."""

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Keep no checkpoint: a fit this short needs none."""

    def restore(self, name: str = "recipe") -> bytes | None:
        """There is none."""


def make(folder: Path) -> None:
    """Write one package per recipe as it would be served, one as the library itself (``<recipe>-native``), and ``requests.json``: the inference requests of some customers."""
    rows = pl.read_csv(ROOT / "src/aimass/bootstrap/data/telco-churn.csv", null_values=[" "], infer_schema_length=None)
    rows = rows.drop_nulls()
    signature = signature_of(rows.drop(_KEY, _TARGET), ("No", "Yes"), {})
    frame, truth = plain(rows, signature), (rows[_TARGET] == "Yes").cast(pl.Int64).to_numpy()
    part = np.random.default_rng(0).random(rows.height) < 0.8
    tables = {
        name: Table(features=frame.filter(pl.Series(where)), truth=truth[where])
        for name, where in (("train", part), ("validation", ~part))
    }
    for name in RECIPES:
        manifest, recipe = find_recipe(name), load_recipe(name)
        params = parameters_of(manifest.check({}), manifest.parameters)
        context = _Context(task="classification", params=params, signature=signature, tables=tables)
        model, replayed = recipe.fit(context), tables["validation"].features
        answers = Rows(columns=columns_of(replayed), expected=recipe.predict(context, model, replayed))
        candidate = recipe.package(context, model)
        native = replace(candidate, to_onnx=None, why_not_onnx="measured as the library itself")
        for place, one in ((name, candidate), (f"{name}-native", native)):
            package, parity = build_package(folder / place, one, answers)
            print(f"{place}: {package.manifest.runtime}, {parity.sentence()}")
    requests = [_request(signature, row) for row in tables["validation"].features.head(CUSTOMERS).to_dicts()]
    (folder / "requests.json").write_text(json.dumps(requests))


def _request(signature: Signature, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": c.name, "datatype": _DATATYPES[c.type], "shape": [1, 1], "data": [row[c.name]]}
            for c in signature.inputs
        ]
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]))
