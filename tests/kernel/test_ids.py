"""Ids sort as they were made: within a millisecond, over threads and when the clock is set back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass.kernel import ids
from aimass.kernel.ids import new_id


def test_ids_of_one_moment_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(set(made))


def test_ids_of_several_threads_are_unique_and_sorted_in_each() -> None:
    with ThreadPoolExecutor(4) as pool:
        lists = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(4)))
    assert all(one == sorted(one) for one in lists)
    assert len({number for one in lists for number in one}) == 8000


def test_a_clock_that_is_set_back_makes_no_older_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000)
    assert new_id() > before
