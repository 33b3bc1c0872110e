"""The count of a day: shared by workers without a lock, and proof against clocks that jump, full disks and crowds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.gateway.plane.proxy.limits import CallerLimits
from aimass.gateway.plane.quotas import _BYTES, DAY_S, QUOTAS, Quotas, mark_of, shared_quotas, used_of
from aimass.gateway.plane.rates import Rates, SharedBucket

DAY = 20_000
NOON = (DAY + 0.5) * DAY_S
ONE = mark_of("one")
_HAMMER = """
import sys
from pathlib import Path
from aimass.gateway.plane.quotas import Quotas
counts = Quotas(Path(sys.argv[1]), int(sys.argv[2]))
sys.stdin.readline()
print(sum(counts.take(int(sys.argv[3]), 20_000, float(sys.argv[4])) for _ in range(20_000)))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quotas") / QUOTAS


@pytest.fixture(scope="module")
def handles(file: Path) -> Iterator[list[Quotas]]:
    found = [Quotas(file, worker) for worker in range(2)]
    yield found
    for one in found:
        one.close()


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0, 2 * DAY_S - 1)), max_size=60),
    st.integers(1, 5),
    st.uuids(),
)
@settings(max_examples=60, deadline=None)
def test_no_order_of_takes_gives_more_than_the_quota_of_each_day(handles, takes, quota, id_) -> None:
    """However the clock goes forth and back between two days, each of them has one quota."""
    mark = mark_of(str(id_))
    given_ = [handles[number].take(mark, quota, DAY * DAY_S + at) for number, at in takes]
    assert sum(given_) <= 2 * quota
    same = [handles[number].take(mark, quota, (DAY + 3) * DAY_S) for number, _ in takes]
    assert sum(same) == min(quota, len(takes))


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0, 2.0**33)), max_size=30),
    st.integers(1, 3),
    st.floats(0, 2.0**32),
    st.uuids(),
)
@settings(max_examples=60, deadline=None)
def test_no_clock_keeps_anybody_out_for_longer_than_two_days(handles, history, quota, now, id_) -> None:
    mark = mark_of(str(id_))
    for number, at in history:
        handles[number].take(mark, quota, at)
    assert handles[0].take(mark, quota, now) or handles[1].take(mark, quota, now + 2 * DAY_S)


def test_a_clock_that_was_far_ahead_leaves_what_was_counted(handles: list[Quotas]) -> None:
    mark, far = mark_of("far"), NOON + 5_000 * DAY_S
    assert [handles[0].take(mark, 2, far) for _ in range(3)] == [True, True, False]
    assert not handles[1].take(mark, 2, NOON)
    assert handles[1].used(mark, NOON) == 2
    assert handles[1].left_s(mark, NOON) == DAY_S / 2
    assert handles[1].take(mark, 2, NOON + DAY_S)


def test_processes_that_count_at_once_exceed_a_quota_by_less_than_their_number(file: Path) -> None:
    mark = mark_of("hammered")
    command = [sys.executable, "-c", _HAMMER, str(file)]
    running = [
        subprocess.Popen([*command, str(n), str(mark), str(NOON)], stdin=-1, stdout=-1, text=True) for n in range(2)
    ]
    counted = [int(one.communicate("\n")[0]) for one in running]
    assert 20_000 <= sum(counted) <= 20_000 + len(running) - 1
    assert used_of(file, [mark, ONE + 1], NOON) == [sum(counted), 0]


def test_counts_are_private_have_their_room_on_the_disk_and_outlive_their_file_handle(tmp_path: Path) -> None:
    path = tmp_path / QUOTAS
    assert used_of(path, [ONE], NOON) == [0]
    first = Quotas(path)
    assert first.take(ONE, 1, NOON)
    first.close()
    second = Quotas(path, 1)
    assert not second.take(ONE, 1, NOON)
    second.close()
    assert used_of(path, [ONE], NOON) == [1]
    assert path.stat().st_blocks * 512 >= _BYTES
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_made_leaves_each_worker_its_own_count(tmp_path: Path) -> None:
    (tmp_path / QUOTAS).mkdir()
    counts = shared_quotas(tmp_path / QUOTAS)
    assert [counts.take(ONE, 1, NOON) for _ in range(2)] == [True, False]


def test_a_crowd_of_new_callers_does_not_push_out_who_asked_most() -> None:
    counts = Quotas(None)
    assert all(counts.take(7, 40, NOON) for _ in range(40))
    for near in range(200):
        assert counts.take((1 << 16) * (near + 1) + 7, 40, NOON)
    assert not counts.take(7, 40, NOON)


def test_a_caller_whose_bucket_was_given_to_another_gets_one_of_his_own() -> None:
    rates = Rates()
    spec = {"workspace": "demo", "name": "geo", "limit_by": "address", "caller_rate_per_s": 0.001}
    limits = CallerLimits.of(spec, rates, lambda: Quotas(None))
    assert limits is not None
    payer = limits.caller(None, "10.0.0.1")
    assert payer.pay_rate(NOON, 0.0, may_wait=True) == 0.0
    assert limits.caller(None, "10.0.0.1") is payer
    rates._marks[payer.bucket.slot - 1] = payer.mark + 1
    again = limits.caller(None, "10.0.0.1")
    assert again is not payer
    assert again.bucket.slot != payer.bucket.slot
    assert again.pay_rate(NOON, 0.0, may_wait=True) == 0.0


@given(st.lists(st.floats(0, 5), max_size=40), st.floats(0.1, 50), st.integers(1, 20), st.floats(0, 3), st.data())
@settings(max_examples=60, deadline=None)
def test_what_a_bucket_lets_wait_goes_on_in_order_and_within_the_rate(steps, rate, burst, most_s, data) -> None:
    """A model of its own: when requests go on, no window holds more than the burst and what the rate brings in it."""
    bucket = SharedBucket(memoryview(bytearray(8)).cast("d"), 0, rate, burst)
    now, going = 1_000.0, []
    for step in steps:
        now += step
        may_wait = data.draw(st.booleans())
        wait = bucket.reserve(now, most_s, may_wait=may_wait)
        if wait >= 0:
            assert wait <= (most_s if may_wait else 0)
            going.append(now + wait)
    assert going == sorted(going)
    for first, begin in enumerate(going):
        for last in range(first, len(going)):
            assert last - first + 1 <= burst + (going[last] - begin) * rate + 1e-6
