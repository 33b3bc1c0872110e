"""How much each member of a blend counts, found on predictions for rows that the members had not learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression

ROUNDS = 30
CLIP = 1e-6
Measure = Callable[[Any, Any], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """A weighted sum of the members' answers.

    Attributes
    ----------
    weights
        One number per member, from 0; in sum 1 for a mean.
    offset
        What is added; 0 for a mean.
    """

    weights: tuple[float, ...]
    offset: float = 0.0

    def combine(self, answers: Any) -> Any:
        """Return the blended answers.

        Parameters
        ----------
        answers
            Shape ``(members, rows)``, or ``(members, rows, classes)``.

        Examples
        --------
        >>> Shares(weights=(0.25, 0.75)).combine(np.array([[[0.0, 1.0]], [[1.0, 0.0]]])).tolist()
        [[0.75, 0.25]]
        """
        return np.tensordot(np.asarray(self.weights), np.asarray(answers, dtype=float), axes=1) + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A logistic regression on the logarithms of the members' probabilities.

    Attributes
    ----------
    matrix, offset
        Shapes ``(members * classes, classes)`` and ``(classes,)``; their product with the logarithms, through softmax, is the answer.
    """

    matrix: Any
    offset: Any

    def combine(self, answers: Any) -> Any:
        """Return the stacked probabilities of answers of shape ``(members, rows, classes)``."""
        scores = logarithms(answers) @ self.matrix + self.offset
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        return shares / shares.sum(axis=1, keepdims=True)


def logarithms(answers: Any) -> Any:
    """Return the logarithms of probabilities side by side, shape ``(rows, members * classes)``."""
    clipped = np.log(np.clip(np.asarray(answers, dtype=float), CLIP, 1.0))
    return np.concatenate(list(clipped), axis=1)


def shares_of(answers: Any, truth: Any, measure: Measure) -> Shares:
    """Choose weights greedily: take the member, again and again, whose answers help the mean of those taken most.

    Parameters
    ----------
    answers
        Out-of-fold answers, shape ``(members, rows)``, or ``(members, rows, classes)``.
    truth
        What is true, shape ``(rows,)``.
    measure
        Of truth and answers; more is better.

    Notes
    -----
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004: selection with
    replacement, which guards against overfitting the rows that it is done on.
    """
    answers = np.asarray(answers, dtype=float)
    counts = np.zeros(len(answers), dtype=int)
    taken = np.zeros(answers.shape[1:])
    best, best_counts = -np.inf, counts
    for size in range(1, ROUNDS + 1):
        gains = [measure(truth, (taken + one) / size) for one in answers]
        chosen = int(np.argmax(gains))
        counts[chosen] += 1
        taken = taken + answers[chosen]
        if gains[chosen] > best + 1e-12:
            best, best_counts = gains[chosen], counts.copy()
    return Shares(weights=tuple(float(count) for count in best_counts / best_counts.sum()))


def stack_of(answers: Any, truth: Any) -> Stack:
    """Learn a logistic regression on the members' out-of-fold probabilities, shape ``(members, rows, classes)``."""
    classes = np.asarray(answers).shape[2]
    model = LogisticRegression(C=1.0, max_iter=1000).fit(logarithms(answers), truth)
    matrix, offset = model.coef_.T, model.intercept_
    if classes == 2:  # noqa: PLR2004 two classes have one line, and softmax wants one each
        matrix, offset = np.hstack([np.zeros_like(matrix), matrix]), np.array([0.0, offset[0]])
    return Stack(matrix=matrix, offset=offset)


def line_of(answers: Any, truth: Any) -> Shares:
    """Return the non-negative least squares line through the members' out-of-fold numbers, shape ``(members, rows)``.

    Breiman, "Stacked regressions", Machine Learning 24, 1996: weights from 0 keep a stack from setting members against each
    other.
    """
    answers, truth = np.asarray(answers, dtype=float), np.asarray(truth, dtype=float)
    means, mean = answers.mean(axis=1), truth.mean()
    weights, _ = nnls((answers - means[:, None]).T, truth - mean)
    return Shares(weights=tuple(weights.tolist()), offset=float(mean - weights @ means))


def judged(
    find: Callable[[Any, Any], Shares | Stack], answers: Any, truth: Any, folds: Any
) -> list[tuple[int, Any, Any]]:
    """Return fold, places and answers for each fold, where what combines was found on the other folds."""
    answers = np.asarray(answers, dtype=float)
    found: list[tuple[int, Any, Any]] = []
    for fold in np.unique(folds):
        inside, outside = folds != fold, np.flatnonzero(folds == fold)
        combiner = find(answers[:, inside], truth[inside])
        found.append((int(fold), outside, combiner.combine(answers[:, outside])))
    return found


def without_idle(weights: Sequence[float]) -> list[int]:
    """Return the members that count at all.

    Examples
    --------
    >>> without_idle([0.5, 0.0, 0.5])
    [0, 2]
    """
    return [place for place, weight in enumerate(weights) if weight > 0]
