"""Counters and latency histograms of one worker: live for Prometheus, and as increments for the series segments."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from aimass.gateway.plane.tallies import Tally

Labels = tuple[tuple[str, str], ...]
BOUNDS = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0
)  # fmt: skip
FEW_BOUNDS = (0.0005, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Fewer than for a route as a whole, since there are many callers and instances."""
_LATENCY = "gateway_latency_seconds"
_HELP = {
    "gateway_requests": "Inference requests by endpoint, revision, consumer and status code.",
    "gateway_latency_seconds": "Time from the whole request to its answer.",
    "gateway_first_chunk_seconds": "Time from the whole request to the first chunk of an answer that is streamed.",
    "gateway_explanations": "Requests for what each input contributed, by endpoint and status code.",
    "gateway_refused": "Requests refused before an endpoint was found, by status code.",
    "gateway_rpc_refused": "Calls of gRPC that ended with an error, by its code.",
    "gateway_limited": "Requests refused by a rate or a quota, by which of them.",
    "gateway_passthrough": "Requests passed through to control, by status code.",
    "gateway_route_requests": "Requests for services behind a route, by consumer and status code.",
    "gateway_route_in_flight": "Requests for services behind a route that are under way.",
    "gateway_route_waiting": "Requests that wait because their route is paused, or because they are over a rate.",
    "gateway_instance_in_flight": "Requests that an instance of a service has.",
    "gateway_instance_requests": "Requests that an instance of a service was sent.",
    "gateway_instance_errors": "Requests that an instance of a service failed.",
    "gateway_instance_state": "How an instance of a service is: 1 for the state of its breaker, or for ill by its health check.",
    "gateway_route_seconds": "Time from a request for a service to the head of its answer.",
    "gateway_route_consumer_seconds": "The same by consumer: twenty of a route by name, the rest as (others).",
    "gateway_route_consumer_in_flight": "Requests under way for services behind a route, by consumer.",
    "gateway_route_consumer_cache_hits": "Answers of services that were kept, by consumer.",
    "gateway_instance_seconds": "Time from asking an instance of a service to the head of its answer.",
    "gateway_route_cut": "Answers of services that broke off in the middle.",
    "gateway_cache_requests": "Requests of routes that keep answers: hit, miss, expired, stale, or bypass for what the cache has no part in.",
    "gateway_cache_waiting": "Requests that wait for the answer that another one fetches.",
    "gateway_cache_entries": "Answers of services that are kept.",
    "gateway_cache_bytes": "Bytes that these answers take.",
    "gateway_cache_bytes_limit": "Bytes that they may take; those that were used least recently make room.",
    "gateway_cache_evictions": "Answers that made room for others.",
    "gateway_slow_requests": "Requests that took longer than the threshold, by route or endpoint.",
    "gateway_slow_requests_left_out": "Slow or failed requests that the log of them had no room for.",
    "gateway_access_log_lost": "Requests that could not be written to the access log.",
    "gateway_records_lost": "Inference records that could not be written.",
    "gateway_unseen": "Values that the model has never seen and that were served, by column.",
    "gateway_fallback": "Requests that another deployment or the static answer took over, by the revision that failed.",
    "gateway_shadow_rows": "Rows that a shadow answered too, by whether its label was the same.",
    "gateway_shadow_difference": "Largest difference of a row's probabilities between a shadow and what was answered.",
    "gateway_shadow_seconds": "Time of the model alone, of the answer that was given and of the shadow.",
    "gateway_model_loads": "Models that were loaded into memory.",
    "gateway_model_load_failures": "Models that could not be loaded.",
    "gateway_model_load_seconds": "Time of loading a model into memory.",
    "gateway_model_evictions": "Models that left the memory because others needed it.",
    "gateway_shadow_dropped": "Shadow requests that were not run because too many were waiting.",
    "gateway_model_memory_bytes": "Bytes that the model of a deployment takes in this gateway worker; 0 while not loaded.",
    "gateway_model_workers": "Workers of a deployment that this gateway worker reaches.",
    "gateway_model_workers_in_flight": "Requests of this gateway worker that a worker of a deployment has.",
    "gateway_model_workers_waiting": "Requests of this gateway worker that no worker of a deployment has room for.",
    "gateway_cold_start_seconds": "Time from the first request where nothing ran to the first worker that answers.",
    "serving_replicas_wanted": "Workers that a deployment shall have now.",
    "serving_replicas_ready": "Workers of a deployment that answer.",
    "serving_replica_restarts": "Processes of a worker that were started again.",
    "serving_replica_memory_bytes": "Resident memory of the process of a worker and of those below it.",
    "serving_replica_info": "A worker with its revision, device and isolation; 1 when it answers.",
}


class Sample(NamedTuple):
    """A value of this moment; a counter that is kept elsewhere is one too, and each ``part`` of such a histogram."""

    name: str
    value: float
    labels: Labels = ()
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    part: str = ""


class Counter:
    """Counts."""

    __slots__ = ("flushed", "value")

    def __init__(self) -> None:
        self.value = 0
        self.flushed = 0


class Histogram:
    """Counts observations into fixed buckets."""

    __slots__ = ("bounds", "counts", "flushed", "flushed_sum", "sum")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.flushed = list(self.counts)
        self.flushed_sum = 0.0

    def observe(self, value: float) -> None:
        """Add one observation.

        Examples
        --------
        >>> h = Histogram()
        >>> h.observe(0.002)
        >>> sum(h.counts)
        1
        """
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Metrics:
    """All series of a worker.

    Examples
    --------
    >>> m = Metrics()
    >>> m.count("gateway_refused", (("code", "401"),))
    >>> m.increments()
    [{'name': 'gateway_refused', 'labels': {'code': '401'}, 'value': 1}]
    >>> m.increments()
    []
    """

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Counter] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._tallies: dict[Labels, Tally] = {}

    def count(self, name: str, labels: Labels, by: int = 1) -> None:
        """Raise a counter."""
        self.counter(name, labels).value += by

    def count_limited(self, reason: str, what: tuple[str, str], workspace: str) -> None:
        """Count a request that a rate or a quota refused, at a route or an endpoint."""
        self.count("gateway_limited", (what, ("reason", reason), ("workspace", workspace)))

    def counter(self, name: str, labels: Labels) -> Counter:
        """Return the counter for these labels; keep it to count."""
        key = (name, labels)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter()
        return found

    def latency(self, labels: Labels) -> Histogram:
        """Return the latency histogram for these labels; keep it to observe."""
        return self.histogram(_LATENCY, labels, BOUNDS)

    def histogram(self, name: str, labels: Labels, bounds: tuple[float, ...]) -> Histogram:
        """Return the histogram of a name for these labels; keep it to observe."""
        key = (name, labels)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram(bounds)
        return found

    def tally(self, labels: Labels) -> Tally:
        """Return the tally for these labels; keep it to add to."""
        return self._tallies.setdefault(labels, Tally())

    def increments(self) -> list[dict[str, Any]]:
        """Return what changed since the last call, in the shape of a series segment."""
        points: list[dict[str, Any]] = []
        for (name, labels), counter in self._counters.items():
            delta = counter.value - counter.flushed
            if delta:
                points.append({"name": name, "labels": dict(labels), "value": delta})
            counter.flushed = counter.value
        for (name, labels), histogram in self._histograms.items():
            counts = [now - before for now, before in zip(histogram.counts, histogram.flushed, strict=True)]
            if any(counts):
                points.append(
                    {
                        "name": name,
                        "labels": dict(labels),
                        "count": sum(counts),
                        "sum": histogram.sum - histogram.flushed_sum,
                        "buckets": [[le, n] for le, n in zip((*histogram.bounds, None), counts, strict=True) if n],
                    }
                )
            histogram.flushed, histogram.flushed_sum = list(histogram.counts), histogram.sum
        return points

    def text(self, samples: Iterable[Sample], more: Labels = ()) -> str:
        """Return everything in the text format of Prometheus, each series with these labels more."""
        lines = text_of(samples, more).splitlines()
        last = ""
        for (name, labels), counter in sorted(self._counters.items(), key=lambda item: item[0]):
            if name != last:
                lines += _head(name + "_total", name, "counter")
                last = name
            lines.append(f"aimass_{name}_total{_labels((*labels, *more))} {counter.value}")
        for (name, labels), histogram in sorted(self._histograms.items(), key=lambda item: item[0]):
            if name != last:
                lines += _head(name, name, "histogram")
                last = name
            lines += _buckets(name, (*labels, *more), histogram)
        return "\n".join(lines) + "\n"


def text_of(samples: Iterable[Sample], more: Labels = ()) -> str:
    """Return values of this moment in the text format of Prometheus, each with these labels more.

    Examples
    --------
    >>> print(text_of([Sample("a", 2, (("b", "c"),)), Sample("a", 3)]), end="")
    # HELP aimass_a a
    # TYPE aimass_a gauge
    aimass_a{b="c"} 2
    aimass_a 3
    """
    families: dict[str, list[str]] = {}
    for one in samples:
        shown = f"{one.name}_total" if one.kind == "counter" else one.name
        family = families.setdefault(shown, _head(shown, one.name, one.kind))
        family.append(f"aimass_{shown}{one.part}{_labels((*one.labels, *more))} {one.value:.12g}")
    return "".join(f"{line}\n" for family in families.values() for line in family)


def samples_of(name: str, labels: Labels, histogram: Histogram) -> Iterator[Sample]:
    """Return the parts of a histogram that no :class:`Metrics` keeps, since what it counts may be gone tomorrow.

    Examples
    --------
    >>> h = Histogram((1.0,))
    >>> h.observe(0.5)
    >>> [(one.part, one.labels, one.value) for one in samples_of("a", (), h)][:2]
    [('_bucket', (('le', '1'),), 1), ('_bucket', (('le', '+Inf'),), 1)]
    """
    total = 0
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        total += count
        le = "+Inf" if bound is None else f"{bound:g}"
        yield Sample(name, total, (*labels, ("le", le)), "histogram", "_bucket")
    yield Sample(name, histogram.sum, labels, "histogram", "_sum")
    yield Sample(name, total, labels, "histogram", "_count")


def _head(shown: str, name: str, kind: str) -> list[str]:
    return [f"# HELP aimass_{shown} {_HELP.get(name, name)}", f"# TYPE aimass_{shown} {kind}"]


def _buckets(series: str, labels: Labels, histogram: Histogram) -> Iterator[str]:
    name = f"aimass_{series}"
    total = 0
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        total += count
        le = "+Inf" if bound is None else f"{bound:g}"
        yield f"{name}_bucket{_labels((*labels, ('le', le)))} {total}"
    yield f"{name}_sum{_labels(labels)} {histogram.sum:.9g}"
    yield f"{name}_count{_labels(labels)} {total}"


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
