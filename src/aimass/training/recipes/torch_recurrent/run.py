"""Cells that remember, for whatever is asked of lists: a class, a number, or what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from aimass.models import Candidate
from aimass.training.recipes.forecasting import ForecastRecipe
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.torch_recurrent.forecasts import learn_windows
from aimass.training.recipes.torch_recurrent.sequences import Sequences


class TorchRecurrent:
    """One recipe for lists, whatever is asked of them."""

    def __init__(self) -> None:
        self._forecasts, self._sequences = ForecastRecipe(learn=learn_windows), Sequences()

    def _of(self, ctx: RecipeContext) -> Any:
        return self._forecasts if ctx.task == "forecasting" else self._sequences

    def fit(self, ctx: RecipeContext) -> Any:
        """Learn from the training part."""
        return self._of(ctx).fit(ctx)

    def predict(self, ctx: RecipeContext, model: Any, features: pl.DataFrame) -> Any:
        """Return probabilities, numbers, or forecasts with low and high ends."""
        return self._of(ctx).predict(ctx, model, features)

    def evaluate(self, ctx: RecipeContext, model: Any, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return self._of(ctx).evaluate(ctx, model, table)

    def importance(self, ctx: RecipeContext, model: Any) -> Mapping[str, float] | None:
        """Return the weight of each input."""
        return self._of(ctx).importance(ctx, model)

    def package(self, ctx: RecipeContext, model: Any) -> Candidate:
        """Return the one way to write the net down."""
        return self._of(ctx).package(ctx, model)


RUN = TorchRecurrent()
