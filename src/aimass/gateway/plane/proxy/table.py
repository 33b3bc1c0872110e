"""Everything that is registered: lines as control wrote them, each read when it is first needed.

A hundred thousand idle registrations stay in the file; only what is asked for is read, and becomes objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.metrics import BOUNDS, Metrics
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.proxy.callers import Callers
from aimass.gateway.plane.proxy.hosts import MOST_PARTS, keys_of
from aimass.gateway.plane.proxy.limits import CallerLimits
from aimass.gateway.plane.proxy.lines import Builder, Lines, Source
from aimass.gateway.plane.proxy.things import Instance, Route, RouteStats, Upstream
from aimass.gateway.plane.quotas import Quotas
from aimass.gateway.plane.rates import Rates, SharedBucket, mark_of
from aimass.gateway.plane.slow import SlowLog
from aimass.kernel.errors import Invalid

_BELOW = b"/s/"


class Document:
    """One version of what control publishes."""

    __slots__ = ("hosts", "id", "routes", "upstreams", "version")

    def __init__(self, version: int = 0, id_: str = "") -> None:
        self.version = version
        self.id = id_
        self.routes = Lines()
        self.upstreams = Lines()
        self.hosts = Lines()


def read_document(path: Path) -> Document:
    """Read the file of services: a first line, then one for each upstream (``u``), each route (``r``) and each host of it (``h``).

    The file stays open while somebody goes by it, also when a newer one has taken its place.
    """
    source = Source(path)
    lines = source.lines()
    first = next(lines, b"")
    head = orjson.loads(first)
    document, start = Document(int(head["version"]), str(head["id"])), len(first)
    kinds = {b"u": Builder(), b"r": Builder(), b"h": Builder()}
    for line in lines:
        kind, key, _ = line.split(b" ", 2)
        if kind not in kinds:
            raise Invalid(f"a line of kind {kind!r}", value=kind.decode("latin-1"))
        kinds[kind].add(key, start + len(kind) + 1)
        start += len(line)
    document.upstreams, document.routes = Lines(source, kinds[b"u"]), Lines(source, kinds[b"r"])
    document.hosts = Lines(source, kinds[b"h"])
    return document


class Table:
    """What a worker proxies by, and what it has made of it so far.

    Attributes
    ----------
    has_hosts
        Whether any route has hosts of its own: only then somebody looks at which host a request asks for.
    """

    def __init__(self, metrics: Metrics, slow: SlowLog) -> None:
        self.document = Document()
        self.shared = Rates()
        self.counts: Callable[[], Quotas] = cache(partial(Quotas, None))
        self.has_hosts = False
        self._changed: list[tuple[Route, Callable[[], Route | None]]] = []
        self._metrics = metrics
        self._slow = slow
        self._routes: dict[bytes, Route] = {}
        self._at_hosts: dict[bytes, Route] = {}
        self._upstreams: dict[bytes, Upstream] = {}
        self._stats: dict[str, RouteStats] = {}
        self._rates: dict[str, SharedBucket] = {}

    def apply(self, document: Document) -> None:
        """Go by another version: what did not change stays as it is, counters and connections with it."""
        before, self.document = self.document, document
        self.has_hosts = len(document.hosts) > 0
        for key in [k for k in self._at_hosts if _leads_elsewhere(k, document, before)]:
            self._note(self._at_hosts.pop(key), partial(self._made_at, key))
        for key in [k for k in self._routes if document.routes.get(k) != before.routes.get(k)]:
            self._note(self._routes.pop(key), partial(self._made, key))
        for key, upstream in list(self._upstreams.items()):
            text = document.upstreams.get(key)
            if text is None:
                del self._upstreams[key]
                for one in upstream.instances:
                    one.leave()
            elif text != before.upstreams.get(key):
                upstream.use(orjson.loads(text))

    def _note(self, gone: Route, after: Callable[[], Route | None]) -> None:
        if gone.cache is not None:
            self._changed.append((gone, after))

    def changes(self) -> dict[Route, Route | None]:
        """Return which routes that keep answers have become which since the last call."""
        changed, self._changed = self._changed, []
        return {one: after() for one, after in changed}

    def route_of(self, head: RequestHead) -> Route | None:
        """Return the route of a request: by the host that it asks for, or else by its path."""
        found = self.at_host(head) if self.has_hosts else None
        return found or self._find(head.path)

    def at_host(self, head: RequestHead) -> Route | None:
        """Return the route that answers at the host of a request, without ``/s/<workspace>/``."""
        for key in keys_of(head):
            route = self._at_hosts.get(key) or self._made_at(key)
            if route is not None:
                return route
        return None

    def _made_at(self, key: bytes) -> Route | None:
        """Return a route as it is at a host: with all that is counted of it elsewhere, below another path."""
        name = self.document.hosts.get(key)
        whole = None if name is None else self._routes.get(name) or self._made(name)
        if whole is None:
            return None
        route = self._at_hosts[key] = copy(whole)
        path = key.partition(b"/")[2]
        route.prefix = b"/" + path if path else b""
        return route

    def _find(self, path: bytes) -> Route | None:
        """Return the route of a path ``/s/<workspace>/<prefix>...``, the longest prefix first."""
        if not path.startswith(_BELOW):
            return None
        parts = path[3:].split(b"/", MOST_PARTS + 1)
        for count in range(min(len(parts), MOST_PARTS + 1), 1, -1):
            key = b"/".join(parts[:count])
            route = self._routes.get(key) or self._made(key)
            if route is not None:
                return route
        return None

    def _made(self, key: bytes) -> Route | None:
        text = self.document.routes.get(key)
        if text is None:
            return None
        spec = orjson.loads(text)
        name = f"{spec['workspace']}/{spec['name']}"
        stats = self._stats.get(name)
        if stats is None:
            labels = (("route", spec["name"]), ("workspace", spec["workspace"]))
            latency = self._metrics.histogram("gateway_route_seconds", labels, BOUNDS)
            callers = Callers(self._metrics, spec["workspace"], spec["name"])
            stats = self._stats[name] = RouteStats(latency, callers)
        limits = CallerLimits.of(spec, self.shared, self.counts)
        route = self._routes[key] = Route(spec, stats, self._rate(name, spec["rate_per_s"]), limits)
        route.slow_s = self._slow.threshold(spec.get("slow_s", 0.0))
        return route

    def _rate(self, name: str, rate: float | None) -> SharedBucket | None:
        """Return the bucket of a route; one whose rate did not change keeps its level."""
        if not rate:
            return None
        known = self._rates.get(name)
        if known is None or known.rate != rate:
            known = self._rates[name] = self.shared.bucket(mark_of(f"route:{name}"), rate)
        return known

    def upstream(self, key: bytes) -> Upstream | None:
        """Return a service."""
        found = self._upstreams.get(key)
        if found is None:
            text = self.document.upstreams.get(key)
            if text is None:
                return None
            found = self._upstreams[key] = Upstream(orjson.loads(text))
        return found

    def used(self) -> Iterator[Upstream]:
        """Yield the services that were asked for."""
        yield from self._upstreams.values()

    def stats(self) -> Iterator[tuple[str, RouteStats]]:
        """Yield what was counted of each route that was asked for, by ``<workspace>/<route>``."""
        yield from self._stats.items()

    def traffic(self, now: float) -> dict[str, Any]:
        """Return what this worker has seen, for those who look at it."""
        limited = [route for route in self._routes.values() if route.limits is not None]
        return {
            "routes": {name: _of_route(stats) for name, stats in self._stats.items()},
            "addresses": {f"{r.workspace}/{r.name}": r.limits.seen(wall()) for r in limited if r.limits is not None},
            "instances": {
                f"{up.workspace}/{up.name}/{one.id}": _of_instance(one, up.state_of(one, now))
                for up in self._upstreams.values()
                for one in up.instances
            },
        }


def _leads_elsewhere(key: bytes, after: Document, before: Document) -> bool:
    """Tell whether another route answers at a host than before, or one that has changed."""
    name = before.hosts.get(key)
    return name is None or after.hosts.get(key) != name or after.routes.get(name) != before.routes.get(name)


def _of_instance(one: Instance, state: str) -> list[Any]:
    return [one.requests, one.errors, one.in_flight, round(one.ewma, 6), state, list(one.latency.counts)]


def _of_route(stats: RouteStats) -> list[Any]:
    counted = [stats.requests, stats.errors, stats.refused, stats.in_flight, list(stats.latency.counts)]
    callers = {
        name: [one.requests, one.errors, one.in_flight, one.last, list(one.latency.counts), one.hits]
        for name, one in stats.callers.all()
    }
    return [*counted, len(stats.parked) + len(stats.shaped), stats.fallbacks, stats.hits, stats.misses, callers]
