"""The numbers by which runs are compared, for two classes or more."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.training.measures.ranking import average_precision, roc_auc

BINS = 10
_TWO = 2


def one_against_rest(truth: Any, probabilities: Any) -> list[tuple[Any, Any]]:
    """Return (is positive, score) for the second of two classes, or for each of more that occurs in the truth."""
    if probabilities.shape[1] == _TWO:
        return [(truth == 1, probabilities[:, 1])]
    present = [k for k in range(probabilities.shape[1]) if 0 < (truth == k).sum() < len(truth)]
    return [(truth == k, probabilities[:, k]) for k in present]


def macro_auc(truth: Any, probabilities: Any) -> float:
    """Return the ROC AUC; the mean of one class against the rest for more than two classes."""
    pairs = one_against_rest(truth, probabilities)
    return float(np.mean([roc_auc(*pair) for pair in pairs])) if pairs else float("nan")


def confusion(truth: Any, predicted: Any, classes: int) -> Any:
    """Return the matrix of counts, rows by the true class, columns by the predicted one."""
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def f1(matrix: Any) -> float:
    """Return F1 of the second of two classes, or the mean over more classes, from a confusion matrix.

    Examples
    --------
    >>> round(f1(np.array([[50, 10], [5, 35]])), 4)
    0.8235
    """
    hits = np.diag(matrix).astype(float)
    wanted = matrix.sum(axis=0) + matrix.sum(axis=1)
    each = np.divide(2 * hits, wanted, out=np.zeros_like(hits), where=wanted > 0)
    return float(each[1] if len(each) == _TWO else each.mean())


def log_loss(truth: Any, probabilities: Any) -> float:
    """Return the mean negative logarithm of the probability given to the true class."""
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(given, 1e-15, 1)).mean())


def brier(truth: Any, probabilities: Any) -> float:
    """Return the mean squared error of the probabilities: of the second of two classes, or summed over more."""
    wanted = np.eye(probabilities.shape[1])[truth]
    errors = (probabilities - wanted) ** 2
    return float(errors[:, 1].mean() if errors.shape[1] == _TWO else errors.sum(axis=1).mean())


def scores(truth: Any, probabilities: Any) -> dict[str, float]:
    """Return every number of a classifier.

    Parameters
    ----------
    truth
        Index of the true class per row.
    probabilities
        Shape ``(n, classes)``.
    """
    pairs = one_against_rest(truth, probabilities)
    predicted = probabilities.argmax(axis=1)
    return {
        "roc_auc": macro_auc(truth, probabilities),
        "pr_auc": float(np.mean([average_precision(*pair) for pair in pairs])) if pairs else float("nan"),
        "log_loss": log_loss(truth, probabilities),
        "accuracy": float((predicted == truth).mean()),
        "f1": f1(confusion(truth, predicted, probabilities.shape[1])),
        "brier": brier(truth, probabilities),
    }


def calibration(is_positive: Any, given: Any) -> dict[str, list[float]]:
    """Return, per bin of equally many rows, the mean probability given and the share that came true."""
    bins = np.array_split(np.argsort(given, kind="stable"), BINS)
    filled = [rows for rows in bins if len(rows)]
    return {
        "predicted": [float(given[rows].mean()) for rows in filled],
        "observed": [float(is_positive[rows].mean()) for rows in filled],
        "rows": [len(rows) for rows in filled],
    }
