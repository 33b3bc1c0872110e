"""The rule by which deployments get more or fewer workers: fast up, slowly down, never to and fro."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from aimass.serving.domain.scaling import Now, Pace, Replicas, Seen, decide, remember

PACE = Pace(up_s=4, down_s=30)
loads = st.floats(0, 400, allow_nan=False)
wishes = st.builds(
    lambda least, more, target, latency: Replicas(
        min=least, max=max(1, least + more), target=target, latency_ms=latency
    ),
    st.integers(0, 5),
    st.integers(0, 10),
    st.floats(0.5, 20),
    st.none() | st.floats(1, 1000),
)
moments = st.lists(st.tuples(loads, st.none() | st.floats(0.0001, 10)), min_size=1, max_size=80)


def lived(wish: Replicas, load: Callable[[int], float], seconds: int, workers: int = 1) -> list[int]:
    """The number of workers second by second."""
    now, seen, found = Now(workers, 0, 0), deque[Seen](), list[int]()
    for t in range(seconds):
        remember(seen, Seen(t, load(t), None), PACE.down_s)
        if load(t):
            now = now._replace(asked_at=t)
        after = decide(wish, now, seen, PACE).workers
        if after != now.workers:
            now = now._replace(workers=after, changed_at=t)
        found.append(now.workers)
    return found


def changes(found: list[int]) -> int:
    return sum(before != after for before, after in itertools.pairwise(found))


@given(wish=wishes, moments=moments, workers=st.integers(0, 20))
def test_there_are_never_fewer_or_more_than_allowed(
    wish: Replicas, moments: list[tuple[float, float | None]], workers: int
) -> None:
    seen = [Seen(t, load, latency) for t, (load, latency) in enumerate(moments)]
    after, reason = decide(wish, Now(workers, -1000, -1000), seen, PACE)
    assert wish.min <= after <= wish.max
    assert bool(reason) or after == workers


@given(wish=wishes, load=loads, start=st.integers(1, 15))
def test_a_load_that_stays_is_settled_once(wish: Replicas, load: float, start: int) -> None:
    found = lived(wish, lambda _: load, 900, min(max(start, wish.min, 1), wish.max))
    assert changes(found[600:]) == 0
    ups = sum(after > before for before, after in itertools.pairwise(found))
    downs = sum(after < before for before, after in itertools.pairwise(found))
    assert not (ups and downs)


@given(wish=wishes, load=st.floats(1, 200), swing=st.floats(0, 0.04), period=st.integers(1, 40))
def test_a_load_that_swings_within_the_tolerance_flaps_nothing(
    wish: Replicas, load: float, swing: float, period: int
) -> None:
    found = lived(wish, lambda t: load * (1 + swing * (1 if t // period % 2 else -1)), 900, max(1, wish.min))
    assert changes(found[700:]) == 0


def test_it_goes_up_within_the_short_window_and_down_one_at_a_time_after_the_long_one() -> None:
    wish = Replicas(min=1, max=8, target=4)
    found = lived(wish, lambda t: 32 if 100 <= t < 120 else 2, 600)
    assert found[99] == 1
    assert found[100 + int(PACE.up_s)] == 8
    assert set(found[104 : 120 + int(PACE.down_s)]) == {8}
    below = found[120 + int(PACE.down_s) :]
    assert all(before - after in (0, 1) for before, after in itertools.pairwise(below))
    assert found[-1] == 1
    assert found.index(6, 120) - found.index(7, 120) >= PACE.down_s


def test_the_last_worker_goes_when_nobody_asked_for_long_enough_and_comes_at_once() -> None:
    wish = Replicas(min=0, max=3, target=4, idle_s=50)
    found = lived(wish, lambda t: 1 if t < 20 or t == 200 else 0, 300)
    assert found[19 + 49] == 1
    assert found[19 + 51] == 0
    assert (found[199], found[200]) == (0, 1)
    kept = lived(Replicas(min=1, max=3), lambda _: 0, 1000)
    assert set(kept) == {1}


def test_slow_answers_bring_workers_only_where_there_is_something_to_share() -> None:
    wish = Replicas(min=1, max=8, target=100, latency_ms=100)
    busy = [Seen(t, 6, 0.3) for t in range(5)]
    assert decide(wish, Now(2, 0, 0), busy, PACE) == (4, "an answer takes 300 ms, 100 ms wanted")
    alone = [Seen(t, 1, 0.3) for t in range(5)]
    assert decide(wish, Now(1, 0, 0), alone, PACE).workers == 1


@given(pause=st.floats(0.3, 5))
def test_fewer_workers_run_however_often_it_is_looked(pause: float) -> None:
    seen, now = deque[Seen](), Now(2, 0, 0)
    for turn in range(int((PACE.down_s + 2 * pause) / pause) + 1):
        remember(seen, Seen(turn * pause, 0, None), PACE.down_s)
        now = now._replace(workers=decide(Replicas(max=2), now, seen, PACE).workers)
    assert now.workers == 1
