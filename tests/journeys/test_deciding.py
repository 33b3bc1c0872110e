"""A policy that learns live from what came of its own decisions, and goes on when the world turns."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from aimass import Client
from tests.fixtures.platform import running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ACTIONS = ("call", "mail")
QUICK = {
    "recipes": ["linear_policy"],
    "folds": 2,
    "task": "policy",
    "action_column": "done",
    "propensity_column": "chance",
}
AT_ONCE = 20


def worth(row: dict[str, Any], action: str, *, turned: bool) -> float:
    """Return what an action brings on average: a call to large ones, a mail to the others; in the turned world the opposite."""
    return float(((row["size"] > 0) == (action == "call")) != turned)


def row_of(rng: random.Random) -> dict[str, Any]:
    return {"size": round(rng.gauss(0, 1), 4), "plan": rng.choice("ab")}


@dataclass
class Callers:
    """Somebody who asks what to do, does it, and tells later what came of it; the world may turn."""

    url: str
    key: str
    turned: bool = False
    is_over: bool = False
    failed: list[str] = field(default_factory=list)
    earned: list[float] = field(default_factory=list)

    def run(self) -> None:
        rng, number = random.Random(5), 0
        with Client(self.url, key=self.key, workspace="lab") as client:
            while not self.is_over:
                number += 1
                rows = [row_of(rng) for _ in range(AT_ONCE)]
                try:
                    said = client.predict("offers", rows, request_id=f"q{number}")
                except Exception as reason:
                    self.failed.append(repr(reason))
                    continue
                means = [
                    worth(row, one.outputs["action"], turned=self.turned) for row, one in zip(rows, said, strict=True)
                ]
                assert all(0 < one.outputs["propensity"] <= 1 for one in said)
                self.earned += means
                labels: Any = [
                    {"request_id": f"q{number}", "row": at, "label": str(round(mean + rng.gauss(0, 0.1), 4))}
                    for at, mean in enumerate(means)
                ]
                client.monitoring.send_feedback(endpoint="offers", labels=labels)
                time.sleep(0.25)

    def lately(self) -> float:
        """Return the mean of what the newest decisions were worth; a draw earns a half."""
        newest = self.earned[-300:]
        return sum(newest) / max(len(newest), 1)


@pytest.fixture
def house() -> Iterator[tuple[Client, Callers]]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as platform:
        with platform.admin("lab") as admin:
            admin.access.create_workspace(name="lab", review="auto")
            admin.access.create_service(name="builder", role="admin")
            key = admin.access.create_key(name="builder", service="builder").text
        with Client(platform.url, key=key, workspace="lab") as client:
            path = folder / "offers.csv"
            path.write_text("\n".join(["id,size,plan,done,chance,won", *_logged(random.Random(1), 800)]) + "\n")
            client.collect(path, "offers", keys=["id"])
            client.release(
                dataset="offers",
                target="won",
                model="offers",
                endpoint="offers",
                key_column="id",
                parameters=QUICK,
                timeout_s=240,
            )
            yield client, Callers(platform.url, key)
    shutil.rmtree(folder, ignore_errors=True)


def _logged(rng: random.Random, count: int) -> Iterator[str]:
    """Write decisions that were drawn."""
    for at in range(count):
        row, action = row_of(rng), rng.choice(ACTIONS)
        won = round(worth(row, action, turned=False) + rng.gauss(0, 0.1), 4)
        yield f"r{at},{row['size']},{row['plan']},{action},0.5,{won}"


def until(look: Any, timeout_s: float = 240) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
    return found


def test_it_decides_learns_what_came_of_it_and_goes_on_in_a_world_that_turned(house: tuple[Client, Callers]) -> None:
    client, callers = house
    split = client.training.list_splits(dataset="offers").items[0].id
    params = {"half_life": 150, "epsilon": 0.1}
    client.training.create_learner(
        name="offers", split=split, model="lin_thompson", window=200, snapshot_every=300, params=params
    )
    client.lifecycle.set_release(learner="offers", endpoint="offers")
    thread = threading.Thread(target=callers.run)
    thread.start()
    try:
        until(lambda: client.lifecycle.get_release(learner="offers").released)
        until(lambda: len(callers.earned) >= 300 and callers.lately() > 0.75)
        callers.turned = True
        until(lambda: callers.lately() < 0.5)
        until(lambda: callers.lately() > 0.75)
    finally:
        callers.is_over = True
        thread.join()
    assert callers.failed == []
    client.training.pause_learner(learner="offers")
    told = client.training.get_learner(learner="offers")
    assert told.error is None
    assert not told.counted.get("duplicate"), "a decision was handed over twice and learned once"
    release = client.lifecycle.get_release(learner="offers")
    assert told.rows <= 440 + release.fed_rows
    assert release.fed_rows > 0
    assert len(release.released) > 1, "one file answered before the world turned, and another one adapted"
    assert tuple(told.classes) == ACTIONS
    _answers_are_draws_that_are_measured(client, callers)


def _answers_are_draws_that_are_measured(client: Client, callers: Callers) -> None:
    address = f"{callers.url}/v2/models/offers/infer"
    body = {"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": [0.5]}]}
    body["inputs"].append({"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["a"]})
    answer = httpx2.post(address, json=body, headers={"Authorization": f"Bearer {callers.key}"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    until(lambda: client.monitoring.evaluate_now(endpoint="offers").quality)  # when answers and rewards have landed
    quality = client.monitoring.get_quality(endpoint="offers")
    assert set(quality.rewards) <= set(ACTIONS)
    assert quality.metrics["reward"].value > 0.5, "a draw earns a half"
