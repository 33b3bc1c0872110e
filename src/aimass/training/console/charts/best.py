"""Which value of a metric is the best."""

from __future__ import annotations

from collections.abc import Sequence

LOWER_IS_BETTER = (
    "loss",
    "brier",
    "_s",
    "_sd",
    "_ms",
    "_us",
    "error",
    "rmse",
    "mae",
    "median_ae",
    "mape",
    "davies_bouldin",
    "mase",
    "smape",
    "bits_per_byte",
    "bits_per_char",
    "perplexity",
)


def best_of(name: str, values: Sequence[float | None]) -> float | None:
    """Return the best value of a metric: the smallest of losses, deviations and times, else the largest.

    Examples
    --------
    >>> best_of("roc_auc", [0.81, 0.84, None]), best_of("log_loss", [0.41, 0.4]), best_of("fit_s", [None])
    (0.84, 0.4, None)
    """
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:  # noqa: PLR2004 one has no rival
        return None
    return (min if is_lower_better(name) else max)(known)


def is_lower_better(name: str) -> bool:
    """Tell whether less is better."""
    return name.endswith(LOWER_IS_BETTER)
