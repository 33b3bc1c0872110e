"""Learners through the front door of the room: rows arrive, are learned once each, and become snapshots."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from aimass.infra.blobs import Blobs
from aimass.infra.database import Database, events_log, lineage_edges
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.models import Models
from aimass.training import (
    CreateLearner,
    CreateSplit,
    EvaluateRun,
    Learner,
    ListLearners,
    OneLearner,
    OneRun,
    RegisterRun,
    RollBackLearner,
    Training,
    UpdateLearner,
)
from aimass.training.children.forgetting import hash_of
from aimass.training.jobs import follow_learners
from aimass.training.keeping import blobs
from aimass.training.learnstore import learner_row
from aimass.training.search import document
from aimass.training.tables import runs
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, EVE, Lakeside, split_made

ROWS = 400


def rows_of(start: int, count: int, *, turned: bool = False) -> pl.DataFrame:
    """Make rows whose label a line tells; turned, it tells the opposite."""
    rng = np.random.default_rng(start)
    size, kind = rng.normal(0, 1, count), rng.choice(["a", "b"], count)
    score = size + (kind == "a") + rng.normal(0, 0.3, count)
    label = np.where((score > 0.5) != turned, "yes", "no")
    names = [f"r{start + n}" for n in range(count)]
    return pl.DataFrame({"id": names, "size": size, "kind": kind.tolist(), "label": label.tolist()})


def learned(rooms: Rooms, slug: str, rows: int | None = None, snapshots: int = 0) -> Learner:
    """Let a learner go on until it has nothing to do, and has learned so many rows."""
    training, one = rooms.get(Training), OneLearner(workspace="demo", learner=slug)

    def look() -> Learner | bool:
        follow_learners(rooms.registry)
        found = training.get_learner(ANN, one)
        is_far = rows is None or found.rows >= rows
        return ((is_far and not found.is_at_work and found.snapshots >= snapshots) or found.state == "FAILED") and found

    return rooms.until(look)


def begun(rooms: Rooms, lakeside: Lakeside, slug: str, **more: Any) -> Learner:
    lakeside.write(slug, rows_of(0, ROWS))
    wish = CreateSplit(workspace="demo", dataset=slug, target="label", key_column="id", seed=1)
    split = split_made(rooms, wish)
    command = CreateLearner(workspace="demo", name=slug, slug=slug, split=split.id, window=100, **more)
    return rooms.get(Training).create_learner(ANN, command)


@pytest.fixture(scope="module")
def live(rooms: Rooms, lakeside: Lakeside) -> Learner:
    """A learner that learned the training part, and then rows of two more versions."""
    begun(rooms, lakeside, "live")
    first = learned(rooms, "live", 1)
    assert first.error is None
    assert first.rows == first.counted.get("judging", 0) + 240
    lakeside.write("live", rows_of(1000, 100))
    lakeside.write("live", rows_of(2000, 100))
    return learned(rooms, "live", 440)


def test_it_learns_the_training_part_and_then_what_arrives(rooms: Rooms, live: Learner) -> None:
    assert (live.rows, live.done_version, live.state) == (440, 3, "ACTIVE")
    assert live.metrics["accuracy"] > 0.85 > live.metrics["majority"]
    assert live.classes == ("no", "yes")
    series = rooms.get(Training).get_learner_series(EVE, OneLearner(workspace="demo", learner="live"))
    assert [point.rows for point in series] == list(range(20, 441, 20))


def test_a_snapshot_is_a_run_that_is_evaluated_and_registered(rooms: Rooms, training: Training, live: Learner) -> None:
    one = OneLearner(workspace="demo", learner="live")
    training.make_snapshot(ANN, one)
    found = learned(rooms, "live", snapshots=1)
    assert (found.snapshots, found.rows) == (1, live.rows)
    snapshot = training.list_snapshots(EVE, one)[0]
    run = training.get_run(ANN, OneRun(workspace="demo", run=snapshot.run))
    assert (run.state, run.recipe, run.params["rows"]) == ("FINISHED", "learner", 440)
    assert run.package is not None
    assert run.package.runtime == "onnx"
    training.evaluate_run(ANN, EvaluateRun(workspace="demo", run=run.id, part="test"))
    wish = EvaluateRun(workspace="demo", run=run.id, part="test")
    judged = rooms.until(lambda: (e := training.get_evaluation(ANN, wish)).state != "PENDING" and e)
    assert judged.metrics["roc_auc"] > 0.9
    version = training.register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="live"))
    assert version.number == 1
    assert rooms.get(Models).package_manifest(run.package.digest).signature.classes == ("no", "yes")


def test_odd_rows_are_counted_with_their_reason_and_judging_ones_are_never_learned(
    rooms: Rooms, lakeside: Lakeside, training: Training, live: Learner
) -> None:
    odd = rows_of(5000, 6).with_columns(
        pl.Series("size", [1.0, None, float("inf"), 1e300, None, 0.0]),
        pl.Series("kind", ["a", "b", "a", "never met", None, "a"]),
        pl.Series("label", ["yes", None, "yes", "maybe", "yes", "no"]),
    )
    lakeside.write("live", pl.concat([rows_of(0, ROWS), rows_of(2000, 10), odd]))
    found = learned(rooms, "live", live.rows + 4)
    assert found.rows == live.rows + 4
    assert found.classes == ("maybe", "no", "yes")
    assert any("'maybe' is new" in note for note in found.notes)
    names = ("unlabelled", "empty", "extreme", "unseen_category", "missing", "judging", "duplicate")
    told = {name: found.counted[name] for name in names}
    assert told == {
        "unlabelled": 1,
        "empty": 1,
        "extreme": 2,
        "unseen_category": 1,
        "missing": 2,
        "judging": 160,
        "duplicate": 240 + 10,
    }


def test_what_it_did_is_in_events_and_lineage_and_it_is_found(rooms: Rooms, live: Learner) -> None:
    with rooms.get(Database).read() as conn:
        told = list(conn.execute(select(events_log.c.type).where(events_log.c.subject == "learner:live")).scalars())
        edges = conn.execute(select(lineage_edges).where(lineage_edges.c.dst_id == "live")).all()
    assert told[0] == "training.learner.created"
    assert "training.snapshot.created" in told
    assert {edge.src_kind for edge in edges} == {"split", "dataset_version"}
    found = document(rooms.registry, "demo", "learner:live")
    assert found is not None
    assert found.href == "/demo/work/learners/live"
    assert document(rooms.registry, "demo", "learner:nowhere") is None
    known = {one.sha256 for one in blobs(rooms.registry) if one.what == "what learners know"}
    assert known
    assert all(rooms.get(Blobs).exists(sha256) for sha256 in known)


def test_what_a_learner_knows_is_read_only_as_it_was_written(
    rooms: Rooms, lakeside: Lakeside, training: Training, live: Learner
) -> None:
    one = OneLearner(workspace="demo", learner="live")
    before = learned(rooms, "live")
    with rooms.get(Database).read() as conn:
        path = rooms.get(Blobs).path(learner_row(conn, "demo", "live").sha256)
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole.replace(b"river", b"rover"))
    lakeside.write("live", rows_of(8000, 20))
    found = learned(rooms, "live", before.rows + 1)
    assert found.state == "FAILED"
    assert found.error is not None
    assert "has changed since it was written" in found.error["detail"]
    assert found.rows == before.rows
    path.write_bytes(whole)
    training.resume_learner(ANN, one)
    assert learned(rooms, "live", before.rows + 20).rows == before.rows + 20


def test_what_makes_no_learner_is_refused(rooms: Rooms, training: Training, live: Learner) -> None:
    wish = CreateLearner(workspace="demo", name="Live", split=live.split)
    with pytest.raises(Conflict, match="slug 'live' is taken"):
        training.create_learner(ANN, wish)
    with pytest.raises(Invalid, match="no column 'when'"):
        training.create_learner(ANN, replace(wish, name="other", time_column="when"))
    with pytest.raises(NotFound, match="no split"):
        training.create_learner(ANN, replace(wish, name="other", split="nowhere"))
    with pytest.raises(Conflict, match="is ACTIVE"):
        training.delete_learner(ANN, OneLearner(workspace="demo", learner="live"))
    with pytest.raises(Conflict, match="is ACTIVE"):
        training.roll_back_learner(ANN, RollBackLearner(workspace="demo", learner="live", snapshot=1))
    with pytest.raises(Stale):
        training.update_learner(ANN, UpdateLearner(workspace="demo", learner="live", expected_version=1))
    assert [one.slug for one in training.list_learners(EVE, ListLearners(workspace="demo", state="FAILED")).items] == []


def test_an_erasure_takes_a_person_out_of_the_name_of_a_learner(
    rooms: Rooms, training: Training, live: Learner
) -> None:
    wish = CreateLearner(workspace="demo", name="for erika@example.org", slug="hers", split=live.split)
    one = OneLearner(workspace="demo", learner=training.create_learner(ANN, wish).slug)
    training.pause_learner(ANN, one)
    training.erase_person(Person(erasure="e1", values=("erika@example.org",), workspace="demo"))
    assert "erika" not in training.get_learner(ANN, one).name


def test_an_erasure_takes_a_persons_rows_out_of_what_learners_keep(
    rooms: Rooms, lakeside: Lakeside, training: Training, live: Learner
) -> None:
    one = OneLearner(workspace="demo", learner="live")
    before = learned(rooms, "live")
    training.make_snapshot(ANN, one)
    learned(rooms, "live", snapshots=before.snapshots + 1)
    run = training.list_snapshots(EVE, one)[0].run
    asked = OneRun(workspace="demo", run=run)
    _, window = training.artifact("demo", run, "window.parquet")
    known = {one.sha256 for one in blobs(rooms.registry) if one.what == "what learners know"}
    with rooms.get(Database).read() as conn:
        sampled = set(conn.execute(select(runs.c.sampled).where(runs.c.id == run)).scalar_one())
    whose = min(sampled)
    assert any(whose.encode() in rooms.get(Blobs).path(sha256).read_bytes() for sha256 in known)
    assert hash_of(whose) in pl.read_parquet(window)["whose"].to_list()
    found = {
        told.what: told.count for told in training.erase_person(Person(erasure="e2", values=(whose,), workspace="demo"))
    }
    assert (
        found["rows that learners keep"] >= 3
    )  # of the learner, of its snapshot, and of the rows that it is judged on
    assert found["samples of models"] == 1
    now = {one.sha256 for one in blobs(rooms.registry) if one.what == "what learners know"}
    assert not any(whose.encode() in rooms.get(Blobs).path(sha256).read_bytes() for sha256 in now)
    assert not [sha256 for sha256 in known - now if rooms.get(Blobs).exists(sha256)]
    _, window = training.artifact("demo", run, "window.parquet")
    assert hash_of(whose) not in pl.read_parquet(window)["whose"].to_list()
    assert training.get_run(ANN, asked).state == "FINISHED"
    lakeside.write("live", rows_of(12_000, 20))
    assert learned(rooms, "live", before.rows + 20).error is None


def test_a_learner_begins_with_what_another_one_knows_and_is_right_at_once(
    rooms: Rooms, lakeside: Lakeside, training: Training, live: Learner
) -> None:
    before = learned(rooms, "live")
    lakeside.write("niche", rows_of(20_000, 40))
    wish = CreateSplit(workspace="demo", dataset="niche", target="label", key_column="id", seed=1)
    split = split_made(rooms, wish)
    command = CreateLearner(workspace="demo", name="niche", split=split.id, window=100, replay=20, start_from="live")
    found = training.create_learner(ANN, replace(command, transfer="weighted"))
    assert (found.start_from, found.start_snapshot, found.transfer) == ("live", None, "weighted")
    assert (found.model, found.replay_times, found.rows) == ("logistic_regression", 4, 0)
    found = learned(rooms, "niche", 1)
    assert found.error is None
    assert found.rows < 40
    assert found.metrics["accuracy"] > 0.7, "it knew from the first row on"
    assert f"it began with what 'live' knew after {before.rows} rows" in found.notes
    assert any("keeps were learned again, as often as they are likely here: worth" in note for note in found.notes)
    with rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges).where(lineage_edges.c.dst_id == "niche")).all()
    assert ("learner", "live") in {(edge.src_kind, edge.src_id) for edge in edges}
    assert learned(rooms, "live").rows == before.rows


def test_what_a_learner_cannot_begin_with_is_refused_by_name(
    rooms: Rooms, lakeside: Lakeside, training: Training, live: Learner
) -> None:
    lakeside.write("odd", rows_of(21_000, 40))
    wish = CreateSplit(workspace="demo", dataset="odd", target="label", key_column="id", seed=1)
    other = CreateLearner(workspace="demo", name="other", split=split_made(rooms, wish).id, start_from=live.slug)
    with pytest.raises(NotFound, match="no learner 'nobody'"):
        training.create_learner(ANN, replace(other, start_from="nobody"))
    with pytest.raises(Invalid, match="knew at snapshot 99 is not kept"):
        training.create_learner(ANN, replace(other, start_snapshot=99))
    with pytest.raises(Invalid, match="has its model"):
        training.create_learner(ANN, replace(other, model="naive_bayes"))
    with pytest.raises(Invalid, match="has its parameters"):
        training.create_learner(ANN, replace(other, params={"l2": 0.5}))
    with pytest.raises(Invalid, match="no learner is named"):
        training.create_learner(ANN, replace(other, start_from=None, transfer="weighted"))
    again = split_made(rooms, replace(wish, dataset="live", seed=2))
    with pytest.raises(Invalid, match="may know the rows that judge here"):
        training.create_learner(ANN, replace(other, split=again.id))


@pytest.mark.long
def test_a_killed_job_loses_no_row_and_learns_none_twice(rooms: Rooms, lakeside: Lakeside) -> None:
    begun(rooms, lakeside, "killed", model="hoeffding_adaptive_tree", replay=50)
    begun(rooms, lakeside, "calm", model="hoeffding_adaptive_tree", replay=50)
    more = rows_of(10_000, 12_000)
    for slug in ("killed", "calm"):
        learned(rooms, slug, 240)
        lakeside.write(slug, more)
    follow_learners(rooms.registry)
    killed = 0

    def kill() -> bool:
        nonlocal killed
        for path in (rooms.folder / "jobs").glob("*/checkpoints"):
            if any(path.iterdir()) and killed < 2:
                killed += _kill_child(path.parent)
        return killed >= 1

    rooms.until(kill)
    found, calm = learned(rooms, "killed", 12_240), learned(rooms, "calm", 12_240)
    assert found.rows == calm.rows == 12_240
    assert found.metrics == calm.metrics
    assert found.drifts == calm.drifts
    assert not found.counted.get("duplicate")


def _kill_child(folder: Path) -> int:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if folder.name.encode() in file.read_bytes() and int(file.parent.name) != os.getpid():
                os.kill(int(file.parent.name), signal.SIGKILL)
                return 1
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return 0


def decisions_of(start: int, count: int) -> pl.DataFrame:
    """Make decisions that were drawn; a call is worth a row's size, a mail nothing."""
    rng = np.random.default_rng(start)
    size, is_call = rng.normal(0, 1, count), rng.random(count) < 0.5
    won = np.where(is_call, size, 0.0) + rng.normal(0, 0.2, count)
    done = np.where(is_call, "call", "mail").tolist()
    names = [f"d{start + n}" for n in range(count)]
    return pl.DataFrame({"id": names, "size": size, "done": done, "chance": [0.5] * count, "won": won})


def test_a_learner_of_decisions_learns_what_came_of_each_and_its_snapshot_is_a_policy(
    rooms: Rooms, lakeside: Lakeside, training: Training
) -> None:
    lakeside.write("calls", decisions_of(0, ROWS))
    wish = CreateSplit(
        workspace="demo", dataset="calls", target="won", task="policy", key_column="id", action_column="done", seed=1
    )
    blind = split_made(rooms, wish)
    with pytest.raises(Invalid, match="needs the chance that each action had"):
        training.create_learner(ANN, CreateLearner(workspace="demo", name="blind", split=blind.id))
    split = split_made(rooms, replace(wish, propensity_column="chance"))
    assert (split.action_column, split.propensity_column) == ("done", "chance")
    command = CreateLearner(workspace="demo", name="calls", split=split.id, window=200)
    assert training.create_learner(ANN, command).model == "lin_ucb"
    learned(rooms, "calls", 240)
    lakeside.write("calls", decisions_of(1000, 100))
    learned(rooms, "calls", 340)
    one = OneLearner(workspace="demo", learner="calls")
    training.make_snapshot(ANN, one)
    found = learned(rooms, "calls", snapshots=1)
    assert found.error is None
    assert (found.rows, found.classes) == (340, ("call", "mail"))
    assert found.metrics["dr"] > found.metrics["logged"] + 0.2
    run = training.get_run(ANN, OneRun(workspace="demo", run=training.list_snapshots(ANN, one)[0].run))
    assert run.package is not None
    assert run.package.runtime == "onnx"
    judged = EvaluateRun(workspace="demo", run=run.id, part="test")
    training.evaluate_run(ANN, judged)
    told = rooms.until(lambda: (e := training.get_evaluation(ANN, judged)).state != "PENDING" and e)
    assert told.metrics["lift"] > 0.2
