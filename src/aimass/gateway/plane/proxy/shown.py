"""What there is to see of services at this moment: requests under way, and the breaker of each instance."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.gateway.plane.metrics import Sample, samples_of
from aimass.gateway.plane.proxy.cache.desk import Desk
from aimass.gateway.plane.proxy.table import Table
from aimass.gateway.plane.proxy.things import STATES


def of_services(table: Table, now: float) -> Iterator[Sample]:
    """Return what this worker has of each route that was asked for, and of each instance behind it."""
    for name, stats in table.stats():
        workspace, _, route = name.partition("/")
        whose = (("route", route), ("workspace", workspace))
        yield Sample("gateway_route_in_flight", stats.in_flight, whose)
        yield Sample("gateway_route_waiting", len(stats.parked) + len(stats.shaped), whose)
        for consumer, one in stats.callers.all():
            labels = (("consumer", consumer), *whose)
            yield Sample("gateway_route_consumer_in_flight", one.in_flight, labels)
            yield Sample("gateway_route_consumer_cache_hits", one.hits, labels, "counter")
    for upstream in table.used():
        for one in upstream.instances:
            whose = (("instance", one.id), ("service", upstream.name), ("workspace", upstream.workspace))
            yield Sample("gateway_instance_in_flight", one.in_flight, whose)
            yield Sample("gateway_instance_requests", one.requests, whose, "counter")
            yield Sample("gateway_instance_errors", one.errors, whose, "counter")
            yield from samples_of("gateway_instance_seconds", whose, one.latency)
            state = upstream.state_of(one, now)
            for known in STATES:
                yield Sample("gateway_instance_state", int(known == state), (*whose, ("state", known)))


def of_cache(desk: Desk) -> Iterator[Sample]:
    """Return what this worker keeps of answers, and who waits for one."""
    store = desk.store
    yield Sample("gateway_cache_waiting", desk.waiting)
    yield Sample("gateway_cache_entries", store.count)
    yield Sample("gateway_cache_bytes", store.size)
    yield Sample("gateway_cache_bytes_limit", store.most)
    yield Sample("gateway_cache_evictions", store.evicted, (), "counter")
