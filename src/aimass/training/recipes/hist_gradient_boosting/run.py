"""Histogram gradient boosting by scikit-learn."""

from __future__ import annotations

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    kind = HistGradientBoostingRegressor if ctx.task == "regression" else HistGradientBoostingClassifier
    return kind(
        max_iter=ctx.params.trees,
        learning_rate=ctx.params.learning_rate,
        max_leaf_nodes=ctx.params.max_leaves,
        min_samples_leaf=ctx.params.min_rows_per_leaf,
        random_state=ctx.seed,
    )


RUN = TabularRecipe(
    estimator=_estimator,
    imputes=False,
    why_not_onnx="scikit-learn's histogram gradient boosting does not convert to ONNX (the tree operators refuse "
    "its base values); use 'lightgbm' or 'gradient_boosting' for an ONNX package",
)
