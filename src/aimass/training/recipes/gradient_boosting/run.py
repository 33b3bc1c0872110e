"""Gradient boosting by scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> GradientBoostingClassifier | GradientBoostingRegressor:
    kind = GradientBoostingRegressor if ctx.task == "regression" else GradientBoostingClassifier
    return kind(
        n_estimators=ctx.params.trees,
        learning_rate=ctx.params.learning_rate,
        max_depth=ctx.params.max_depth,
        min_samples_leaf=ctx.params.min_rows_per_leaf,
        subsample=ctx.params.subsample,
        random_state=ctx.seed,
    )


def _options(ctx: RecipeContext) -> dict[str, Any]:
    def monitor(step: int, estimator: Any, _locals: Any) -> bool:
        ctx.report(step + 1, ctx.params.trees, train_loss=float(estimator.train_score_[step]))
        return False

    return {"monitor": monitor}


RUN = TabularRecipe(estimator=_estimator, options=_options)
