"""What a policy would have earned over several steps, told from episodes that another one went through.

Each step of an episode counts by the chances of all actions up to it, under the policy against as they were logged. Three estimates
come of that: their sum (``ips``), the sum self-normalised step by step (``snips``), and one that begins with what a model expects
and puts it right by these weights (``dr``). The model itself, fitted Q evaluation (``dm``), asks of each step what the rows beside
it tell: neighbours are those that fall into the same leaves of trees, whose own episode is left out, and values go from step to
step as often as the longest episode has steps.

References
----------
Precup, Sutton & Singh, "Eligibility traces for off-policy policy evaluation", ICML 2000; Thomas & Brunskill, "Data-efficient
off-policy policy evaluation for reinforcement learning", ICML 2016; Le, Voloshin & Yue, "Batch policy learning under constraints",
ICML 2019; trees whose shape stays: Ernst, Geurts & Wehenkel, "Tree-based batch mode reinforcement learning", JMLR 6 (2005) 503-556.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired
from aimass.training.measures.policies import ESTIMATES, LEAST_SHARE, LEAST_WORTH, Logged, chances_of, cut_at

TREES, LEAST_LEAF = 20, 5
_STILL = 1e-6


@dataclass(frozen=True, kw_only=True)
class Steps(Logged):
    """Decisions that follow each other in episodes.

    Attributes
    ----------
    episodes
        The number of the episode of each row, shape ``(n,)``; an episode is here whole or not at all.
    order
        What puts the rows of an episode in order.
    discount
        What a reward one step later is worth, above 0 and at most 1.
    space
        The rows as points, for a model of the evaluation's own; shape ``(n, d)``.
    """

    episodes: Any
    order: Any
    discount: float
    space: Any

    def __getitem__(self, rows: Any) -> Steps:
        return Steps(
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            chances=self.chances[rows],
            expected=self.expected[rows],
            episodes=self.episodes[rows],
            order=self.order[rows],
            discount=self.discount,
            space=self.space[rows],
        )

    @cached_property
    def grid(self) -> Any:
        """Return the row of each step of each episode, -1 behind its end; shape ``(episodes, longest)``."""
        _, codes = np.unique(self.episodes, return_inverse=True)
        rows = np.lexsort((self.order, codes))
        counts = np.bincount(codes)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        found = np.full((len(counts), int(counts.max())), -1)
        found[codes[rows], steps] = rows
        return found

    @cached_property
    def after(self) -> Any:
        """Return the row that follows each one, -1 behind the last of its episode."""
        found = np.full(len(self), -1)
        before, then = self.grid[:, :-1], self.grid[:, 1:]
        found[before[then >= 0]] = then[then >= 0]
        return found

    @cached_property
    def returns(self) -> Any:
        """Return what came from each step on, each step worth less by the discount."""
        found, total = np.zeros(len(self)), np.zeros(len(self.grid))
        for rows in self.grid.T[::-1]:
            here = rows >= 0
            total[here] = self.rewards[rows[here]] + self.discount * total[here]
            found[rows[here]] = total[here]
        return found

    @cached_property
    def neighbours(self) -> Neighbours:
        """Return which rows tell of each step."""
        return Neighbours(self)

    def some(self, most: int, rng: Any) -> Any:
        """Draw whole episodes with so many rows at most, one at least; return their rows."""
        order = rng.permutation(len(self.grid))
        sizes = np.cumsum((self.grid[order] >= 0).sum(axis=1))
        rows = self.grid[order[: max(1, int((sizes <= most).sum()))]]
        return np.sort(rows[rows >= 0])

    def laid(self, values: Any) -> Any:
        """Return numbers of rows by episode and step, 0 behind the end."""
        return np.where(self.grid >= 0, values[self.grid], 0.0)


class Neighbours:
    """For each action and each row, the rows of other episodes in which that action was taken in about the same state."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._count = steps.expected.shape[1]
        self._taken = [np.flatnonzero(steps.actions == action) for action in range(self._count)]
        self._trees = [self._grown(rows) if len(rows) > LEAST_LEAF else [] for rows in self._taken]

    def _grown(self, rows: Any) -> list[tuple[Any, Any, Any]]:
        """Return, for each tree of an action, leaf, leaf within the episode, and how many rows of others there are, of each row."""
        from sklearn.ensemble import ExtraTreesRegressor  # only those who judge episodes need it

        steps = self._steps
        forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, random_state=0, n_jobs=1)
        leaves = forest.fit(steps.space[rows], steps.returns[rows]).apply(steps.space)
        _, episodes = np.unique(steps.episodes, return_inverse=True)
        found: list[tuple[Any, Any, Any]] = []
        for leaf in leaves.T.astype(np.int64):
            _, own = np.unique(episodes * (int(leaf.max()) + 1) + leaf, return_inverse=True)
            others = np.bincount(leaf[rows], minlength=int(leaf.max()) + 1)[leaf]
            others = others - np.bincount(own[rows], minlength=int(own.max()) + 1)[own]
            found.append((leaf, own, others))
        return found

    def expected(self, targets: Any) -> Any:
        """Return the mean of the targets of the neighbours, for each row and action."""
        return np.column_stack([self._of(action, targets) for action in range(self._count)])

    def _of(self, action: int, targets: Any) -> Any:
        rows = self._taken[action]
        mean = float(targets[rows].mean()) if len(rows) else float(targets.mean())
        total, trees = np.zeros(len(targets)), np.zeros(len(targets))
        for leaf, own, others in self._trees[action]:
            sums = np.bincount(leaf[rows], targets[rows], minlength=int(leaf.max()) + 1)[leaf]
            sums = sums - np.bincount(own[rows], targets[rows], minlength=int(own.max()) + 1)[own]
            total += np.where(others > 0, sums / np.maximum(others, 1), 0.0)
            trees += others > 0
        return np.where(trees > 0, total / np.maximum(trees, 1), mean)


def fitted_values(truth: Steps, chances: Any) -> Any:
    """Return what each action of each step is worth if a policy with these chances goes on (fitted Q evaluation).

    Examples
    --------
    >>> steps = Steps(
    ...     actions=np.zeros(40, int),
    ...     rewards=np.ones(40),
    ...     chances=np.ones(40),
    ...     expected=np.zeros((40, 1)),
    ...     episodes=np.repeat(np.arange(20), 2),
    ...     order=np.tile([0, 1], 20),
    ...     discount=0.5,
    ...     space=np.tile([[0.0], [1.0]], (20, 1)),
    ... )
    >>> fitted_values(steps, np.ones((40, 1)))[:2, 0].tolist()
    [1.5, 1.0]
    """
    found, targets = truth.neighbours.expected(truth.rewards), truth.rewards
    is_last = truth.after < 0
    scale = float(np.abs(truth.returns).max()) or 1.0
    for _ in range(truth.grid.shape[1] - 1):
        worth = (chances * found).sum(axis=1)
        then = truth.rewards + truth.discount * np.where(is_last, 0.0, worth[truth.after])
        if float(np.abs(then - targets).max()) <= _STILL * scale:
            break
        targets = then
        found = truth.neighbours.expected(targets)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the estimates are made of, each of shape ``(episodes, longest)``, ``shares`` what each step is worth.

    Attributes
    ----------
    weights, before
        The weight of each step as it counts, and of the one before; they stay behind the end of an episode.
    rewards, taken, worth
        What came, what was expected of the action that was taken, and of the policy; 0 behind the end.
    clipped
        The share of weights that were cut.
    """

    weights: Any
    before: Any
    rewards: Any
    taken: Any
    worth: Any
    shares: Any
    clipped: float
    values: Any

    def estimates(self, draws: Any) -> dict[str, Any]:
        """Return each estimate for draws of episodes, which tell how often each was drawn; shape ``(draws, episodes)``."""
        many = draws.sum(axis=1)
        weighed, earlier = draws @ self.weights, draws @ self.before
        gained = draws @ (self.weights * self.rewards)
        right = _over(draws @ (self.weights * (self.rewards - self.taken)), weighed)
        return {
            "dr": (right + _over(draws @ (self.before * self.worth), earlier)) @ self.shares,
            "snips": _over(gained, weighed) @ self.shares,
            "ips": (gained / many[:, None]) @ self.shares,
            "dm": draws @ self.worth[:, 0] / many,
            "logged": (draws @ self.rewards / many[:, None]) @ self.shares,
        }


def _over(above: Any, below: Any) -> Any:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)


def sums_of(truth: Steps, said: Any) -> Sums:
    """Return what each step of each episode says of a policy."""
    chances = chances_of(truth, said)
    values = fitted_values(truth, chances)
    with np.errstate(divide="ignore"):
        ratios = np.log(chances[truth.taken] / truth.chances)
    whole = np.cumsum(truth.laid(ratios), axis=1)
    most = cut_at(len(truth.grid))
    weights = np.exp(np.minimum(whole, np.log(most)))
    is_here = truth.grid >= 0
    return Sums(
        weights=weights,
        before=np.column_stack([np.ones(len(weights)), weights[:, :-1]]),
        rewards=truth.laid(truth.rewards),
        taken=truth.laid(values[truth.taken]),
        worth=truth.laid((chances * values).sum(axis=1)),
        shares=truth.discount ** np.arange(weights.shape[1]),
        clipped=float((whole[is_here] > np.log(most) + 1e-12).mean()),
        values=values,
    )


def _all(sums: Sums) -> Any:
    return np.ones((1, len(sums.weights)))


def _drawn(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=REPEATS).astype(float)


def _worth(sums: Sums, truth: Steps) -> float:
    """Return how many episodes the weights are worth: the mean over the steps, each as much as it is worth and goes on."""
    total, squares = sums.weights.sum(axis=0), (sums.weights**2).sum(axis=0)
    shares = sums.shares * (truth.grid >= 0).mean(axis=0)
    return float((_over(total**2, squares) * shares).sum() / shares.sum())


def episode_value(truth: Steps, said: Any) -> float:
    """Return the weighted doubly robust value of a policy: the discounted sum of rewards of an episode."""
    sums = sums_of(truth, said)
    return float(sums.estimates(_all(sums))["dr"][0])


def episode_scores(truth: Steps, said: Any) -> dict[str, float]:
    """Return every number of a policy over episodes.

    Returns
    -------
    dict
        As :func:`~aimass.training.measures.policies.policy_scores`, of the discounted sum of rewards of an episode: ``dr`` weighted
        doubly robust, ``snips`` per decision and self-normalised, ``ips`` per decision, ``dm`` by fitted Q evaluation; ``ess``
        in episodes, the mean over the steps.
    """
    sums = sums_of(truth, said)
    found = {name: float(values[0]) for name, values in sums.estimates(_all(sums)).items()}
    worth = _worth(sums, truth)
    return {
        **found,
        "lift": found["dr"] - found["logged"],
        "ess": worth,
        "ess_share": worth / len(truth.grid),
        "clipped": sums.clipped,
    }


def episode_doubt(truth: Steps, said: Any) -> str:
    """Say why the episodes as they were logged tell too little of a policy; empty where they tell enough."""
    worth = _worth(sums_of(truth, said), truth)
    if worth >= LEAST_WORTH and worth / len(truth.grid) >= LEAST_SHARE:
        return ""
    return (
        f"what was logged tells of this policy as little as {worth:.0f} episodes of its own would: its value is a guess"
    )


def episode_interval(truth: Steps, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the weighted doubly robust value with its interval, a bootstrap of the episodes."""
    sums = sums_of(truth, said)
    draws = sums.estimates(_drawn(len(truth.grid), seed))["dr"]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    value = float(sums.estimates(_all(sums))["dr"][0])
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap of episodes")


def compare_episodes(truth: Steps, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two policies on the same episodes: candidate minus champion."""
    own, other = sums_of(truth, candidate), sums_of(truth, champion)
    draws = _drawn(len(truth.grid), seed)
    apart = own.estimates(draws)["dr"] - other.estimates(draws)["dr"]
    values = [float(one.estimates(_all(one))["dr"][0]) for one in (own, other)]
    return paired(values[0], values[1], apart, level=level, method="paired bootstrap of episodes")


def episode_curves(truth: Steps, said: Any, actions: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return what a page about a policy shows: as of one step, with ``episodes``, and what an action is worth as expectation."""
    sums, chances = sums_of(truth, said), chances_of(truth, said)
    found, drawn = sums.estimates(_all(sums)), sums.estimates(_drawn(len(truth.grid), seed))
    bounds = {name: np.quantile(drawn[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) for name in ESTIMATES}
    taken = [truth.actions == place for place in range(len(actions))]
    return {
        "episodes": len(truth.grid),
        "estimates": [
            {
                "name": name,
                "value": float(found[name][0]),
                "low": float(bounds[name][0]),
                "high": float(bounds[name][1]),
            }
            for name in ESTIMATES
        ],
        "actions": [
            {
                "name": name,
                "logged": float(taken[place].mean()),
                "chosen": float(chances[:, place].mean()),
                "reward": float(truth.rewards[taken[place]].mean()) if taken[place].any() else None,
                "expected": float(sums.values[:, place].mean()),
            }
            for place, name in enumerate(actions)
        ],
    }


def either(of_rows: Callable[..., Any], of_episodes: Callable[..., Any]) -> Callable[..., Any]:
    """Return a measure that takes decisions of one step, and of several."""

    def measured(truth: Logged, *said: Any, **options: Any) -> Any:
        measure = {True: of_episodes, False: of_rows}[isinstance(truth, Steps)]
        return measure(truth, *said, **options)

    return measured
