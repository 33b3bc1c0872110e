"""Random forest by scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> RandomForestClassifier | RandomForestRegressor:
    shared: dict[str, Any] = {
        "n_estimators": ctx.params.trees,
        "min_samples_leaf": ctx.params.min_rows_per_leaf,
        "max_depth": ctx.params.max_depth,
        "n_jobs": ctx.threads,
        "random_state": ctx.seed,
    }
    if not ctx.signature.classes:
        return RandomForestRegressor(**shared)
    weight = None if ctx.params.class_weight == "none" else ctx.params.class_weight
    return RandomForestClassifier(class_weight=weight, **shared)


RUN = TabularRecipe(estimator=_estimator)
