"""A request to a service that was let in, and how it went, for the log of slow and failed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.proxy.heads import Caller
from aimass.gateway.plane.proxy.things import Instance, Route, Upstream
from aimass.gateway.plane.slow import SERVER_ERROR, Asked, SlowLog
from aimass.kernel.errors import AimassError

_GONE = 499


@dataclass(slots=True, kw_only=True)
class Order:
    """A request that was let in.

    Attributes
    ----------
    caller
        What the gateway says of who asks.
    affinity
        By what a consistent hash assigns the request.
    waited_s
        How long it waited because its route was paused, or because it was over a rate.
    lines
        Header lines that tell the caller his limits.
    """

    head: RequestHead
    route: Route
    upstream: Upstream
    key: Key | None
    caller: Caller
    affinity: bytes
    waited_s: float = 0.0
    lines: bytes = b""


class Course(NamedTuple):
    """How it went.

    Attributes
    ----------
    instance, breaker
        Who was asked last, and how its breaker stood then.
    status
        What the client heard; 0 for nothing.
    seconds, first_s
        From the request to its end, and from asking the instance to the head of its answer.
    is_stream
        Whether it lasts as long as both sides like: a stream of events, or a protocol that was switched to.
    """

    instance: Instance | None
    breaker: str
    status: int
    error: str
    seconds: float
    first_s: float | None
    is_stream: bool
    bytes_in: int
    bytes_out: int
    retries: int


def note_end(log: SlowLog, connection: Connection, order: Order, course: Course) -> None:
    """Keep a request that was slow or failed; of a stream only the beginning can be slow."""
    status, instance, first_s = course.status or _GONE, course.instance, course.first_s
    late_s = first_s if course.is_stream and first_s is not None else course.seconds
    is_slow = late_s >= order.route.slow_s
    if not is_slow and status < SERVER_ERROR:
        return
    about: dict[str, Any] = {
        "service": order.upstream.name,
        "target": "" if instance is None else instance.id,
        "version": "" if instance is None else f"{instance.host}:{instance.port}",
        "status": status,
        "error": course.error,
        "first_byte_s": None if first_s is None else round(first_s, 6),
        "queue_s": round(order.waited_s, 6) or None,
        "bytes_in": course.bytes_in,
        "bytes_out": course.bytes_out,
        "retries": course.retries,
        "breaker": course.breaker,
    }
    asked = _asked(connection, order.head, order.route, order.caller.consumer or "")
    log.keep(asked, course.seconds, about, is_slow=is_slow)


def note_refusal(log: SlowLog, connection: Connection, head: RequestHead, route: Route, error: AimassError) -> None:
    """Keep a request that could not be sent to anybody."""
    log.keep(_asked(connection, head, route, ""), 0.0, {"status": error.status, "error": error.code}, is_slow=False)


def _asked(connection: Connection, head: RequestHead, route: Route, consumer: str) -> Asked:
    return Asked(route.workspace, "route", route.name, consumer, head.method, head.path, connection.traced())
