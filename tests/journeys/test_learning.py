"""Models that learn live from what is fed back and take over their endpoints without a failed prediction.

One tells classes apart and goes through a drift; one says numbers, and a person decides about its snapshots.
"""

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
from tests.fixtures.platform import RunningPlatform, running_platform

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


@pytest.fixture(scope="module")
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)


def key_of(platform: RunningPlatform, workspace: str, review: Any) -> str:
    """Make a workspace and return the key of a service account that may do everything there."""
    with platform.admin(workspace) as admin:
        admin.access.create_workspace(name=workspace, review=review)
        admin.access.create_service(name="builder", role="admin")
        return admin.access.create_key(name="builder", service="builder").text


def collect(client: Client, name: str, lines: list[str]) -> None:
    """Collect rows as a dataset whose key is ``id``."""
    with tempfile.TemporaryDirectory(prefix="am") as folder:
        path = Path(folder) / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n")
        client.collect(path, name, keys=["id"])


@pytest.fixture
def house(platform: RunningPlatform) -> Iterator[tuple[Client, Callers]]:
    key = key_of(platform, "lab", "auto")
    with Client(platform.url, key=key, workspace="lab") as client:
        rng = random.Random(1)
        rows = [row_of(rng) for _ in range(600)]
        lines = [f"r{at},{row['size']},{row['plan']},{truth_of(row, turned=False)}" for at, row in enumerate(rows)]
        collect(client, "live", ["id,size,plan,label", *lines])
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
    rolled_back(client, "live", released[-2])


def rolled_back(client: Client, learner: str, version: int) -> None:
    """Go back, and see that nothing is claimed before the endpoint answers with the version before."""
    told = client.lifecycle.roll_back_release(learner=learner)
    assert (told.state, told.model_version) == ("ROLLING_BACK", version)
    assert told.verdict == f"goes back to version {version}"
    assert told.released[-1] != version
    back = until(lambda: r if (r := client.lifecycle.get_release(learner=learner)).state != "ROLLING_BACK" else None)
    assert (back.state, back.released[-1]) == ("ROLLED_BACK", version)
    assert back.verdict == f"rolled back to version {version}"
    shown = client.serving.get_endpoint(endpoint=back.endpoint)
    assert [one.served_version for one in shown.deployments if one.name == shown.main] == [version]


def price_of(row: dict[str, Any], *, turned: bool) -> float:
    return round(10 + 3 * row["size"] + (5 if row["plan"] == "a" else 0) + (20 if turned else 0), 4)


@dataclass
class Buyers:
    """Somebody who asks for prices all the time, and tells the true ones late, the newest first."""

    url: str
    key: str
    is_over: bool = False
    failed: list[str] = field(default_factory=list)
    off: list[float] = field(default_factory=list)

    def run(self) -> None:
        rng, number, late = random.Random(7), 0, []
        with Client(self.url, key=self.key, workspace="shop") as client:
            while not self.is_over:
                number += 1
                rows = [row_of(rng) for _ in range(AT_ONCE)]
                try:
                    said = client.predict("prices", rows, request_id=f"p{number}")
                except Exception as reason:
                    self.failed.append(repr(reason))
                    continue
                truths = [price_of(row, turned=True) for row in rows]
                self.off += [abs(one.label - truth) for one, truth in zip(said, truths, strict=True)]
                late += [
                    {"request_id": f"p{number}", "row": at, "label": str(truth)} for at, truth in enumerate(truths)
                ]
                if number % 3 == 0:
                    client.monitoring.send_feedback(endpoint="prices", labels=late[::-1])
                    late = []
                time.sleep(0.25)


def approved(client: Client, admin: Client, snapshot: int) -> int:
    """Let a person approve the version of a snapshot when its checks have ended, and wait until it is in service."""
    release = until(lambda: r if (r := client.lifecycle.get_release(learner="prices")).snapshot >= snapshot else None)
    named: dict[str, Any] = {"model": "prices", "number": release.model_version}
    until(lambda: client.models.get_review(**named).state == "QUARANTINED")
    admin.models.approve(**named)
    until(lambda: release.model_version in client.lifecycle.get_release(learner="prices").released)
    return int(named["number"])


def _learns_prices(client: Client) -> None:
    """Let a learner begin with prices of old, and go to an endpoint that is not there yet."""
    rng = random.Random(2)
    rows = [row_of(rng) for _ in range(600)]
    lines = [f"r{at},{row['size']},{row['plan']},{price_of(row, turned=False)}" for at, row in enumerate(rows)]
    collect(client, "prices", ["id,size,plan,price", *lines])
    split = client.training.create_split(dataset="prices", target="price", key_column="id").id
    until(lambda: client.training.get_split(split=split).state == "READY")
    client.training.create_learner(name="prices", split=split, window=100, params={"learning_rate": 0.05})
    until(lambda: client.training.get_learner(learner="prices").rows >= 360)
    client.lifecycle.set_release(learner="prices", endpoint="prices")


def test_numbers_that_are_fed_back_late_become_a_snapshot_that_a_person_releases(platform: RunningPlatform) -> None:
    key = key_of(platform, "shop", "person")
    with Client(platform.url, key=key, workspace="shop") as client, platform.admin("shop") as admin:
        _learns_prices(client)
        first = _a_newer_snapshot_takes_the_place_of_one_that_waits(client, admin)
        buyers = Buyers(platform.url, key)
        thread = threading.Thread(target=buyers.run)
        thread.start()
        try:
            until(lambda: client.training.get_learner(learner="prices").rows >= 360 + 300)
            client.training.make_snapshot(learner="prices")
            approved(client, admin, 3)
            begun = len(buyers.off)
            until(lambda: len(buyers.off) >= begun + 100)
            rolled_back(client, "prices", first)
        finally:
            buyers.is_over = True
            thread.join()
        assert buyers.failed == []
        assert sum(buyers.off[:60]) / 60 > 15, "the first snapshot knew the prices of old"
        assert sum(buyers.off[begun + 40 : begun + 100]) / 60 < 5, "the new one learned from what was fed back"
        client.training.pause_learner(learner="prices")
        told = client.training.get_learner(learner="prices")
        assert not told.counted.get("duplicate")
        assert told.rows <= 360 + client.lifecycle.get_release(learner="prices").fed_rows


def _a_newer_snapshot_takes_the_place_of_one_that_waits(client: Client, admin: Client) -> int:
    """Make two snapshots, see that a reviewer is asked about the newer one alone, and return the version that he releases."""
    client.training.make_snapshot(learner="prices")
    until(lambda: client.lifecycle.get_release(learner="prices").snapshot == 1)
    old = client.lifecycle.get_release(learner="prices").model_version
    assert old is not None
    until(lambda: client.models.get_review(model="prices", number=old).state == "QUARANTINED")
    client.training.make_snapshot(learner="prices")
    until(lambda: client.lifecycle.get_release(learner="prices").snapshot == 2)
    gone = client.models.get_review(model="prices", number=old)
    assert (gone.state, gone.decided_by) == ("REJECTED", "policy:newest-snapshot")
    assert gone.comment == "snapshot 2 of learner prices took its place"
    number = approved(client, admin, 2)
    assert number > old
    return number
