"""Gradient boosting by LightGBM."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.pipeline import Pipeline

from aimass.training.measures.relevance import Lists
from aimass.training.recipes.numberloss import large_from
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import STEP, TabularRecipe

update_registered_converter(
    lgb.LGBMClassifier,
    "LightGbmLGBMClassifier",
    calculate_linear_classifier_output_shapes,
    convert_lightgbm,
    options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
)
for _kind in (lgb.LGBMRegressor, lgb.LGBMRanker):
    update_registered_converter(
        _kind,
        f"LightGbm{_kind.__name__}",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )


_OBJECTIVES = {"squared": "regression", "absolute": "regression_l1", "huber": "huber"}


def _estimator(ctx: RecipeContext) -> lgb.LGBMModel:
    shared: dict[str, Any] = {
        "n_estimators": ctx.params.trees,
        "learning_rate": ctx.params.learning_rate,
        "num_leaves": ctx.params.max_leaves,
        "min_child_samples": ctx.params.min_rows_per_leaf,
        "colsample_bytree": ctx.params.column_share,
        "n_jobs": ctx.threads,
        "random_state": ctx.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if ctx.task == "regression":
        return lgb.LGBMRegressor(objective=_OBJECTIVES[ctx.params.loss], **shared)
    if ctx.task == "ranking":
        return lgb.LGBMRanker(objective="lambdarank", **shared)
    weight = None if ctx.params.class_weight == "none" else ctx.params.class_weight
    return lgb.LGBMClassifier(class_weight=weight, **shared)


def _learn(ctx: RecipeContext, estimator: Any, inputs: Any, truth: Any, weights: Any = None) -> None:
    """Fit, and report each tree; for an order by pairs of one list, whose rows then lie side by side (LambdaRank)."""

    def tell(moment: Any) -> None:
        step, total = moment.iteration + 1, moment.end_iteration
        ctx.report(step, total)
        ctx.look(step, total, lambda rows: _said(moment.model, rows, _order(ctx, truth)))

    if ctx.task == "regression" and ctx.params.loss == "huber":
        estimator.set_params(alpha=large_from(truth, ctx.params.huber_at))
    if not isinstance(truth, Lists):
        estimator.fit(inputs, truth, sample_weight=weights, callbacks=[tell])
        return
    beside = np.argsort(truth.lists, kind="stable")
    sizes = np.unique(truth.lists, return_counts=True)[1]
    estimator.fit(inputs[beside], truth.relevance[beside], group=sizes, callbacks=[tell])


def _order(ctx: RecipeContext, truth: Any) -> list[int]:
    """Return the places of the classes in what the trees say, which is in the order of their names; of numbers nothing."""
    names = list(np.unique(truth)) if ctx.task == "classification" else []
    return [names.index(name) for name in ctx.signature.classes] if names else []


def _said(booster: lgb.Booster, rows: Any, order: list[int]) -> Any:
    """Return what the trees that there are say of rows: shares in the order of the classes, or numbers."""
    said = np.asarray(booster.predict(rows))
    if not order:
        return said
    return (np.stack([1 - said, said], axis=1) if said.ndim == 1 else said)[:, order]


def snap_thresholds(pipeline: Pipeline) -> None:
    """Move each threshold to the largest ``float32`` not above it: rows are ``float32``, so none goes another way."""
    snap(pipeline[STEP])


def snap(estimator: Any) -> None:
    """Do it for an estimator alone."""
    estimator._Booster = snapped(estimator.booster_)  # noqa: SLF001 there is no public way back


def snapped(booster: lgb.Booster) -> lgb.Booster:
    """Return trees that send ``float32`` rows the same way with thresholds that are ``float32`` too."""
    lines = booster.model_to_string().splitlines()
    kept = [_snapped(line) for line in lines if not line.startswith("tree_sizes=")]
    return lgb.Booster(model_str="\n".join(kept) + "\n")


def _snapped(line: str) -> str:
    name, _, values = line.partition("=")
    if name != "threshold":
        return line
    exact = np.array(values.split(), dtype=np.float64)
    near = exact.astype(np.float32)
    down = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return "threshold=" + " ".join(repr(float(value)) for value in down)


RUN = TabularRecipe(estimator=_estimator, learn=_learn, before_export=snap_thresholds)
