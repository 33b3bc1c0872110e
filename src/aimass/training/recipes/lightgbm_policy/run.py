"""Boosted trees of LightGBM for each action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
from sklearn.multioutput import MultiOutputRegressor

from aimass.training.recipes.lightgbm.run import snap
from aimass.training.recipes.policies import PolicyRecipe
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _regress(ctx: RecipeContext, inputs: Any, numbers: Any, weights: Any) -> lgb.LGBMRegressor:
    model = lgb.LGBMRegressor(
        n_estimators=ctx.params.trees,
        learning_rate=ctx.params.learning_rate,
        num_leaves=ctx.params.max_leaves,
        min_child_samples=ctx.params.min_rows_per_leaf,
        n_jobs=ctx.threads,
        random_state=ctx.seed,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    return model.fit(inputs, numbers, sample_weight=weights)


def _joined(models: Sequence[Any]) -> MultiOutputRegressor:
    """Return one regressor that says a number for each action."""
    found = MultiOutputRegressor(models[0])
    found.estimators_ = list(models)
    return found


def _snapped(estimator: MultiOutputRegressor) -> None:
    for one in estimator.estimators_:
        snap(one)


RUN = PolicyRecipe(
    regress=_regress,
    joined=_joined,
    columns=TabularRecipe(estimator=lambda _: lgb.LGBMRegressor()),
    before_export=_snapped,
)
