"""A graph whose requests run in threads of the gateway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.gateway import ROW, Gateway, deployment, endpoint, infer, oip, snapshot


@pytest.mark.parametrize(
    "running",
    [
        {"execution": "threads", "threads": 2, "max_rows": 1},
        {"execution": "batched", "threads": 1, "max_rows": 16},
    ],
)
def test_answers_are_those_of_the_model_in_the_loop_and_never_mixed(
    alone: Gateway, packages: dict[str, Path], running: dict[str, Any]
) -> None:
    pooled = endpoint("churn", deployment(packages["one"], running=running))
    alone.publish(snapshot(1, pooled, endpoint("inline", deployment(packages["one"], "inline"))))
    alone.start()
    sent = [[{**ROW, "tenure": n % 70, "charges": 20.0 + n}] * (1 + n % 3) for n in range(60)]
    expected = [infer(alone, oip(rows), name="inline").json()["outputs"] for rows in sent]
    with ThreadPoolExecutor(12) as callers:
        found = list(callers.map(lambda rows: infer(alone, oip(rows)).json()["outputs"], sent))
    for one, other in zip(found, expected, strict=True):
        assert one[0] == other[0]
        assert one[1]["shape"] == other[1]["shape"]
        assert one[1]["data"] == pytest.approx(other[1]["data"], abs=1e-6)


def test_a_request_that_takes_too_long_gets_504_and_the_next_is_answered(
    alone: Gateway, packages: dict[str, Path]
) -> None:
    running = {"execution": "batched", "threads": 1, "max_rows": 4096}
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"], running=running), timeout_s=0.0001)))
    alone.start()
    answer = infer(alone, oip([ROW] * 2000, id="late"))
    assert (answer.status, answer.json()["code"]) == (504, "model_timeout")
    alone.publish(snapshot(2, endpoint("churn", deployment(packages["one"], running=running))))
    assert infer(alone).status == 200


def test_a_swap_under_load_between_threads_and_loop_fails_no_request(alone: Gateway, packages: dict[str, Path]) -> None:
    plans = [None, {"execution": "threads", "threads": 2, "max_rows": 1}]
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    statuses: list[int] = []
    with ThreadPoolExecutor(4) as callers:
        done = [callers.submit(lambda: [statuses.append(infer(alone).status) for _ in range(60)]) for _ in range(4)]
        for version in range(2, 8):
            name = ("one", "two")[version % 2]
            one = deployment(packages[name], revision=f"rev-{version}", running=plans[version % 2])
            alone.publish(snapshot(version, endpoint("churn", one)))
        for each in done:
            each.result(60)
    assert set(statuses) == {200}
