"""The curves that a page about a classifier shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aimass.training.measures.ranking import pr_curve, roc_curve
from aimass.training.measures.scores import calibration, confusion, one_against_rest

_TWO = 2


def curves(truth: Any, probabilities: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Return ROC, precision-recall and calibration curves per class, and the confusion matrix."""
    present = [k for k in range(len(classes)) if 0 < (truth == k).sum() < len(truth)]
    names = [classes[1]] if len(classes) == _TWO else [classes[k] for k in present]
    pairs = dict(zip(names, one_against_rest(truth, probabilities), strict=True))
    return {
        "roc": {name: roc_curve(*pair) for name, pair in pairs.items()},
        "pr": {name: pr_curve(*pair) for name, pair in pairs.items()},
        "calibration": {name: calibration(*pair) for name, pair in pairs.items()},
        "confusion": confusion(truth, probabilities.argmax(axis=1), len(classes)).tolist(),
    }
