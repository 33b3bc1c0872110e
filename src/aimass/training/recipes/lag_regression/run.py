"""A ridge regression for each step ahead by scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import Ridge

from aimass.training.measures.forecasts import Windows
from aimass.training.recipes.forecasting import ForecastRecipe
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.series.lines import Lines, lines_by


def _lines(ctx: RecipeContext, truth: Windows, inputs: Any, wanted: Any) -> Lines:
    del truth
    found = Ridge(alpha=ctx.params.penalty, random_state=ctx.seed).fit(inputs, wanted)
    return Lines(weights=found.coef_.T.reshape(inputs.shape[1], -1), offset=found.intercept_.reshape(-1))


RUN = ForecastRecipe(learn=lines_by(_lines))
