"""Boosted trees for all steps ahead at once, by LightGBM: a row is a window and a step, the loss the absolute error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from onnx import helper
from onnxmltools import convert_lightgbm
from skl2onnx.common.data_types import FloatTensorType

from aimass.models import Signature
from aimass.training.measures.forecasts import Windows
from aimass.training.recipes.forecasting import ForecastRecipe
from aimass.training.recipes.lag_boosting.looks import Looks
from aimass.training.recipes.lightgbm.run import snapped
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.series.sight import HISTORY, Asked
from aimass.training.recipes.series.sums import Arrays, Nodes

AT_ONCE = 100_000
OF_TREES = 15  # the newest that the converter of trees writes; of what it writes the trees alone are taken
_ENSEMBLE = "TreeEnsembleRegressor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Trees, what they look at, and how much each look was worth."""

    looks: Looks
    booster: lgb.Booster
    gains: Mapping[str, float]

    def said(self, asked: Asked) -> Any:
        """Return the forecast in deviations."""
        piece = max(1, AT_ONCE // self.looks.steps)
        found = [self._said(asked[start : start + piece]) for start in range(0, len(asked), piece)]
        return np.concatenate(found) if found else np.empty((0, self.looks.steps))

    def _said(self, asked: Asked) -> Any:
        sums = Arrays()
        rows = sums.stack(self.looks.columns(sums, asked), self.looks.steps)
        base = self.looks.base(sums, sums.fine(asked.lags))
        return base + np.asarray(self.booster.predict(rows)).reshape(-1, self.looks.steps)

    def draw(self, graph: Nodes, asked: Asked) -> str:
        """Add the nodes: the looks, the trees over the rows of all windows and steps, and the windows again."""
        columns = self.looks.columns(graph, asked)
        rows = graph.stack(columns, self.looks.steps)
        port = [("rows", FloatTensorType([None, len(columns)]))]
        whole = convert_lightgbm(self.booster, initial_types=port, target_opset=OF_TREES, zipmap=False)
        trees = next(node for node in whole.graph.node if node.op_type == _ENSEMBLE)
        attributes = {one.name: helper.get_attribute_value(one) for one in trees.attribute}
        said = graph.op(_ENSEMBLE, rows, domain=trees.domain, **attributes)
        turned = graph.op("Reshape", said, graph.constant([-1, self.looks.steps], np.int64))
        return graph.plus(turned, self.looks.base(graph, graph.fine(asked.lags)))

    def shares(self, signature: Signature) -> Mapping[str, float]:
        """Return what the splits on each input gained; the step ahead itself is no input."""
        return {column.name: self.gains.get(column.name, 0.0) for column in signature.inputs}


def _learn(ctx: RecipeContext, truth: Windows, asked: Asked, wanted: Any) -> Trees:
    looks = Looks.of(truth, asked.lags.shape[1])
    rows, off = _rows(ctx, looks, asked, wanted)
    estimator = lgb.LGBMRegressor(
        objective="regression_l1",
        n_estimators=ctx.params.trees,
        learning_rate=ctx.params.learning_rate,
        num_leaves=ctx.params.max_leaves,
        min_child_samples=ctx.params.min_rows_per_leaf,
        colsample_bytree=ctx.params.column_share,
        n_jobs=ctx.threads,
        random_state=ctx.seed,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    ).fit(rows, off)
    booster = snapped(estimator.booster_)
    gains = dict.fromkeys([HISTORY], 0.0)
    for (_, name), gain in zip(looks.names(asked), booster.feature_importance("gain"), strict=True):
        gains[name] = gains.get(name, 0.0) + float(gain)
    return Trees(looks=looks, booster=booster, gains=gains)


def _rows(ctx: RecipeContext, looks: Looks, asked: Asked, wanted: Any) -> tuple[Any, Any]:
    """Return rows to learn from and how far the values lie off what is corrected: all, or as many drawn over windows and steps."""
    sums, total = Arrays(), wanted.size
    chosen = np.arange(total)
    if total > ctx.params.most_rows:
        chosen = np.sort(np.random.default_rng(ctx.seed).choice(total, ctx.params.most_rows, replace=False))
    piece = max(1, AT_ONCE // looks.steps)
    rows: list[Any] = []
    off: list[Any] = []
    for start in range(0, len(asked), piece):
        part = asked[start : start + piece]
        mine = (
            chosen[(chosen >= start * looks.steps) & (chosen < (start + len(part)) * looks.steps)] - start * looks.steps
        )
        rows.append(sums.stack(looks.columns(sums, part), looks.steps)[mine])
        off.append((wanted[start : start + piece] - looks.base(sums, sums.fine(part.lags))).ravel()[mine])
    return np.concatenate(rows), np.concatenate(off)


RUN = ForecastRecipe(learn=_learn)
