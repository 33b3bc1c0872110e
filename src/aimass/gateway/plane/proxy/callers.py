"""What a worker counts of each caller of a route: a bounded number by name, the rest together."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.gateway.plane.metrics import FEW_BOUNDS, Counter, Histogram, Labels, Metrics
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.slow import SERVER_ERROR

MOST_CALLERS = 20
REST = "(others)"


class CallerStats:
    """What was counted of one caller.

    Attributes
    ----------
    hits
        Answers that were kept.
    last
        When his last request was answered, in seconds since the epoch.
    """

    __slots__ = ("_codes", "_labels", "_metrics", "errors", "hits", "in_flight", "last", "latency", "requests")

    def __init__(self, metrics: Metrics, labels: Labels) -> None:
        self._metrics, self._labels = metrics, labels
        self._codes: dict[int, Counter] = {}
        self.latency: Histogram = metrics.histogram("gateway_route_consumer_seconds", labels, FEW_BOUNDS)
        self.requests = self.errors = self.in_flight = self.hits = 0
        self.last = 0.0

    def count(self, status: int, seconds: float) -> None:
        """Count an answer."""
        code = self._codes.get(status)
        if code is None:
            labels = (("code", str(status)), *self._labels)
            code = self._codes[status] = self._metrics.counter("gateway_route_requests", labels)
        code.value += 1
        self.requests += 1
        self.errors += status >= SERVER_ERROR
        self.last = wall()
        self.latency.observe(seconds)


class Callers:
    """The callers of one route.

    Examples
    --------
    >>> callers = Callers(Metrics(), "demo", "maps")
    >>> for n in range(50):
    ...     callers.of(f"c{n}").count(200, 0.1)
    >>> len(dict(callers.all())), callers.of("(others)").requests, callers.of("c1").requests
    (21, 30, 1)
    """

    def __init__(self, metrics: Metrics, workspace: str, route: str) -> None:
        self._metrics = metrics
        self._workspace, self._route = workspace, route
        self._known: dict[str, CallerStats] = {}

    def of(self, consumer: str) -> CallerStats:
        """Return what is counted of a caller; empty for one without a key."""
        return self._known.get(consumer) or self._meet(consumer)

    def _meet(self, consumer: str) -> CallerStats:
        name = consumer if len(self._known) < MOST_CALLERS else REST
        found = self._known.get(name)
        if found is None:
            labels = (("consumer", name), ("route", self._route), ("workspace", self._workspace))
            found = self._known[name] = CallerStats(self._metrics, labels)
        return found

    def all(self) -> Iterator[tuple[str, CallerStats]]:
        """Yield each caller by name, and the rest."""
        yield from self._known.items()
