"""What errors of numbers cost: some wild truths do not move a net or trees that do not square them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Rows, Signature, build_package
from aimass.training.children.columns import columns_of
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.protocol import Table, parameters_of
from tests.fixtures.deep import needs_torch

QUICK: dict[str, dict[str, Any]] = {
    "lightgbm": {"trees": 60, "learning_rate": 0.1},
    "torch_mlp": {"epochs": 30, "units": 16, "layers": 1, "learning_rate": 0.02, "dropout": 0.0},
}
RECIPES = ["lightgbm", pytest.param("torch_mlp", marks=needs_torch)]


def rows(seed: int, count: int = 500) -> tuple[pl.DataFrame, Any]:
    chance = np.random.default_rng(seed)
    x, y = chance.normal(size=(2, count))
    return pl.DataFrame({"x": x, "y": y}), 100 + 30 * x - 20 * y + chance.normal(0, 3, count)


def bench(recipe: str, wild: float, **params: Any) -> Bench:
    features, truth = rows(1)
    spoiled = np.where(np.random.default_rng(2).random(len(truth)) < wild, 10 * truth, truth)
    inputs = tuple(Column(name=name, type="float") for name in features.columns)
    manifest = find_recipe(recipe)
    return Bench(
        task="regression",
        params=parameters_of(manifest.check({**QUICK[recipe], **params}), manifest.parameters),
        signature=Signature(inputs=inputs, outputs=(Output(name="value", type="float", shape=(-1,)),)),
        tables={"train": Table(features=features, truth=spoiled)},
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_wild_truths_move_less_what_does_not_square_them(tmp_path: Path, recipe: str) -> None:
    features, truth = rows(3, 400)
    errors: dict[str, float] = {}
    for loss in ("squared", "absolute", "huber"):
        one, run = bench(recipe, 0.05, loss=loss), load_recipe(recipe)
        model = run.fit(one)
        said = run.predict(one, model, features)
        errors[loss] = float(np.abs(said - truth).mean())
        package, _ = build_package(
            tmp_path / loss, run.package(one, model), Rows(columns=columns_of(features), expected=said)
        )
        assert package.manifest.runtime == "onnx", package.manifest.why_python
    assert errors["huber"] < 0.6 * errors["squared"], errors
    assert errors["absolute"] < 0.6 * errors["squared"], errors


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_spread_where_large_errors_begin_is_no_matter_of_units(recipe: str) -> None:
    run, said = load_recipe(recipe), []
    for unit in (1.0, 1024.0):
        one = bench(recipe, 0.05, loss="huber")
        table = one.tables["train"]
        one.tables = {"train": Table(features=table.features, truth=table.truth * unit)}
        said.append(run.predict(one, run.fit(one), table.features) / unit)
    assert np.allclose(said[0], said[1], rtol=1e-3)


def test_other_names_of_a_loss_are_refused() -> None:
    for recipe in QUICK:
        with pytest.raises(Invalid) as refused:
            find_recipe(recipe).check({"loss": "cubic"})
        assert refused.value.field == "params.loss"
