"""What is expected of each action, and with which chance it is taken, by models that did not learn from the row."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.measures.policies import Logged

FOLDS = 3
_TREES: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 20,
    "n_jobs": 1,
    "random_state": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def estimated(space: Any, known: Logged, places: Any, groups: Any, count: int) -> tuple[Any, Any]:
    """Return the expected reward and the chance of each action, each of shape ``(n, actions)``.

    Parameters
    ----------
    space
        The rows as numbers.
    known
        What was done and what came of it; chances are estimated where it tells none.
    places
        The training rows.
    groups
        Those of the training rows, whose rows are learned from together, or None.
    count
        How many actions there are.
    """
    # every split and evaluation comes by here, and few of them are of decisions
    from sklearn.model_selection import GroupKFold, KFold

    if len(places) < FOLDS * count:
        raise Invalid("too few training rows", field="split", value=len(places), allowed=f"{FOLDS * count} or more")
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    kind = (
        folds if groups is None or len(np.unique(groups)) < FOLDS else GroupKFold(FOLDS, shuffle=True, random_state=0)
    )
    others = np.setdiff1d(np.arange(len(known)), places)
    expected, chances = np.zeros((2, len(known), count))
    for inside, outside in kind.split(places, groups=groups):
        learned, judged = places[inside], np.concatenate([places[outside], others])
        share = np.where(np.isin(judged, others), 1 / FOLDS, 1.0)[:, None]
        expected[judged] += share * expected_by(space, known, learned, judged, count)
        if known.chances is None:
            chances[judged] += share * _chances_by(space, known, learned, judged, count)
    return expected, chances


def expected_by(space: Any, known: Logged, learned: Any, judged: Any, count: int) -> Any:
    """Return what the rewards of some rows tell to expect of each action in others."""
    import lightgbm as lgb  # most jobs never need it

    found = np.empty((len(judged), count))
    for action in range(count):
        rows = learned[known.actions[learned] == action]
        if len(rows) < 2 * _TREES["min_child_samples"]:
            found[:, action] = known.rewards[rows if len(rows) else learned].mean()
        else:
            model = lgb.LGBMRegressor(**_TREES).fit(space[rows], known.rewards[rows])
            found[:, action] = np.asarray(model.predict(space[judged]))
    return found


def _chances_by(space: Any, known: Logged, learned: Any, judged: Any, count: int) -> Any:
    """Return with which chance each action is taken in some rows, by what was done in others."""
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(judged), count))
    model = LogisticRegression(max_iter=500).fit(space[learned], known.actions[learned])
    found[:, model.classes_] = model.predict_proba(space[judged])
    return found
