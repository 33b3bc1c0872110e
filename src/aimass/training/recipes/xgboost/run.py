"""Gradient boosting by XGBoost."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost as xgb
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight
from xgboost.callback import TrainingCallback

from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import TabularRecipe

ROUNDS = (
    50  # between two checkpoints; each stretch draws by a seed of its own, so an attempt after a kill draws the same
)
HELD_OUT, HELD_OUT_LOSS = 0.15, "held_out_loss"
_COUNT = "count"

update_registered_converter(
    xgb.XGBClassifier,
    "XGBoostXGBClassifier",
    calculate_linear_classifier_output_shapes,
    convert_xgboost,
    options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
)
update_registered_converter(
    xgb.XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost
)


def _estimator(ctx: RecipeContext) -> xgb.XGBModel:
    kind = xgb.XGBRegressor if ctx.task == "regression" else xgb.XGBClassifier
    return kind(
        n_estimators=ctx.params.trees,
        learning_rate=ctx.params.learning_rate,
        max_depth=ctx.params.max_depth,
        min_child_weight=ctx.params.min_weight_per_leaf,
        reg_lambda=ctx.params.penalty,
        subsample=ctx.params.row_share,
        colsample_bytree=ctx.params.column_share,
        tree_method="hist",
        n_jobs=ctx.threads,
        random_state=ctx.seed,
        verbosity=0,
    )


class _Told(TrainingCallback):
    """Tells the progress of each tree, lets who watches look, and stops a run that was cancelled.

    Looks are at the trees that are grown first: those by which is found how many are worth it, or all there are without
    patience.
    """

    def __init__(self, ctx: RecipeContext, done: int, trees: int, name: str) -> None:
        super().__init__()
        self._ctx, self._done, self._trees, self._name = ctx, done, trees, name

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Report the loss of the rows that are looked at."""
        (losses,) = next(iter(evals_log.values())).values()
        self._ctx.report(self._done + epoch + 1, self._trees, **{self._name: float(losses[-1])})
        patience = self._ctx.params.patience
        if not patience or self._name == HELD_OUT_LOSS:
            step = (0 if patience else self._done) + epoch + 1
            self._ctx.look(step, self._ctx.params.trees, lambda rows: _said(model, rows, self._ctx.task))
        return False


def _said(booster: Any, rows: Any, task: str) -> Any:
    """Return what the trees that there are say of rows: shares of the classes, or numbers."""
    said = booster.inplace_predict(rows)
    return np.stack([1 - said, said], axis=1) if task == "classification" and said.ndim == 1 else said


def _learn(ctx: RecipeContext, estimator: Any, inputs: Any, truth: Any) -> None:
    """Grow the trees, a stretch at a time; a stretch that was kept before a kill is not grown again."""
    weights = None
    if ctx.task == "classification" and ctx.params.class_weight == "balanced":
        weights = compute_sample_weight("balanced", truth)
    trees, looked = ctx.params.trees, 0
    if ctx.params.patience:
        trees, looked = _count(ctx, estimator, (inputs, truth, weights))
    kept = ctx.restore()
    booster: Any = None if kept is None else xgb.Booster(model_file=bytearray(kept))
    done = 0 if booster is None else booster.num_boosted_rounds()
    while done < trees:
        estimator.set_params(
            n_estimators=min(ROUNDS, trees - done),
            random_state=ctx.seed + done,
            callbacks=[_Told(ctx, looked + done, looked + trees, "train_loss")],
        )
        estimator.fit(
            inputs, truth, sample_weight=weights, eval_set=[(inputs, truth)], verbose=False, xgb_model=booster
        )
        state = bytes(estimator.get_booster().save_raw("ubj"))
        booster = xgb.Booster(model_file=bytearray(state))
        done = booster.num_boosted_rounds()
        if done < trees:
            ctx.save(state)
    estimator.set_params(n_estimators=done, random_state=ctx.seed, callbacks=None)


def _count(ctx: RecipeContext, estimator: Any, rows: tuple[Any, Any, Any]) -> tuple[int, int]:
    """Return how many trees are worth it, and how many were grown to know; on rows held out of the training part.

    All rows learn afterwards. An attempt after a kill takes over what was found.
    """
    kept = ctx.restore(_COUNT)
    if kept is not None:
        found, looked = kept.split()
        return int(found), int(looked)
    inputs, truth, weights = rows
    strata = truth if ctx.task == "classification" else None
    inside, outside = train_test_split(
        np.arange(len(truth)), test_size=HELD_OUT, random_state=ctx.seed, stratify=strata
    )
    estimator.set_params(
        early_stopping_rounds=ctx.params.patience, callbacks=[_Told(ctx, 0, 2 * ctx.params.trees, HELD_OUT_LOSS)]
    )
    estimator.fit(
        inputs[inside],
        truth[inside],
        sample_weight=None if weights is None else weights[inside],
        eval_set=[(inputs[outside], truth[outside])],
        verbose=False,
    )
    estimator.set_params(early_stopping_rounds=None, callbacks=None)
    counts = int(estimator.best_iteration) + 1, estimator.get_booster().num_boosted_rounds()
    ctx.save(" ".join(map(str, counts)).encode(), _COUNT)
    return counts


RUN = TabularRecipe(
    estimator=_estimator,
    learn=_learn,
    learns_codes=True,
    imputes=False,
    why_not_python="a model of XGBoost is written as ONNX alone",
)
