"""A shadow beside what was answered: how often they differ, how far, and how long both took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from typing import Annotated

from annotated_types import Ge, Le, doc

from aimass.monitoring.domain.series import FINEST_S, Sample, quantile

Z = 1.959963984540054
_INFINITE = "inf"


@dataclass(frozen=True, slots=True, kw_only=True)
class GetShadow:
    """Whose shadow is wanted, over which time before now (or before ``until``)."""

    workspace: str
    endpoint: str
    window_s: Annotated[int, Ge(FINEST_S), Le(90 * 86_400), doc("length of the window in seconds")] = 3600
    until: Annotated[datetime | None, doc("end of the window; now when left out")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One revision that answered, and its shadow, on the same rows.

    Attributes
    ----------
    rows, differing
        Rows that both answered, and those whose labels differ; ``share`` with its 95 % interval (Wilson).
    failed, strange
        Rows that the shadow failed on, and rows whose answers have another shape, so that nothing can be compared.
    mean_difference, p95_difference, max_difference
        Of the largest difference among a row's probabilities (or numbers). The largest of all is known to the bound of its
        bucket: it is at most that.
    given_ms, shadow_ms
        Mean time of the model alone, of the answer that was given and of the shadow.
    """

    revision: str
    shadow: str
    deployment: str = ""
    shadow_deployment: str = ""
    rows: int = 0
    differing: int = 0
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None
    failed: int = 0
    strange: int = 0
    mean_difference: float | None = None
    p95_difference: float | None = None
    max_difference: float | None = None
    given_ms: float | None = None
    shadow_ms: float | None = None
    given_p95_ms: float | None = None
    shadow_p95_ms: float | None = None
    latency_difference_ms: float | None = None
    histogram: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """The shadows of an endpoint in a window."""

    endpoint: str
    since: datetime
    until: datetime
    shadows: list[Shadow]


def shadow_of(
    pair: tuple[str, str], rows: Mapping[str, float], difference: Sample, times: tuple[Sample, Sample]
) -> Shadow:
    """Put what was counted of a pair of revisions together; ``rows`` by outcome, ``times`` of the answer and the shadow.

    Examples
    --------
    >>> found = shadow_of(("a", "b"), {"same": 90, "differs": 10}, Sample(), (Sample(count=2, sum=0.02), Sample(count=2, sum=0.06)))
    >>> found.share, round(found.share_low, 3), found.latency_difference_ms
    (0.1, 0.055, 20.0)
    """
    differing, compared = int(rows.get("differs", 0)), int(rows.get("same", 0) + rows.get("differs", 0))
    share = differing / compared if compared else None
    low, high = wilson(differing, compared) if compared else (None, None)
    given, other = (_mean_ms(sample) for sample in times)
    return Shadow(
        revision=pair[0],
        shadow=pair[1],
        rows=compared,
        differing=differing,
        share=share,
        share_low=low,
        share_high=high,
        failed=int(rows.get("failed", 0)),
        strange=int(rows.get("strange", 0)),
        mean_difference=difference.sum / difference.count if difference.count else None,
        p95_difference=quantile(0.95, difference.buckets),
        max_difference=_highest(difference),
        given_ms=given,
        shadow_ms=other,
        given_p95_ms=_ms(quantile(0.95, times[0].buckets)),
        shadow_p95_ms=_ms(quantile(0.95, times[1].buckets)),
        latency_difference_ms=None if given is None or other is None else other - given,
        histogram=dict(difference.buckets),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    p = hits / count
    middle = (p + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * sqrt(p * (1 - p) / count + Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _highest(sample: Sample) -> float | None:
    """Return the bound of the highest bucket that holds something."""
    bounds = [float(text) for text, count in sample.buckets.items() if count and text != _INFINITE]
    return max(bounds, default=None)


def _mean_ms(sample: Sample) -> float | None:
    return _ms(sample.sum / sample.count) if sample.count else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
