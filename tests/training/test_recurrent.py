"""Cells that remember: conformance of forecasts, and classes and numbers of sequences whose order is all that tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Rows, Signature, build_package
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench, ImageContract, ImageNumberContract
from aimass.training.recipes.contract_of_series import ForecastContract
from aimass.training.recipes.protocol import Table, parameters_of
from aimass.training.selecting import Constraints, Facts, recommend
from aimass.training.tasks import TASKS
from tests.fixtures.deep import needs_torch

RECIPE = "torch_recurrent"
MOMENTS = 12


@needs_torch
class TestRecurrentForecasts(ForecastContract):
    __test__ = True
    recipe = RECIPE
    quick: ClassVar = {"epochs": 6, "units": 8, "batch_rows": 64, "read": 24}


@needs_torch
class TestRecurrentClasses(ImageContract):
    __test__ = True
    recipe = RECIPE
    side = 6
    quick: ClassVar = {"epochs": 16, "units": 12, "batch_rows": 64, "both_ways": True, "learning_rate": 0.02}


@needs_torch
class TestRecurrentNumbers(ImageNumberContract):
    __test__ = True
    recipe = RECIPE
    side = 6
    quick: ClassVar = {"epochs": 16, "units": 12, "batch_rows": 64, "both_ways": True, "learning_rate": 0.02}


def windows(count: int, seed: int, *, of_numbers: bool) -> Table:
    """Return windows of two sensors: a bump and a dip of the second, which is the class by who comes first, and how far apart.

    Values come in any order alike often, so that no cell by itself tells anything.
    """
    rng = np.random.default_rng(seed)
    places = np.array([rng.choice(MOMENTS, 2, replace=False) for _ in range(count)])
    bump, dip = rng.normal(0, 0.2, (2, count, MOMENTS))
    bump[np.arange(count), places[:, 0]] += 3
    dip[np.arange(count), places[:, 1]] -= 30
    kind = pl.Array(pl.Float32, MOMENTS)
    frame = pl.DataFrame({"bump": pl.Series(bump, dtype=kind), "dip (mV)": pl.Series(dip, dtype=kind)})
    apart = places[:, 0] - places[:, 1]
    return Table(features=frame, truth=50.0 + 10 * apart if of_numbers else (apart > 0).astype(np.int64))


def bench(task: str, **changes: Any) -> Bench:
    manifest, of_numbers = find_recipe(RECIPE), task == "regression"
    quick = {"epochs": 25, "units": 12, "batch_rows": 64, "learning_rate": 0.02, **changes}
    outputs: tuple[Output, ...] = (Output(name="value", type="float", shape=(-1,)),)
    if not of_numbers:
        shares = Output(name="probabilities", type="float", shape=(-1, 2), classes=("after", "before"))
        outputs = (Output(name="label", type="string", shape=(-1,)), shares)
    inputs = tuple(Column(name=name, type="float", shape=(-1, MOMENTS)) for name in ("bump", "dip (mV)"))
    tables = {
        part: windows(count, seed, of_numbers=of_numbers)
        for seed, (part, count) in enumerate((("train", 600), ("validation", 200)))
    }
    return Bench(
        task=task,
        params=parameters_of(manifest.check(quick), manifest.parameters),
        signature=Signature(inputs=inputs, outputs=outputs),
        tables=tables,
    )


@needs_torch
@pytest.mark.parametrize(
    ("task", "changes", "metric", "least"),
    [
        ("classification", {"cell": "gru", "both_ways": True}, "roc_auc", 0.97),
        ("regression", {"cell": "lstm", "layers": 2}, "r2", 0.8),
    ],
)
def test_the_order_in_a_list_is_learned_and_the_exported_graph_answers_alike(
    task: str, changes: dict[str, Any], metric: str, least: float, tmp_path: Path
) -> None:
    one, recipe = bench(task, **changes), load_recipe(RECIPE)
    one.looks = []
    model, judged = recipe.fit(one), one.data("validation")
    said = recipe.predict(one, model, judged.features)
    assert recipe.evaluate(one, model, judged)[metric] >= least
    assert len(one.looks) > 1
    assert np.array_equal(np.shape(one.looks[0][1]), np.shape(said))
    columns = {name: judged.features[name].to_list() for name in judged.features.columns}
    package, parity = build_package(
        tmp_path / "package", recipe.package(one, model), Rows(columns=columns, expected=said)
    )
    assert parity.passed, parity.sentence()
    assert package.manifest.runtime == "onnx"
    assert sum(recipe.importance(one, model).values()) == pytest.approx(1)


@needs_torch
def test_lists_of_two_lengths_and_columns_beside_them_are_refused() -> None:
    one = bench("classification")
    odd = Column(name="short", type="float", shape=(-1, 3))
    for beside in (odd, Column(name="age", type="integer")):
        one.signature = Signature(inputs=(*one.signature.inputs, beside), outputs=one.signature.outputs)
        with pytest.raises(Invalid, match="others to learn from") as refused:
            load_recipe(RECIPE).fit(one)
        assert refused.value.field == "features"


def test_the_selector_offers_it_for_lists_of_one_length_and_for_series_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimass.training.recipes.is_installed", lambda _: True)

    def left_out(task: str, facts: Facts) -> str | None:
        return recommend([find_recipe(RECIPE)], TASKS[task], facts, Constraints(), [])[0].left_out

    assert left_out("classification", Facts(rows=500, columns=2, lists={"x": 50, "y": 50})) is None
    assert left_out("forecasting", Facts(rows=500, columns=1)) is None
    for facts in (Facts(rows=500, columns=3, lists={"x": 50, "y": 50}), Facts(rows=500, columns=4)):
        assert left_out("classification", facts) == (
            "it learns from columns of lists of one length alone, such as windows of sensors"
        )
