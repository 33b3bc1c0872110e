"""What a policy would have earned, told from decisions that another one took.

A row is judged by the chance with which the policy takes the action that was logged, against the chance with which it was logged;
where it would have acted otherwise, by what a model of the rewards expects. The doubly robust value joins both, and is right
when either the chances or the expected rewards are.

References
----------
Dudík, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011; Swaminathan & Joachims, "The self-normalized
estimator for counterfactual learning", NIPS 2015; weights cut at the root of the number of rows after Ionides, "Truncated
importance sampling", Journal of Computational and Graphical Statistics 17 (2008) 295-311.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

LEAST_WORTH, LEAST_SHARE = 30.0, 0.01
_LEAST_CUT = 10.0
ESTIMATES = ("dr", "snips", "ips", "dm", "logged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Decisions that were taken, which stand where other tasks have the truth.

    Attributes
    ----------
    actions
        The place of the action that was taken, shape ``(n,)``.
    rewards
        What came of it, shape ``(n,)``.
    chances
        With which chance it was taken, shape ``(n,)``.
    expected
        What a model that did not learn from the row expects of each action, shape ``(n, actions)``; the same for every policy.
    """

    actions: Any
    rewards: Any
    chances: Any
    expected: Any

    def __len__(self) -> int:
        return len(self.actions)

    def __getitem__(self, rows: Any) -> Logged:
        return Logged(
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            chances=self.chances[rows],
            expected=self.expected[rows],
        )

    @property
    def taken(self) -> Any:
        """Return where the logged action of each row stands in a matrix of rows and actions."""
        return np.arange(len(self)), self.actions


def chances_of(truth: Logged, said: Any) -> Any:
    """Return the chance of each action out of what a policy says: chances and expected rewards beside each other.

    Examples
    --------
    >>> truth = Logged(actions=np.array([1]), rewards=np.array([2.0]), chances=np.array([0.5]), expected=np.zeros((1, 2)))
    >>> chances_of(truth, np.array([[0.1, 0.9, 3.0, 4.0]])).tolist()
    [[0.1, 0.9]]
    """
    return np.asarray(said, dtype=float)[:, : truth.expected.shape[1]]


def cut_at(rows: int) -> float:
    """Return the largest weight of one of so many rows.

    Examples
    --------
    >>> cut_at(10_000), cut_at(4)
    (100.0, 10.0)
    """
    return max(_LEAST_CUT, float(np.sqrt(rows)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the estimates are made of, each of shape ``(n,)``: weights as they count and as they were, and what each row says."""

    weights: Any
    whole: Any
    ips: Any
    dm: Any
    dr: Any


def parts_of(truth: Logged, said: Any) -> Parts:
    """Return what each row says of a policy.

    Examples
    --------
    >>> truth = Logged(
    ...     actions=np.array([0, 1]), rewards=np.array([1.0, 0.0]), chances=np.array([0.5, 0.5]), expected=np.full((2, 2), 0.5)
    ... )
    >>> found = parts_of(truth, np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> found.weights.tolist(), found.ips.tolist(), found.dm.tolist(), found.dr.tolist()
    ([2.0, 0.0], [2.0, 0.0], [0.5, 0.5], [1.5, 0.5])
    """
    chances = chances_of(truth, said)
    whole = chances[truth.taken] / truth.chances
    weights = np.minimum(whole, cut_at(len(truth)))
    dm = (chances * truth.expected).sum(axis=1)
    off = truth.rewards - truth.expected[truth.taken]
    return Parts(weights=weights, whole=whole, ips=weights * truth.rewards, dm=dm, dr=dm + weights * off)


def value_of(truth: Logged, said: Any) -> float:
    """Return the doubly robust value of a policy: the mean reward that it would have earned on these rows."""
    return float(parts_of(truth, said).dr.mean())


def policy_scores(truth: Logged, said: Any) -> dict[str, float]:
    """Return every number of a policy.

    Returns
    -------
    dict
        ``dr``, ``snips``, ``ips`` and ``dm``: its mean reward by the doubly robust, the self-normalised, the inverse propensity and
        the direct estimate; ``logged``: that of the decisions as they were; ``lift``: how much ``dr`` is above it; ``ess``:
        how many rows the weights are worth, and ``ess_share`` of all; ``clipped``: the share of weights that were cut.

    Examples
    --------
    >>> truth = Logged(
    ...     actions=np.array([0, 1]), rewards=np.array([1.0, 0.0]), chances=np.array([0.5, 0.5]), expected=np.full((2, 2), 0.5)
    ... )
    >>> found = policy_scores(truth, np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> found["dr"], found["snips"], found["logged"], found["ess"]
    (1.0, 1.0, 0.5, 1.0)
    """
    parts = parts_of(truth, said)
    total, squares = float(parts.weights.sum()), float((parts.weights**2).sum())
    worth = total**2 / squares if squares else 0.0
    value, logged = float(parts.dr.mean()), float(truth.rewards.mean())
    return {
        "dr": value,
        "snips": float(parts.ips.sum()) / total if total else logged,
        "ips": float(parts.ips.mean()),
        "dm": float(parts.dm.mean()),
        "logged": logged,
        "lift": value - logged,
        "ess": worth,
        "ess_share": worth / len(truth),
        "clipped": float((parts.whole > cut_at(len(truth))).mean()),
    }


def doubt_of(truth: Logged, said: Any) -> str:
    """Say why the decisions as they were logged tell too little of a policy; empty where they tell enough.

    Examples
    --------
    >>> truth = Logged(actions=np.array([1]), rewards=np.array([2.0]), chances=np.array([0.5]), expected=np.zeros((1, 2)))
    >>> doubt_of(truth, np.array([[0.5, 0.5, 0.0, 0.0]]))
    'what was logged tells of this policy as little as 1 rows of its own would: its value is a guess'
    """
    found = policy_scores(truth, said)
    if found["ess"] >= LEAST_WORTH and found["ess_share"] >= LEAST_SHARE:
        return ""
    return f"what was logged tells of this policy as little as {found['ess']:.0f} rows of its own would: its value is a guess"


def _drawn(columns: Any, seed: int) -> Any:
    """Return the means of columns over draws of the rows, shape ``(draws, columns)``."""
    rng = np.random.default_rng(seed)
    return np.array([columns[rng.integers(0, len(columns), len(columns))].mean(axis=0) for _ in range(REPEATS)])


def _bounds(draws: Any, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def policy_interval(truth: Logged, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the doubly robust value with its interval, a bootstrap of the rows."""
    rows = parts_of(truth, said).dr
    low, high = _bounds(_drawn(rows[:, None], seed)[:, 0], level)
    return Interval(value=float(rows.mean()), low=low, high=high, level=level, method="bootstrap")


def compare_policies(
    truth: Logged, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two policies on the same decisions, row by row: candidate minus champion."""
    own, other = (parts_of(truth, said).dr for said in (candidate, champion))
    draws = _drawn((own - other)[:, None], seed)[:, 0]
    return paired(float(own.mean()), float(other.mean()), draws, level=level, method="paired bootstrap")


def policy_curves(truth: Logged, said: Any, actions: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return what a page about a policy shows.

    Returns
    -------
    dict
        ``estimates``, each with ``name``, ``value``, ``low`` and ``high``; ``actions``, each with ``name``, how often it was
        ``logged`` and is ``chosen``, the mean ``reward`` where it was taken (None where it never was), and the mean that is
        ``expected`` of it.
    """
    parts, found = parts_of(truth, said), policy_scores(truth, said)
    draws = _drawn(np.column_stack([parts.dr, parts.ips, parts.dm, truth.rewards, parts.weights]), seed)
    of = {"dr": draws[:, 0], "ips": draws[:, 1], "dm": draws[:, 2], "logged": draws[:, 3]}
    of["snips"] = draws[:, 1] / np.where(draws[:, 4] > 0, draws[:, 4], 1.0)
    bounds = {name: _bounds(of[name], LEVEL) for name in ESTIMATES}
    chances = chances_of(truth, said)
    taken = [truth.actions == place for place in range(len(actions))]
    return {
        "estimates": [
            {"name": name, "value": found[name], "low": bounds[name][0], "high": bounds[name][1]} for name in ESTIMATES
        ],
        "actions": [
            {
                "name": name,
                "logged": float(taken[place].mean()),
                "chosen": float(chances[:, place].mean()),
                "reward": float(truth.rewards[taken[place]].mean()) if taken[place].any() else None,
                "expected": float(truth.expected[:, place].mean()),
            }
            for place, name in enumerate(actions)
        ],
    }
