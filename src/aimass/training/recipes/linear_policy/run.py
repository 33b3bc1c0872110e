"""A ridge regression for each action by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from aimass.training.recipes.policies import PolicyRecipe
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _regress(ctx: RecipeContext, inputs: Any, numbers: Any, weights: Any) -> Ridge:
    return Ridge(alpha=ctx.params.penalty, random_state=ctx.seed).fit(inputs, numbers, sample_weight=weights)


def _joined(models: Sequence[Any]) -> Ridge:
    """Return one regression with the weights of all."""
    found: Any = Ridge()
    found.coef_ = np.stack([one.coef_ for one in models])
    found.intercept_ = np.array([one.intercept_ for one in models])
    found.n_features_in_ = models[0].n_features_in_
    return found


RUN = PolicyRecipe(regress=_regress, joined=_joined, columns=TabularRecipe(estimator=lambda _: Ridge(), scales=True))
