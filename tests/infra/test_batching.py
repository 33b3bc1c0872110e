from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.infra.batching import Batcher, Task
from aimass.infra.plans import Plan


class Marked:
    """A model that answers each row with its mark, and remembers how many rows it was given at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, columns: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.sizes.append(len(columns["mark"]))
        if -1 in columns["mark"]:
            with self._lock:
                self._now -= 1
            raise ValueError("a bad row")
        answer = {"mark": np.array(columns["mark"]), "text": [f"<{text}>" for text in columns["text"]]}
        with self._lock:
            self._now -= 1
        return answer


def run(model: Any, requests: list[list[int]], plan: Plan, **task: Any) -> list[Any]:
    """Put all requests at once; return each one's answer: its marks, or the error."""

    async def ask() -> list[Any]:
        batcher = Batcher(model, plan)
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in requests]

        def hear(future: Any) -> Any:
            return lambda outputs, error: future.set_result(error if outputs is None else outputs)

        for number, (marks, future) in enumerate(zip(requests, futures, strict=True)):
            columns = {"mark": np.array(marks), "text": [str(mark) for mark in marks]}
            made = Task(len(marks), columns, hear(future), number)
            for name, value in task.items():
                setattr(made, name, value)
            batcher.put(made)
        answers = await asyncio.wait_for(asyncio.gather(*futures), 20)
        batcher.close()
        return answers

    return asyncio.run(ask())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=7), min_size=1, max_size=40),
    st.integers(0, 3),
    st.integers(1, 40),
)
def test_every_request_gets_back_exactly_its_own_rows(requests: list[list[int]], lanes: int, max_rows: int) -> None:
    model = Marked()
    answers = run(model, requests, Plan(lanes=lanes, max_rows=max_rows))
    assert [answer["mark"].tolist() for answer in answers] == requests
    assert [answer["text"] for answer in answers] == [[f"<{mark}>" for mark in marks] for marks in requests]
    assert all(size <= max(max_rows, 7) for size in model.sizes)
    assert sum(model.sizes) == sum(map(len, requests))
    assert model.most_at_once <= max(1, lanes)


@pytest.mark.parametrize("lanes", [0, 1, 2])
def test_a_bad_row_fails_its_own_request_alone(lanes: int) -> None:
    answers = run(Marked(), [[1], [-1, 2], [3]], Plan(lanes=lanes, max_rows=8))
    assert [type(answer) for answer in answers] == [dict, ValueError, dict]
    assert answers[2]["mark"].tolist() == [3]


def test_what_waits_goes_together_up_to_so_many_rows() -> None:
    model = Marked()
    run(model, [[number, number] for number in range(8)], Plan(lanes=1, max_rows=6))
    assert sorted(model.sizes, reverse=True) == [6, 6, 4]


def test_a_request_that_must_be_alone_is() -> None:
    model = Marked()
    run(model, [[1], [2], [3]], Plan(lanes=1, max_rows=8), is_alone=True)
    assert model.sizes == [1, 1, 1]


def test_a_request_whose_time_is_over_is_not_run() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(_late())


async def _late() -> None:
    batcher = Batcher(Marked(), Plan(lanes=0))
    heard = asyncio.Event()
    task = Task(1, {"mark": np.array([1]), "text": ["1"]}, lambda *_: heard.set())
    task.deadline = asyncio.get_running_loop().time() - 1
    batcher.put(task)
    await asyncio.wait_for(heard.wait(), 0.2)


def test_a_model_that_does_not_answer_row_by_row_gets_single_requests() -> None:
    def summed(columns: dict[str, Any]) -> dict[str, Any]:
        return {"mark": np.array([columns["mark"].sum()]), "text": ["sum"]}

    answers = run(summed, [[1], [2], [3]], Plan(lanes=1, max_rows=8))
    assert [answer["mark"].tolist() for answer in answers] == [[1], [2], [3]]


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5)])
def test_a_value_without_rows_holds_nobody_up(value: Any) -> None:
    def alone(columns: dict[str, Any]) -> dict[str, Any]:
        return {"mark": value}

    answers = run(alone, [[1], [2], [3]], Plan(lanes=1, max_rows=8))
    assert [answer["mark"] for answer in answers] == [0.5] * 3


@pytest.mark.parametrize("lanes", [0, 1])
def test_a_model_that_wants_to_end_the_process_fails_its_own_request(lanes: int) -> None:
    def ending(columns: dict[str, Any]) -> dict[str, Any]:
        if -1 in columns["mark"]:
            raise SystemExit(3)
        return {"mark": columns["mark"]}

    answers = run(ending, [[1], [-1], [3]], Plan(lanes=lanes, max_rows=8))
    assert [type(answer) for answer in answers] == [dict, RuntimeError, dict]


def test_requests_of_another_shape_do_not_share_a_batch() -> None:
    sizes: list[tuple[int, ...]] = []

    async def ask() -> None:
        def note(columns: dict[str, Any]) -> dict[str, Any]:
            sizes.append(columns["image"].shape)
            return {"out": columns["image"][:, 0]}

        batcher = Batcher(note, Plan(lanes=0, max_rows=8))
        heard: list[Any] = []
        for width in (2, 2, 3):
            batcher.put(Task(1, {"image": np.zeros((1, width))}, lambda outputs, _: heard.append(outputs)))
        while len(heard) < 3:  # noqa: ASYNC110 a few turns of the loop
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert sizes == [(2, 2), (1, 3)]
