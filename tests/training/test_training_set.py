"""A model learns from a training set that feature views made; the lineage leads from the raw tables to the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from aimass.access.capability import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.infra.database import Database, lineage_edges
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.lake.features import TrainingSet
from aimass.models import CAPABILITY as MODELS
from aimass.training import CAPABILITY, CreateSplit, OneRun, OneSplit, StartRun, Training
from tests.fixtures.data import Data
from tests.fixtures.features import TYPES, built, declare
from tests.fixtures.rooms import Rooms

CUSTOMERS = 120


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    found = Rooms(tmp_path, [ACCESS, CLUSTER, LAKE, COLLECTOR, MODELS, CAPABILITY]).start()
    yield found
    found.close()


def _training_set(data: Data) -> TrainingSet:
    people = range(CUSTOMERS)
    visits = "".join(f"{n},2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,{n % 7},{'gold' if n % 3 else 'basic'}\n" for n in people)  # fmt: skip
    data.collect(f"customer,at,noted,visits,plan\n{visits}", "Visits", types=TYPES)
    spine = "".join(f"{n},2026-02-01T00:00:00Z,{'yes' if n % 7 > 3 or n % 11 == 0 else 'no'}\n" for n in people)
    data.collect(f"customer,at,churn\n{spine}", "Churn", types=TYPES)
    declare(data)
    return built(data, label="churn")


def _above(rooms: Rooms, node: tuple[str, str]) -> set[tuple[str, str]]:
    """Return everything that the lineage leads back to."""
    with rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges)).all()
    seen, next_ = set[tuple[str, str]](), {node}
    while next_:
        seen |= next_
        next_ = {(e.src_kind, e.src_id) for e in edges if (e.dst_kind, e.dst_id) in next_} - seen
    return seen


def test_a_run_learns_from_a_training_set_with_its_lineage(rooms: Rooms) -> None:
    training, made = rooms.get(Training), _training_set(Data(rooms))
    wish = CreateSplit(workspace="demo", dataset="training", target="churn", key_column="customer", seed=7)
    one = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    split = rooms.until(lambda: (s := training.get_split(SYSTEM, one)).state != "PENDING" and s)
    assert (split.state, split.dataset_version) == ("READY", made.number)
    order = StartRun(workspace="demo", recipe="logistic_regression", split=split.id, folds=2, features=["visits", "plan"])  # fmt: skip
    name = OneRun(workspace="demo", run=training.start_run(SYSTEM, order).id)
    run = rooms.until(lambda: (r := training.get_run(SYSTEM, name)).ended_at and r)
    assert run.state == "FINISHED", run.error
    seen = _above(rooms, ("run", run.id))
    assert {("feature_view", "customer-visits"), *(("dataset_version", s.version_id) for s in made.sources)} <= seen
    assert {kind for kind, _ in seen} >= {"run", "split", "dataset_version", "collection", "feature_view"}
