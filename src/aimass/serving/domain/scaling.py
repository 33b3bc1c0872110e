"""How many workers a deployment has: what is wished, what is seen, and what follows from it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple

from annotated_types import Ge, Gt, Le, doc

MOST = 64
MOST_TARGET, MOST_LATENCY_MS, MOST_IDLE_S = 10_000, 3_600_000, 86_400
TOLERANCE = 0.1
STEEP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """How many workers of its own a deployment may have, and when it gets more.

    Attributes
    ----------
    min, max
        Least and most workers; with 0 nothing runs while nobody asks.
    target
        Requests under way that one worker is meant to have.
    latency_ms
        A mean time of an answer above which workers are added; absent for none.
    idle_s
        After so long without a request nothing runs any more, where ``min`` is 0.
    """

    min: Annotated[int, Ge(0), Le(MOST), doc("least workers; with 0 nothing runs while nobody asks")] = 1
    max: Annotated[int, Ge(1), Le(MOST), doc("most workers")] = 1
    target: Annotated[float, Gt(0), Le(MOST_TARGET), doc("requests under way that one worker is meant to have")] = 4.0
    latency_ms: Annotated[
        float | None, Gt(0), Le(MOST_LATENCY_MS), doc("mean milliseconds of an answer above which workers are added")
    ] = None
    idle_s: Annotated[float, Ge(1), Le(MOST_IDLE_S), doc("seconds without a request before nothing runs")] = 300.0


class Seen(NamedTuple):
    """What was seen at one moment: requests under way and waiting, and the mean seconds of the answers since the last."""

    at: float
    in_flight: float
    latency_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast decisions follow: ``up_s`` is looked back for more workers, ``down_s`` for fewer, and between two of these."""

    up_s: float = 4.0
    down_s: float = 60.0


class Now(NamedTuple):
    """How many workers there are, when that changed last, and when somebody asked last."""

    workers: int
    changed_at: float
    asked_at: float


class Decision(NamedTuple):
    """How many workers there shall be, and why."""

    workers: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """One decision about the number of workers of a deployment."""

    deployment: str
    time: datetime
    before: int
    after: int
    reason: str


def remember(seen: deque[Seen], now: Seen, keep_s: float) -> None:
    """Note what is seen now, and forget what is not needed to cover the last ``keep_s`` in full.

    Examples
    --------
    >>> seen = deque[Seen]()
    >>> for tenth in range(0, 40, 7):
    ...     remember(seen, Seen(tenth / 10, 0, None), 2)
    >>> [one.at for one in seen]
    [1.4, 2.1, 2.8, 3.5]
    """
    seen.append(now)
    while len(seen) > 1 and seen[1].at <= now.at - keep_s:
        seen.popleft()


def decide(wish: Replicas, now: Now, seen: Sequence[Seen], pace: Pace) -> Decision:
    """Decide how many workers there shall be.

    More as soon as the mean of the last ``up_s`` asks for them; fewer only when everything seen in the last ``down_s``
    asks for fewer, and that long after the last change; so that a load that stays, or swings within the tolerance of a
    tenth, changes nothing twice. ``seen`` is in the order of time and not empty; its last moment is now.

    Examples
    --------
    >>> def at(*loads):
    ...     return [Seen(t, load, None) for t, load in enumerate(loads)]
    >>> decide(Replicas(min=1, max=5), Now(1, 0, 2), at(9, 9, 9), Pace())
    Decision(workers=3, reason='9 requests under way, 4 wanted for each worker')
    >>> decide(Replicas(min=1, max=5), Now(3, 0, 2), at(9, 9, 9), Pace()).workers
    3
    """
    last, now_has = seen[-1], now.workers
    if now_has < wish.min:
        return Decision(wish.min, f"at least {wish.min} wanted")
    if now_has > wish.max:
        return Decision(wish.max, f"at most {wish.max} allowed")
    if now_has == 0:
        return _from_nothing(seen)
    recent = [one for one in seen if one.at >= last.at - pace.up_s]
    mean = sum(one.in_flight for one in recent) / len(recent)
    more = _needed(mean, wish.target, now_has)
    if more > now_has:
        return _bounded(wish, now_has, more, f"{mean:.3g} requests under way, {wish.target:g} wanted for each worker")
    slow = _slow(wish, recent, now_has)
    return slow or _fewer(wish, now, seen, pace)


def _needed(load: float, target: float, now_has: int) -> int:
    """Return how many workers a load needs; within the tolerance as many as there are."""
    if abs(load / (target * now_has) - 1) <= TOLERANCE:
        return now_has
    return math.ceil(load / target)


def _bounded(wish: Replicas, now_has: int, wanted: int, reason: str) -> Decision:
    return Decision(max(now_has, min(wanted, wish.max)), reason)


def _from_nothing(seen: Sequence[Seen]) -> Decision:
    if seen[-1].in_flight > 0:
        return Decision(1, "a request waits and nothing runs")
    return Decision(0, "nobody asks")


def _slow(wish: Replicas, recent: Sequence[Seen], now_has: int) -> Decision | None:
    """Add workers, at most twice as many as there are, when answers take too long and there is more than one to share."""
    times = [one.latency_s for one in recent if one.latency_s is not None]
    busy = sum(one.in_flight for one in recent) / len(recent) > now_has
    if wish.latency_ms is None or not times or not busy or now_has >= wish.max:
        return None
    mean_ms = 1000 * sum(times) / len(times)
    if mean_ms <= wish.latency_ms * (1 + TOLERANCE):
        return None
    wanted = min(math.ceil(now_has * mean_ms / wish.latency_ms), STEEP * now_has)
    return _bounded(wish, now_has, wanted, f"an answer takes {mean_ms:.3g} ms, {wish.latency_ms:g} ms wanted")


def _fewer(wish: Replicas, now: Now, seen: Sequence[Seen], pace: Pace) -> Decision:
    """Take workers away, one at a time; the last one when nobody has asked for long enough."""
    last, now_has = seen[-1], now.workers
    stays = Decision(now_has, "")
    if now_has == 1:
        idle_s = last.at - max(now.changed_at, now.asked_at)
        ends = wish.min == 0 and last.in_flight == 0 and idle_s >= wish.idle_s
        return Decision(0, f"nobody has asked for {wish.idle_s:g} s") if ends else stays
    window = [one for one in seen if one.at >= last.at - pace.down_s]
    if now_has <= wish.min or last.at - max(now.changed_at, seen[0].at) < pace.down_s:
        return stays
    most = max(one.in_flight for one in window)
    is_fast = wish.latency_ms is None or all(
        one.latency_s is None or 1000 * one.latency_s * now_has / (now_has - 1) <= wish.latency_ms for one in window
    )
    if is_fast and most <= wish.target * (now_has - 1) * (1 - TOLERANCE):
        return Decision(now_has - 1, f"at most {most:.3g} requests under way within {pace.down_s:g} s")
    return stays
