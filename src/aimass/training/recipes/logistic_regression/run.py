"""Logistic regression by scikit-learn."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> LogisticRegression:
    weight = None if ctx.params.class_weight == "none" else ctx.params.class_weight
    return LogisticRegression(
        C=ctx.params.strength, max_iter=ctx.params.max_iterations, class_weight=weight, random_state=ctx.seed
    )


RUN = TabularRecipe(estimator=_estimator, scales=True)
