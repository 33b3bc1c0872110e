"""Hot words: how many of them are caught at a threshold, and how often an hour of other sounds gives a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.special import gammaincinv

HALF = 0.5
_SURE = 0.95


def at_most(events: int, hours: float) -> float:
    """Return the rate an hour that is not exceeded, with 95 % confidence, where so many events were counted in so many hours.

    The exact bound of a Poisson rate; of no event at all it is about 3 divided by the hours.

    Examples
    --------
    >>> round(at_most(0, 1.0), 3), round(at_most(4, 2.0), 3)
    (2.996, 4.577)
    """
    return float(gammaincinv(events + 1, _SURE) / hours)


def alarms(truth: Any, said: Any, classes: Sequence[str], clip_s: float) -> list[dict[str, Any]]:
    """Return, by class, what is heard at the threshold 0.5, and at the lowest at which nothing else gives an alarm.

    Parameters
    ----------
    truth, said
        The place of the true class of each clip, and the shares of the classes.
    clip_s
        Seconds of a clip: the clips of other classes are so many hours of other sounds.

    Returns
    -------
    list
        ``class``, ``hours`` (of other sounds) and ``at``: for each threshold ``caught`` (a share of the clips of the class),
        ``false`` (alarms by others), ``per_hour``, and ``at_most`` (an hour, with 95 % confidence).

    Examples
    --------
    >>> import numpy as np
    >>> told = alarms(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]), ("other", "hey"), 1800.0)
    >>> [(one["threshold"], one["caught"], one["per_hour"]) for one in told[1]["at"]]
    [(0.5, 1.0, 1.0), (0.7, 1.0, 0.0)]
    """
    found: list[dict[str, Any]] = []
    for place, name in enumerate(classes):
        own, others = said[truth == place, place], said[truth != place, place]
        if not len(own) or not len(others):
            continue
        hours = len(others) * clip_s / 3600
        quiet = own[own > others.max()]
        thresholds = [HALF, *([float(quiet.min())] if len(quiet) else [])]
        found.append({"class": name, "hours": hours, "at": [_at(one, own, others, hours) for one in thresholds]})
    return found


def _at(threshold: float, own: Any, others: Any, hours: float) -> dict[str, float]:
    false = int((others >= threshold).sum())
    return {
        "threshold": threshold,
        "caught": float((own >= threshold).mean()),
        "false": false,
        "per_hour": false / hours,
        "at_most": at_most(false, hours),
    }
