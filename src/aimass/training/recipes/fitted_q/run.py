"""Fitted Q iteration with extremely randomised trees (Ernst, Geurts & Wehenkel, JMLR 6 (2005) 503-556).

An action is worth what it brings at once, and, one step later and less by the discount, the best that can be done then. That is
learned as often as steps are looked ahead, each time from what the last time said. The trees are grown anew at first; then they
stay, and only the values of their leaves move, so that it comes to rest: a mean over rows never moves apart what is discounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline

from aimass.training.measures.episodes import Steps
from aimass.training.recipes.policies import Exploration, Policy, PolicyRecipe
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.tabular import STEP, TabularRecipe, prepared

_STILL = 1e-4


def _regress(ctx: RecipeContext, inputs: Any, numbers: Any, weights: Any) -> ExtraTreesRegressor:
    forest = ExtraTreesRegressor(
        ctx.params.trees, min_samples_leaf=ctx.params.min_rows_per_leaf, n_jobs=ctx.threads, random_state=ctx.seed
    )
    return forest.fit(inputs, numbers, sample_weight=weights)


@dataclass(slots=True)
class _Worth:
    """The trees of one action, and what the leaves of each say of all rows."""

    forest: ExtraTreesRegressor
    rows: Any
    leaves: Any

    @classmethod
    def grown(cls, ctx: RecipeContext, inputs: Any, rows: Any, targets: Any) -> _Worth:
        forest = _regress(ctx, inputs[rows], targets[rows], None)
        return cls(forest, rows, forest.apply(inputs))

    def means(self, targets: Any) -> list[Any]:
        """Return the mean of each node that is a leaf, tree by tree."""
        found: list[Any] = []
        for leaf, tree in zip(self.leaves.T, self.forest.estimators_, strict=True):
            mine, size = leaf[self.rows], tree.tree_.node_count
            counts = np.bincount(mine, minlength=size)
            found.append(np.bincount(mine, targets[self.rows], minlength=size) / np.maximum(counts, 1))
        return found

    def said(self, targets: Any) -> Any:
        """Return what the trees say of every row, their leaves filled with these targets."""
        leaves = self.leaves.T
        return np.mean([mean[leaf] for mean, leaf in zip(self.means(targets), leaves, strict=True)], axis=0)

    def filled(self, targets: Any) -> ExtraTreesRegressor:
        """Return the trees with these targets in their leaves."""
        for mean, tree in zip(self.means(targets), self.forest.estimators_, strict=True):
            is_leaf = tree.tree_.children_left < 0
            tree.tree_.value[is_leaf, 0, 0] = mean[is_leaf]
        return self.forest


def _iterated(ctx: RecipeContext, inputs: Any, truth: Any, count: int) -> list[ExtraTreesRegressor]:
    """Return the trees of each action after the last iteration."""
    is_many = isinstance(truth, Steps)
    after = truth.after if is_many else np.full(len(truth), -1)
    discount = truth.discount if is_many else 0.0
    taken = [np.flatnonzero(truth.actions == action) for action in range(count)]
    targets, worth = truth.rewards.astype(float), list[_Worth]()
    spread = float(targets.std()) or 1.0
    for step in range(ctx.params.iterations):
        if step < ctx.params.rebuilds:
            worth = [_Worth.grown(ctx, inputs, rows, targets) for rows in taken]
        best = np.max([one.said(targets) for one in worth], axis=0)
        then = truth.rewards + discount * np.where(after < 0, 0.0, best[after])
        moved = float(np.abs(then - targets).max())
        ctx.report(step + 1, ctx.params.iterations, moved=moved)
        if moved <= _STILL * spread:
            break
        targets = then
    return [one.filled(targets) for one in worth]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedQ(PolicyRecipe):
    """A recipe that learns what an action is worth together with what follows it."""

    def fit(self, ctx: RecipeContext) -> Policy:
        """Learn what each action is worth."""
        table = ctx.data("train")
        frame = prepared(table.features, ctx.signature)
        columns, truth = self.columns.columns(frame, ctx), table.truth
        inputs = np.asarray(columns.fit_transform(frame), dtype=np.float32)
        models = _iterated(ctx, inputs, truth, len(ctx.signature.classes))
        is_soft = ctx.params.exploration == "softmax"
        spread = float((truth.returns if isinstance(truth, Steps) else truth.rewards).std()) or 1.0
        return Policy(
            pipeline=Pipeline([("columns", columns), (STEP, self.joined(models))]),
            exploration=Exploration(
                epsilon=ctx.params.epsilon, temperature=ctx.params.temperature * spread if is_soft else None
            ),
        )


def _joined(models: Sequence[Any]) -> MultiOutputRegressor:
    """Return one regressor that says a number for each action."""
    found = MultiOutputRegressor(models[0])
    found.estimators_ = list(models)
    return found


def _snapped(estimator: Any) -> None:
    """Move each threshold to the next number below that 32 bits can hold: inputs have 32 bits, so no row goes another way."""
    for forest in estimator.estimators_:
        for one in forest.estimators_:
            wide = one.tree_.threshold
            near = wide.astype(np.float32)
            wide[:] = np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near)


RUN = FittedQ(
    regress=_regress,
    joined=_joined,
    columns=TabularRecipe(estimator=lambda _: ExtraTreesRegressor()),
    before_export=_snapped,
)
