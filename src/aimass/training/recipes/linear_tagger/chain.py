"""A linear chain of tags: a conditional random field, learned by its likelihood, read by the best path.

A tag may follow another only if the two are well-formed (``I-city`` after ``B-city`` or ``I-city``), in learning as in reading; a
text begins as if behind a word outside, and its end is outside.

References
----------
Lafferty, McCallum & Pereira, "Conditional random fields: probabilistic models for segmenting and labeling sequence data", ICML
2001, 282-289; Viterbi, "Error bounds for convolutional codes", IEEE Transactions on Information Theory 13 (1967) 260-269.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

FORBIDDEN = -1e4


def tags_for(types: Sequence[str]) -> tuple[str, ...]:
    """Return all tags: outside first, then the first word and the further words of each type.

    Examples
    --------
    >>> tags_for(["city"])
    ('O', 'B-city', 'I-city')
    """
    return ("O", *(f"{mark}-{name}" for name in types for mark in "BI"))


def allowed(tags: Sequence[str]) -> Any:
    """Return which tag (column) may follow which (row).

    Examples
    --------
    >>> allowed(("O", "B-city", "I-city")).astype(int).tolist()
    [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    """
    return np.array([[tag[0] != "I" or before[1:] == tag[1:] != "" for tag in tags] for before in tags])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What was learned: a weight of each column for each tag, and of each tag behind another."""

    weights: Any
    steps: Any

    def emissions(self, matrix: Any) -> Any:
        """Return the score of each tag for each word."""
        return np.asarray(matrix @ self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Words to learn from.

    Attributes
    ----------
    matrix
        A row for each word, sparse.
    truth
        The number of the tag of each word.
    starts
        Where each text begins, and where the last one ends.
    """

    matrix: Any
    truth: Any
    starts: Any


class Steps:
    """The order in which chains of different lengths are walked together: the longest first, so that those that go on come first."""

    def __init__(self, starts: Any) -> None:
        lengths = np.diff(starts)
        order = np.argsort(-lengths, kind="stable")
        self.first, self.lengths = starts[:-1][order], lengths[order]
        active = np.searchsorted(-self.lengths, -np.arange(1, int(self.lengths.max()) + 1), side="right")
        self.at = [self.first[:count] + step for step, count in enumerate(active)]
        self.last = self.first + self.lengths - 1


def _log_sum(values: Any, axis: int) -> Any:
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis=axis)


def sweep(scores: Any, steps: Any, walk: Steps) -> tuple[Any, Any, Any]:
    """Return forward and backward scores of each word and tag, and the logarithm of the sum over all paths of each chain."""
    ahead, behind = np.empty_like(scores), np.empty_like(scores)
    ahead[walk.at[0]] = scores[walk.at[0]] + steps[0]
    for now in walk.at[1:]:
        ahead[now] = scores[now] + _log_sum(ahead[now - 1][:, :, None] + steps[None], 1)
    behind[walk.last] = FORBIDDEN
    behind[walk.last, 0] = 0.0
    for now in reversed(walk.at[1:]):
        behind[now - 1] = _log_sum(steps[None] + (scores[now] + behind[now])[:, None, :], 2)
    return ahead, behind, ahead[walk.last, 0]


def learn(
    rows: Rows, tags: Sequence[str], *, strength: float, iterations: int, report: Callable[[int, float], None]
) -> Chain:
    """Learn the weights that make the true tags most likely, large ones dampened.

    Parameters
    ----------
    report
        Gets the number of the evaluation and the loss by word.
    """
    problem = _Problem(rows, tags, strength, report)
    found = minimize(
        problem,
        np.zeros(problem.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 6, "ftol": 1e-7},
    )
    return problem.chain(found.x)


class _Problem:
    """The likelihood of the true tags, and where it rises."""

    def __init__(self, rows: Rows, tags: Sequence[str], strength: float, report: Callable[[int, float], None]) -> None:
        matrix, truth, starts = rows.matrix, rows.truth, rows.starts
        self._matrix, self._turned, self._walk = matrix, matrix.T.tocsr(), Steps(starts)
        self._may, self._strength, self._report = allowed(tags), strength, report
        self._shape = (matrix.shape[1], len(tags))
        self._wanted = np.zeros((matrix.shape[0], len(tags)))
        self._wanted[np.arange(len(truth)), truth] = 1.0
        self._true_steps = np.zeros((len(tags), len(tags)))
        before = np.concatenate([[0], truth[:-1]])
        before[starts[:-1]] = 0
        np.add.at(self._true_steps, (before, truth), 1.0)
        self._asked = 0

    @property
    def size(self) -> int:
        """Return how many weights there are."""
        return self._shape[0] * self._shape[1] + self._shape[1] ** 2

    def chain(self, values: Any) -> Chain:
        """Return the weights as a chain."""
        cut = self._shape[0] * self._shape[1]
        steps = values[cut:].reshape(self._shape[1], -1)
        return Chain(weights=values[:cut].reshape(self._shape), steps=np.where(self._may, steps, FORBIDDEN))

    def __call__(self, values: Any) -> tuple[float, Any]:
        """Return the loss and its gradient."""
        chain = self.chain(values)
        scores = chain.emissions(self._matrix)
        ahead, behind, total = sweep(scores, chain.steps, self._walk)
        known = float((scores * self._wanted).sum() + (chain.steps * self._true_steps)[self._may].sum())
        whole = np.empty(len(scores))
        for now in self._walk.at:
            whole[now] = total[: len(now)]
        likely = np.exp(ahead + behind - whole[:, None])
        ways = np.where(self._may, self._ways(scores, chain.steps, (ahead, behind, total)) - self._true_steps, 0.0)
        slope = np.concatenate([(self._turned @ (likely - self._wanted)).ravel(), ways.ravel()])
        loss = float(total.sum()) - known + 0.5 / self._strength * float(values @ values)
        self._asked += 1
        self._report(self._asked, loss / len(scores))
        return loss, slope + values / self._strength

    def _ways(self, scores: Any, steps: Any, swept: tuple[Any, Any, Any]) -> Any:
        """Return how often each tag is expected behind each other."""
        ahead, behind, total = swept
        first = self._walk.at[0]
        found = np.zeros_like(steps)
        found[0] = np.exp(ahead[first] + behind[first] - total[:, None]).sum(axis=0)
        for now in self._walk.at[1:]:
            left, right = ahead[now - 1], scores[now] + behind[now] - total[: len(now), None]
            found += np.exp(left[:, :, None] + steps[None] + right[:, None, :]).sum(axis=0)
        return found


def best_path(scores: Any, steps: Any, starts: Any) -> tuple[Any, Any]:
    """Return the tag of each word on the best path of its text, and how likely the tag is for the word."""
    walk = Steps(starts)
    best, back = np.empty_like(scores), np.zeros(scores.shape, dtype=np.int64)
    best[walk.at[0]] = scores[walk.at[0]] + steps[0]
    for now in walk.at[1:]:
        ways = best[now - 1][:, :, None] + steps[None]
        back[now] = ways.argmax(axis=1)
        best[now] = scores[now] + ways.max(axis=1)
    tags = np.zeros(len(scores), dtype=np.int64)  # the end of a text is outside
    for now in reversed(walk.at[1:]):
        tags[now - 1] = back[now, tags[now]]
    ahead, behind, _ = sweep(scores, steps, walk)
    both = ahead + behind
    likely = np.exp(both - _log_sum(both, 1)[:, None])
    return tags, likely[np.arange(len(tags)), tags]
