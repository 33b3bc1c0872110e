"""The value of the same place one season before, as weights of which all but one are 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.measures.forecasts import Windows
from aimass.training.recipes.forecasting import HISTORY, ForecastRecipe, Lines
from aimass.training.recipes.protocol import RecipeContext


def _lines(ctx: RecipeContext, truth: Windows, inputs: Any, wanted: Any) -> Lines:
    length = next(one.shape[1] for one in ctx.signature.inputs if one.name == HISTORY and one.shape is not None)
    season, steps = truth.season, wanted.shape[1]
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


RUN = ForecastRecipe(lines=_lines)
