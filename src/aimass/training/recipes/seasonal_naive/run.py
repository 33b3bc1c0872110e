"""The value of the same place one season before, as weights of which all but one are 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.measures.forecasts import Windows
from aimass.training.recipes.forecasting import ForecastRecipe
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.series.lines import Lines, lines_by
from aimass.training.recipes.series.sight import length_of


def _lines(ctx: RecipeContext, truth: Windows, inputs: Any, wanted: Any) -> Lines:
    length, season, steps = length_of(ctx.signature), truth.season, wanted.shape[1]
    if length < season:
        raise Invalid(
            f"a history of {length} values does not reach back a season of {season}",
            field="params.history",
            value=length,
            allowed=f"at least {season}",
        )
    weights = np.zeros((inputs.shape[1], steps))
    for step in range(steps):
        place = length + step - season * (step // season + 1)
        places = [place - season * back for back in range(ctx.params.seasons) if place >= season * back]
        weights[places, step] = 1 / len(places)
    return Lines(weights=weights, offset=np.zeros(steps))


RUN = ForecastRecipe(learn=lines_by(_lines))
