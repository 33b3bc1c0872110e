"""Kept answers, as they are given to those who ask."""

from __future__ import annotations

from time import perf_counter

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.proxy.cache.asked import values_of
from aimass.gateway.plane.proxy.cache.freshness import instant
from aimass.gateway.plane.proxy.cache.store import Entry
from aimass.gateway.plane.proxy.courses import Order
from aimass.gateway.plane.proxy.forward import Way
from aimass.gateway.plane.proxy.heads import reply_head
from aimass.gateway.plane.proxy.things import Route
from aimass.gateway.plane.sinks import Quiet


def give(connection: Connection, order: Order, entry: Entry, word: bytes, now: float) -> int:
    """Send a kept answer, or that the client has it already; return the status."""
    is_known = _is_known(order.head, entry)
    reply = entry.unchanged if is_known else entry.reply
    head = reply_head(reply, order.head, order.route, entry.instance, keep=connection.keep)
    age = max(0, int(now - entry.born))
    connection.send(b"%b%bage: %d\r\nx-cache: %b\r\n\r\n" % (head[:-2], order.lines, age, word))
    if entry.body and not is_known and not connection.is_head:
        connection.send(entry.body)
    return reply.status


def count(way: Way, route: Route, word: bytes) -> None:
    """Count what the cache had to do with a request."""
    stats = route.stats
    stats.hits += word in (b"HIT", b"STALE")
    stats.misses += word in (b"MISS", b"EXPIRED")
    found = stats.counters.get(word)
    if found is None:
        labels = (("result", word.decode().lower()), ("route", route.name), ("workspace", route.workspace))
        found = stats.counters[word] = way.metrics.counter("gateway_cache_requests", labels)
    found.value += 1


class Hit(Quiet):
    """Answers with what is kept."""

    def __init__(self, way: Way, connection: Connection, order: Order, entry: Entry, word: bytes = b"HIT") -> None:
        self._way = way
        self._connection = connection
        self._order = order
        self._entry = entry
        self._word = word
        self._began = perf_counter()
        count(way, order.route, word)

    def end(self) -> None:
        """Answer."""
        order, route = self._order, self._order.route
        status = give(self._connection, order, self._entry, self._word, self._way.loop.time())
        route.stats.requests += 1
        seconds = perf_counter() - self._began
        route.stats.latency.observe(seconds)
        caller = route.stats.callers.of(order.caller.consumer or "")
        caller.count(status, seconds)
        caller.hits += 1
        self._connection.finish()


def _is_known(head: RequestHead, entry: Entry) -> bool:
    """Tell whether the client says that he has this answer already (RFC 9110, section 13)."""
    tags = values_of(head.headers, b"if-none-match")
    if tags:
        tag = entry.reply.get(b"etag").removeprefix(b"W/")
        wanted = [one.strip().removeprefix(b"W/") for one in tags.split(b",")]
        return tags.strip() == b"*" or (bool(tag) and tag in wanted)
    since = head.get(b"if-modified-since")
    changed = entry.reply.get(b"last-modified")
    if not since or not changed:
        return False
    wanted_at, changed_at = instant(since), instant(changed)
    return wanted_at is not None and changed_at is not None and changed_at <= wanted_at
