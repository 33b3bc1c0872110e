"""Linear regression with a ridge penalty by scikit-learn."""

from __future__ import annotations

from sklearn.linear_model import Ridge

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> Ridge:
    return Ridge(alpha=ctx.params.penalty, random_state=ctx.seed)


RUN = TabularRecipe(estimator=_estimator, scales=True)
