"""Random forest by scikit-learn."""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe


def _estimator(ctx: RecipeContext) -> RandomForestClassifier:
    return RandomForestClassifier(
        n_estimators=ctx.params.trees,
        min_samples_leaf=ctx.params.min_rows_per_leaf,
        max_depth=ctx.params.max_depth,
        class_weight=None if ctx.params.class_weight == "none" else ctx.params.class_weight,
        n_jobs=ctx.threads,
        random_state=ctx.seed,
    )


RUN = TabularRecipe(estimator=_estimator)
