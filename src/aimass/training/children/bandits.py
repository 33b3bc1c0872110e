"""Linear bandits: what each action would bring, how sure that is, and the chances that come of both.

References
----------
Li, Chu, Langford & Schapire, "A contextual-bandit approach to personalized news article recommendation", WWW 2010 (LinUCB);
Agrawal & Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML 2013; rows that count less the older they are
after Russac, Vernade & Cappé, "Weighted linear bandits for non-stationary environments", NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from aimass.training.children.partial import Moments, places_of

DRAWS = 64


class Bandit:
    """A ridge regression for each action, learned row by row.

    Thompson sampling draws a fixed number of weights for each action and counts how often an action is the best: so chances are
    known exactly, and a file answers with the same ones.

    Parameters
    ----------
    spec
        ``model``, ``params`` and ``seed`` of a learner.
    columns
        ``name``, ``type``, ``categories``, and of numbers ``middle`` and ``spread``.
    actions
        Those that are known before the first row.
    kept
        What :meth:`kept` returned; None for one that knows nothing.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        actions: Sequence[str] = (),
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.params, self.seed = spec["model"], spec["params"], spec["seed"]
        self.places = places_of(columns)
        told = {column["name"]: column for column in columns}
        numbers = [None if isinstance(place, tuple) else told[place] for place in self.places]
        self.middle = np.array([0.0 if one is None else one["middle"] for one in numbers])
        self.spread = np.array([1.0 if one is None else one["spread"] for one in numbers])
        self.seen = np.array([not (isinstance(place, tuple) and place[1] == "") for place in self.places], dtype=float)
        self._rewards = Moments(1, None if kept is None else kept["rewards"])
        self._sums: dict[str, list[Any]] = {} if kept is None else kept["sums"]
        self._solved: dict[str, tuple[Any, Any]] = {}
        for action in actions:
            self.meet(action)

    @property
    def width(self) -> int:
        """Return how many numbers a row becomes; the last is always 1."""
        return len(self.places) + 1

    def meet(self, action: str) -> None:
        """Know one more action, of which nothing is known."""
        if action not in self._sums:
            self._sums[action] = [self.params["penalty"] * np.eye(self.width), np.zeros(self.width)]

    def kept(self) -> dict[str, Any]:
        """Return what it is as arrays."""
        return {"rewards": self._rewards.kept(), "sums": self._sums}

    def inputs(self, features: Mapping[Any, Any]) -> Any:
        """Return a row as numbers, as a graph sees them: rounded to 32 bits, then scaled; what is missing lies in the middle."""
        raw = np.array(
            [
                features.get(place, 0.0 if isinstance(place, tuple) else self.middle[at])
                for at, place in enumerate(self.places)
            ]
        )
        scaled = (raw.astype(np.float32).astype(float) - self.middle) / self.spread * self.seen
        return np.append(scaled, 1.0)

    def learn_one(self, features: Mapping[Any, Any], label: tuple[float, str, float]) -> None:
        """Learn what came of an action; older rows of the same action count less."""
        reward, action, _ = label
        self.meet(action)
        self._rewards.see(np.array([reward]))
        row, kept = self.inputs(features), self._kept_share
        sums = self._sums[action]
        sums[0] = kept * sums[0] + np.outer(row, row) + (1 - kept) * self.params["penalty"] * np.eye(self.width)
        sums[1] = kept * sums[1] + reward * row
        self._solved.pop(action, None)

    @property
    def _kept_share(self) -> float:
        half = self.params["half_life"]
        return 1.0 if half is None else 0.5 ** (1 / half)

    def solved(self, action: str) -> tuple[Any, Any]:
        """Return the weights of an action, and the root of how unsure they are: with it times itself as their covariance."""
        if action not in self._solved:
            precision, pull = self._sums[action]
            root = np.linalg.inv(np.linalg.cholesky(precision)).T
            self._solved[action] = (root @ (root.T @ pull), root)
        return self._solved[action]

    @property
    def unit(self) -> float:
        """Return the spread of the rewards."""
        return float(self._rewards.scale[0])

    def drawn(self, action: str) -> Any:
        """Return weights of an action that may be true, shape ``(width, DRAWS)``; the same ones until something is learned."""
        weights, root = self.solved(action)
        noise = np.random.default_rng([self.seed, crc32(action.encode())]).normal(size=(self.width, DRAWS))
        return weights[:, None] + self.params["width"] * self.unit * (root @ noise)

    def answer(self, features: Mapping[Any, Any], actions: Sequence[str]) -> tuple[Any, Any]:
        """Return the chance and the expected reward of each action."""
        row = self.inputs(features)
        expected = np.array([row @ self.solved(action)[0] for action in actions])
        if self.model == "lin_thompson":
            best = np.array([row @ self.drawn(action) for action in actions]).argmax(axis=0)
            wanted = np.bincount(best, minlength=len(actions)) / DRAWS
        else:
            scores = expected
            if self.model == "lin_ucb":
                unsure = np.array([np.sqrt(((row @ self.solved(action)[1]) ** 2).sum()) for action in actions])
                scores = expected + self.params["width"] * self.unit * unsure
            wanted = (np.arange(len(actions)) == scores.argmax()).astype(float)
        epsilon = self.params["epsilon"]
        return (1 - epsilon) * wanted + epsilon / len(actions), expected
