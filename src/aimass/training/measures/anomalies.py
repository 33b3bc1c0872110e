"""How well a detector tells strange rows from the others, and rows to tell apart where nobody knows the strange ones."""

from __future__ import annotations

from typing import Any

from aimass.training.measures.ranking import average_precision, roc_auc

HALF = 0.5


def anomaly_scores(truth: Any, said: Any) -> dict[str, float]:
    """Return every number of a detector.

    Parameters
    ----------
    truth
        Per row 1 for an anomaly and 0 for any other.
    said
        Shape ``(n, 2)``: how normal and how strange; a row is flagged where the second is above a half.

    Returns
    -------
    dict
        ``roc_auc`` and ``pr_auc`` of the order by strangeness; ``precision``, ``recall`` and ``f1`` of what is flagged, and
        ``flagged``, the share of the rows that are no anomalies which is flagged all the same.

    Examples
    --------
    >>> import numpy as np
    >>> said = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    >>> found = anomaly_scores(np.array([0, 0, 1, 0]), said)
    >>> found["roc_auc"], found["precision"], found["recall"], round(found["flagged"], 3)
    (1.0, 0.5, 1.0, 0.333)
    """
    is_strange, strange = truth == 1, said[:, 1]
    flags = strange > HALF
    hits = int((flags & is_strange).sum())
    precision = hits / int(flags.sum()) if flags.any() else 0.0
    recall = hits / int(is_strange.sum()) if is_strange.any() else 0.0
    return {
        "roc_auc": roc_auc(is_strange, strange),
        "pr_auc": average_precision(is_strange, strange),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
        "flagged": float(flags[~is_strange].mean()) if not is_strange.all() else 0.0,
    }
