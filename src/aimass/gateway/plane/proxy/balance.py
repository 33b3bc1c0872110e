"""How requests are spread over the instances of a service: one function for each way."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import blake2b
from random import choice, sample
from typing import Any, Protocol, TypeVar

_POINTS = 40


class Server(Protocol):
    """What spreading needs to know of an instance."""

    id: str
    weight: int
    current: int
    in_flight: int
    ewma: float


S = TypeVar("S", bound=Server)


class Service(Protocol[S]):
    """What spreading needs to know of a service."""

    turn: int
    ring: list[tuple[int, S]]
    instances: list[S]


def round_robin(service: Service[S], found: Sequence[S], key: bytes) -> S:
    """One after the other."""
    del key
    service.turn += 1
    return found[service.turn % len(found)]


def weighted(service: Service[S], found: Sequence[S], key: bytes) -> S:
    """One after the other, by weight, and never many to the same in a row (the smooth way of nginx)."""
    del service, key
    for one in found:
        one.current += one.weight
    chosen = max(found, key=lambda one: one.current)
    chosen.current -= sum(one.weight for one in found)
    return chosen


def least_in_flight(service: Service[S], found: Sequence[S], key: bytes) -> S:
    """Whoever has the fewest requests under way for its weight; by chance among equals."""
    del service, key
    least = min(one.in_flight / one.weight for one in found)
    return choice([one for one in found if one.in_flight / one.weight <= least])  # noqa: S311 no secret


def power_of_two(service: Service[S], found: Sequence[S], key: bytes) -> S:
    """Take two by chance and return the better: seconds of its answers, late ones weighing most, times what is under way."""
    del service, key
    first, second = sample(found, 2)
    return first if _load(first) <= _load(second) else second


def _load(one: Server) -> float:
    return (one.ewma + 1e-6) * (one.in_flight + 1) / one.weight


def consistent_hash(service: Service[S], found: Sequence[S], key: bytes) -> S:
    """Return the same instance for the same key; when one goes, only its own keys move."""
    if not service.ring:
        points = (
            (_point(f"{one.id}/{n}".encode()), one) for one in service.instances for n in range(_POINTS * one.weight)
        )
        service.ring = sorted(points, key=lambda pair: pair[0])
    ring = service.ring
    start = bisect_left(ring, _point(key), key=lambda pair: pair[0])
    for step in range(len(ring)):
        one = ring[(start + step) % len(ring)][1]
        if one in found:
            return one
    return found[0]


def _point(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest())


BALANCES: dict[str, Callable[..., Any]] = {
    "round_robin": round_robin,
    "weighted": weighted,
    "least_in_flight": least_in_flight,
    "power_of_two": power_of_two,
    "consistent_hash": consistent_hash,
}
