"""Series: counters and histograms by name and labels, in buckets of time that grow coarser with age."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Le, doc

FINEST_S = 10
STEPS = (FINEST_S, 60, 3600)
_ENDLESS = "inf"
Buckets = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What happened in one bucket of time: a number of observations, their sum, and their histogram.

    A counter has ``count`` alone. ``buckets`` maps an upper bound to the observations between it and the one below.
    """

    count: float = 0.0
    sum: float = 0.0
    buckets: Buckets = field(default_factory=dict[str, float])

    def __add__(self, other: Sample) -> Sample:
        """Put two samples together."""
        buckets = dict(self.buckets)
        for bound, count in other.buckets.items():
            buckets[bound] = buckets.get(bound, 0) + count
        return Sample(count=self.count + other.count, sum=self.sum + other.sum, buckets=buckets)


def total(samples: Iterable[Sample]) -> Sample:
    """Put samples together.

    Examples
    --------
    >>> total([Sample(count=2, buckets={"0.1": 2}), Sample(count=1, buckets={"inf": 1})]).buckets
    {'0.1': 2, 'inf': 1}
    """
    return sum(samples, start=Sample())


def bound_text(bound: float | None) -> str:
    """Return how an upper bound is written in ``buckets``; None is the one without end."""
    return _ENDLESS if bound is None or math.isinf(bound) else repr(float(bound))


def labels_key(labels: Mapping[str, str]) -> str:
    """Return labels in the one form that names a series.

    Examples
    --------
    >>> labels_key({"b": "2", "a": "1"})
    '{"a":"1","b":"2"}'
    """
    return json.dumps(dict(sorted(labels.items())), separators=(",", ":"), ensure_ascii=False)


def floor_to(moment_s: float, step_s: int) -> int:
    """Return the start of the bucket of time that a moment (seconds) falls into.

    Examples
    --------
    >>> floor_to(1_000_037.9, 10)
    1000030
    """
    return int(moment_s // step_s) * step_s


def quantile(share: float, buckets: Buckets) -> float | None:
    """Estimate a quantile from a histogram, evenly spread within each bucket; None without observations.

    Above the highest bound nothing is known, so that bound is the answer.

    Examples
    --------
    >>> quantile(0.5, {"1.0": 10, "2.0": 10})
    1.0
    >>> quantile(0.75, {"1.0": 10, "2.0": 10})
    1.5
    """
    bounds = sorted((math.inf if text == _ENDLESS else float(text), count) for text, count in buckets.items())
    wanted = share * sum(count for _, count in bounds)
    if wanted <= 0:
        return None
    below, low = 0.0, 0.0
    for bound, count in bounds:
        if below + count >= wanted and count:
            return low if math.isinf(bound) else low + (bound - low) * (wanted - below) / count
        below, low = below + count, low if math.isinf(bound) else bound
    return low


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySeries:
    """Which series are wanted, over which time, in steps of which length."""

    workspace: str
    name: Annotated[str, doc("name of the series, for example gateway_requests")]
    labels: Annotated[list[str] | None, doc("only series with these labels, each name=value")] = None
    by: Annotated[list[str] | None, doc("put series together that agree in these labels")] = None
    since: Annotated[datetime | None, doc("start; an hour before the end when left out")] = None
    until: Annotated[datetime | None, doc("end; now when left out")] = None
    step_s: Annotated[int, Ge(FINEST_S), Le(86_400), doc("length of a step in seconds")] = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One step of a line; quantiles only where there is a histogram."""

    t: datetime
    count: float
    rate: float
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series: its labels and its points, oldest first; a step without observations has no point."""

    labels: Mapping[str, str]
    points: list[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAnswer:
    """The lines of a query."""

    name: str
    since: datetime
    until: datetime
    step_s: int
    lines: list[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetEndpointMetrics:
    """Whose traffic is wanted, over which time before now (or before ``until``)."""

    workspace: str
    endpoint: str
    window_s: Annotated[int, Ge(FINEST_S), Le(90 * 86_400), doc("length of the window in seconds")] = 300
    until: Annotated[datetime | None, doc("end of the window; now when left out")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests of one revision (or of all) in a window.

    ``errors`` are answers of 500 and above, ``refused`` those of 400 to 499; latencies are in milliseconds. Of a revision
    ``rescued`` are requests that it failed on and another answered: they count among its requests and errors.
    """

    revision: str = ""
    deployment: str = ""
    model: str = ""
    model_version: str = ""
    requests: int = 0
    rps: float = 0.0
    errors: int = 0
    error_rate: float | None = None
    refused: int = 0
    rescued: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointMetrics:
    """The traffic of an endpoint in a window, in all and by revision."""

    endpoint: str
    since: datetime
    until: datetime
    total: Traffic
    revisions: list[Traffic]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMetrics:
    """Over which time before now (or before ``until``) the traffic of all endpoints is wanted."""

    workspace: str
    window_s: Annotated[int, Ge(FINEST_S), Le(90 * 86_400), doc("length of the window in seconds")] = 300
    until: Annotated[datetime | None, doc("end of the window; now when left out")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSeries:
    """Whose series are wanted; ``*`` names those of the platform itself."""

    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesName:
    """A name under which something is counted: how many series it has, and the values of their labels."""

    name: str
    series: int
    labels: Mapping[str, list[str]]
