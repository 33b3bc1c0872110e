"""A model that learns live from what is fed back, goes through a drift, and takes over its endpoint without a failed prediction."""

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

import pytest

from aimass import Client
from aimass.kernel.errors import NotFound
from tests.fixtures.platform import running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
QUICK = {"recipes": ["logistic_regression"], "folds": 2, "least_score": 0.5}
AT_ONCE = 20


def truth_of(row: dict[str, Any], *, turned: bool) -> str:
    return "yes" if (row["size"] + (row["plan"] == "a") > 0.5) != turned else "no"


def row_of(rng: random.Random) -> dict[str, Any]:
    return {"size": round(rng.gauss(0, 1), 4), "plan": rng.choice("ab")}


@dataclass
class Callers:
    """Somebody who asks all the time, and tells the truth about every answer; the world may turn."""

    url: str
    key: str
    turned: bool = False
    is_over: bool = False
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)

    def run(self) -> None:
        rng, number = random.Random(5), 0
        with Client(self.url, key=self.key, workspace="lab") as client:
            while not self.is_over:
                number += 1
                rows = [row_of(rng) for _ in range(AT_ONCE)]
                try:
                    said = client.predict("live", rows, request_id=f"q{number}")
                except Exception as reason:
                    self.failed.append(repr(reason))
                    continue
                truths = [truth_of(row, turned=self.turned) for row in rows]
                self.answered += len(rows)
                self.hits += [one.label == truth for one, truth in zip(said, truths, strict=True)]
                labels: Any = [
                    {"request_id": f"q{number}", "row": at, "label": truth} for at, truth in enumerate(truths)
                ]
                client.monitoring.send_feedback(endpoint="live", labels=labels)
                time.sleep(0.25)

    def lately(self) -> float:
        """Return the share of right answers among the newest."""
        newest = self.hits[-300:]
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
            rng = random.Random(1)
            rows = [row_of(rng) for _ in range(600)]
            lines = [f"r{at},{row['size']},{row['plan']},{truth_of(row, turned=False)}" for at, row in enumerate(rows)]
            path = folder / "live.csv"
            path.write_text("\n".join(["id,size,plan,label", *lines]) + "\n")
            client.collect(path, "live", keys=["id"])
            client.release(
                dataset="live",
                target="label",
                model="live",
                endpoint="live",
                key_column="id",
                parameters=QUICK,
                timeout_s=240,
            )
            yield client, Callers(platform.url, key)
    shutil.rmtree(folder, ignore_errors=True)


def until(look: Any, timeout_s: float = 240) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
    return found


def test_it_learns_from_feedback_through_a_drift_and_takes_over_without_a_failed_prediction(
    house: tuple[Client, Callers],
) -> None:
    client, callers = house
    split = client.training.list_splits(dataset="live").items[0].id
    client.training.create_learner(
        name="live", split=split, window=100, snapshot_every=600, params={"learning_rate": 0.05}
    )
    with pytest.raises(NotFound):
        client.lifecycle.roll_back_release(learner="live")
    client.lifecycle.set_release(learner="live", endpoint="live")
    thread = threading.Thread(target=callers.run)
    thread.start()
    try:
        _live_through_a_drift(client, callers)
    finally:
        callers.is_over = True
        thread.join()
    assert callers.failed == []
    assert callers.answered > 1000
    client.training.pause_learner(learner="live")
    told = client.training.get_learner(learner="live")
    assert not told.counted.get("duplicate"), "an answer was handed over twice and learned once"
    fed = client.lifecycle.get_release(learner="live").fed_rows
    assert told.rows <= 360 + fed


def _live_through_a_drift(client: Client, callers: Callers) -> None:
    until(lambda: client.lifecycle.get_release(learner="live").released)
    assert callers.lately() > 0.9
    callers.turned = True
    until(lambda: len(callers.hits) > 1 and callers.lately() < 0.5)
    until(lambda: callers.lately() > 0.85)
    found = client.training.get_learner(learner="live")
    assert found.state == "ACTIVE"
    assert found.drifts
    assert found.metrics["accuracy"] > max(found.metrics["majority"], found.metrics["last_class"])
    released = until(
        lambda: r.released if (r := client.lifecycle.get_release(learner="live")).state == "RELEASED" else None
    )
    back = client.lifecycle.roll_back_release(learner="live")
    assert back.state == "ROLLED_BACK"
    assert back.model_version == released[-2]
