"""Compression of runs, through the front door of the room, and as a job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sqlalchemy import select

from aimass.cluster import Jobs
from aimass.infra.compute import Cancelled, JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.models import Models, OneVersion, load_model, verify_package
from aimass.training import (
    BlendRuns,
    Compression,
    CompressRun,
    CreateSplit,
    OneRun,
    RegisterRun,
    Run,
    Split,
    StartRun,
    Training,
)
from aimass.training.children.compress import compress
from aimass.training.jobs import compress_done
from aimass.training.tables import runs
from tests.fixtures.rooms import Rooms, person
from tests.training.place import ANN, EVE, Lakeside, ended, split_made

BEN = person("Ben", "training.read", "training.edit", workspace="auto")
ROWS = 900
# it stops after 25 rounds without a warning: no round is better by 10
SETTINGS = {"hidden_layer_sizes": [96], "max_iter": 200, "tol": 10.0, "n_iter_no_change": 25}
LOOSE = {"metric": "accuracy", "max_drop": 0.05, "min_speedup": 0.1}


@pytest.fixture(scope="module")
def digits(lakeside: Lakeside) -> pl.DataFrame:
    pixels, names = load_digits(return_X_y=True)
    frame = pl.DataFrame({f"p{place:02d}": pixels[:ROWS, place] for place in range(pixels.shape[1])})
    found = frame.with_columns(
        pl.Series("digit", [f"d{name}" for name in names[:ROWS]]),
        pl.Series("ink", pixels[:ROWS].sum(axis=1)),
        pl.Series("id", [f"n{place:04d}" for place in range(ROWS)]),
    )
    lakeside.write("digits", found)
    return found


@pytest.fixture(scope="module")
def split(rooms: Rooms, digits: pl.DataFrame) -> Split:
    return split_made(rooms, CreateSplit(workspace="demo", dataset="digits", target="digit", key_column="id", seed=3))


def trained(rooms: Rooms, split: Split, recipe: str, params: Any, **more: Any) -> Run:
    more = {"features": [f"p{place:02d}" for place in range(64)], **more}
    wish = StartRun(workspace="demo", recipe=recipe, split=split.id, folds=2, params=params, **more)
    run = ended(rooms, rooms.get(Training).start_run(ANN, wish))
    assert run.state == "FINISHED", run.error
    return run


@pytest.fixture(scope="module")
def base(rooms: Rooms, split: Split) -> Run:
    return trained(rooms, split, "scikit_learn", {"estimator": "MLP", "settings": SETTINGS}, name="Two layers")


def compressed(rooms: Rooms, base: Run, techniques: list[str] | None, **more: Any) -> tuple[Run, Compression]:
    training = rooms.get(Training)
    wish = CompressRun(workspace="demo", run=base.id, techniques=techniques, **{**LOOSE, **more})
    run = ended(rooms, training.compress_run(ANN, wish))
    return run, training.get_compression(ANN, OneRun(workspace="demo", run=run.id))


@pytest.fixture(scope="module")
def done(rooms: Rooms, base: Run) -> tuple[Run, Compression]:
    """Every technique once, of which one is hopeless."""
    return compressed(rooms, base, None, key="once")


def test_the_best_that_meets_the_policy_becomes_a_run_of_its_own(
    rooms: Rooms, base: Run, done: tuple[Run, Compression]
) -> None:
    run, found = done
    assert (run.state, run.recipe, run.name) == ("FINISHED", "compress", "Two layers compressed"), run.error
    assert base.package is not None
    assert run.package is not None
    (chosen,) = [one for one in found.candidates if one.chosen]
    accepted = [one for one in found.candidates if one.accepted]
    assert chosen.figures is not None
    assert chosen.figures.size == min(one.figures.size for one in accepted if one.figures)
    assert chosen.figures.size < found.baseline.size / 2.5
    assert run.package.size < base.package.size
    assert run.params["base"] == base.id
    assert run.params["technique"] == chosen.technique
    assert run.metrics["accuracy"] == chosen.figures.score
    assert found.baseline.score == base.metrics["accuracy"]
    assert (found.base, found.batch) == (base.id, 256)
    by_name = {one.technique: one for one in found.candidates}
    assert len(by_name) == 9
    assert (by_name["int8_weights"].ratio or 0) > 2.5
    assert by_name["float16_weights"].drop == pytest.approx(0, abs=0.01)
    hopeless = by_name["low_rank"]
    assert not hopeless.accepted
    assert hopeless.reasons[0].startswith("accuracy drops by")
    assert all((one.encoded_ratio or 0) > one.ratio / 2 for one in found.candidates if one.ratio)


def test_its_package_serves_and_answers_as_it_was_judged(
    rooms: Rooms, digits: pl.DataFrame, done: tuple[Run, Compression]
) -> None:
    run, _ = done
    assert run.package is not None
    package = verify_package(rooms.get(Models).package_folder(run.package.digest))
    samples = package.samples()
    said = load_model(package).predict(samples["inputs"])
    assert np.allclose(said["probabilities"], samples["outputs"]["probabilities"], atol=1e-5)
    assert said["label"].tolist() == samples["outputs"]["label"]
    training = rooms.get(Training)
    report = training.get_run_report(ANN, OneRun(workspace="demo", run=run.id))
    assert sum(map(sum, report["curves"]["confusion"])) == report["rows"]["validation"]
    names = [one.name for one in training.list_artifacts(ANN, OneRun(workspace="demo", run=run.id))]
    assert "compression.json" in names
    with rooms.get(Database).read() as conn:
        sampled = conn.execute(select(runs.c.sampled).where(runs.c.id == run.id)).scalar()
    assert sampled
    assert set(sampled) <= set(digits["id"])


def test_it_is_registered_and_reviewed_like_any_run(rooms: Rooms, done: tuple[Run, Compression]) -> None:
    run, _ = done
    training, models = rooms.get(Training), rooms.get(Models)
    version = training.register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="digits"))
    one = OneVersion(workspace="demo", model="digits", number=version.number)
    models.submit_review(ANN, one)
    review = rooms.until(lambda: (found := models.get_review(ANN, one)).checked_at and found)
    assert [check.name for check in review.checks if check.passed is False] == []
    text = "\n".join(section.text for section in models.get_card(ANN, one).sections)
    assert f"| technique | {run.params['technique']} |" in text
    assert f"| base | {run.params['base']} |" in text


def test_where_it_came_from_is_kept(rooms: Rooms, base: Run, split: Split, done: tuple[Run, Compression]) -> None:
    run, _ = done
    with rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges).where(lineage_edges.c.dst_id == run.id)).all()
        deeds = [row.action for row in conn.execute(select(audit_log)) if row.object == f"run:{run.id}"]
        events = [row.type for row in conn.execute(select(events_log)) if row.subject == f"run:{run.id}"]
    assert {(edge.src_kind, edge.src_id) for edge in edges} == {
        ("run", base.id),
        ("split", split.id),
        ("dataset_version", "demo/digits/1"),
    }
    assert deeds[0] == "training.run.compress"
    assert events[0] == "training.run.created"
    assert events[-1] == "training.run.finished"


def test_asked_twice_with_one_key_it_happens_once_and_taking_over_twice_changes_nothing(
    rooms: Rooms, training: Training, base: Run, done: tuple[Run, Compression]
) -> None:
    run, _ = done
    assert training.compress_run(ANN, CompressRun(workspace="demo", run=base.id, key="once")).id == run.id
    compress_done(rooms.registry, rooms.get(Jobs).job("demo", str(run.job)))
    assert training.run("demo", run.id) == run


def test_without_a_model_that_meets_the_policy_the_run_fails_and_shows_its_figures(rooms: Rooms, base: Run) -> None:
    run, found = compressed(rooms, base, ["int8_weights", "float16_weights"], min_speedup=50.0, max_bytes=100)
    assert run.error is not None
    assert (run.state, run.error["code"], run.package) == ("FAILED", "policy_not_met", None)
    assert [one.accepted for one in found.candidates] == [False, False]
    speed, size = found.candidates[0].reasons
    assert "x as fast as its base for a row; the policy wants 50x" in speed
    assert size.endswith("bytes; the policy allows 100")
    with pytest.raises(Conflict, match="has no package"):
        rooms.get(Training).register_run(ANN, RegisterRun(workspace="demo", run=run.id, model="digits"))
    compress_done(rooms.registry, rooms.get(Jobs).job("demo", str(run.job)))
    assert rooms.get(Training).run("demo", run.id) == run


@pytest.mark.long
def test_trees_and_python_packages_are_told_why_and_may_be_distilled(rooms: Rooms, split: Split) -> None:
    student = "distill:recipe=scikit_learn,estimator=GaussianNB,copies=3"
    few = {"features": ["p20", "p21", "p28", "p36", "p42"]}
    trees = trained(rooms, split, "lightgbm", {"trees": 3}, **few)
    run, found = compressed(rooms, trees, ["int8_static", "prune", student], max_drop=0.9, min_speedup=0.0)
    assert "no MatMul, Gemm or Conv" in found.candidates[0].reasons[0]
    assert found.candidates[1].figures is None
    assert found.candidates[2].alone is not None
    assert run.state == ("FINISHED" if found.candidates[2].accepted else "FAILED")
    python = trained(rooms, split, "hist_gradient_boosting", {"trees": 2}, **few)
    with pytest.raises(Invalid, match="change an ONNX file") as refused:
        compressed(rooms, python, ["int8_static"])
    assert refused.value.field == "techniques"
    _, found = compressed(rooms, python, ["int8_static", student], max_drop=0.9, min_speedup=0.0)
    assert "runs as python" in found.candidates[0].reasons[0]
    assert found.candidates[1].figures is not None


@pytest.mark.long
def test_numbers_are_compressed_and_lose_a_share_of_their_error(rooms: Rooms, digits: pl.DataFrame) -> None:
    wish = CreateSplit(workspace="demo", dataset="digits", target="ink", key_column="id", seed=3)
    split = split_made(rooms, wish)
    base = trained(rooms, split, "scikit_learn", {"estimator": "MLP", "settings": SETTINGS})
    run, found = compressed(rooms, base, ["float16_weights", "prune:sparsity=0.95"], metric="rmse", max_drop=0.01)
    assert (run.state, run.task) == ("FINISHED", "regression"), run.error
    kept, gone = found.candidates
    assert kept.chosen
    assert abs(kept.drop or 0) < 0.01
    assert (gone.drop or 0) > 0.01
    assert found.baseline.score == pytest.approx(base.metrics["rmse"])


def test_what_cannot_be_compressed_is_refused_at_once(
    rooms: Rooms, training: Training, base: Run, done: tuple[Run, Compression]
) -> None:
    wish = CompressRun(workspace="demo", run=base.id)
    for changes, field in (
        ({"techniques": ["magic"]}, "techniques"),
        ({"techniques": ["channels:share=0.3"]}, "techniques"),
        ({"techniques": ["distill:recipe=alchemy"]}, "recipe"),
        ({"techniques": ["distill:recipe=linear_regression"]}, "recipe"),
        ({"techniques": ["distill:recipe=lightgbm,trees=0"]}, "params.trees"),
        ({"metric": "rmse"}, "metric"),
        ({"metric": "cv_roc_auc"}, "metric"),
        ({"experiment": "Not a slug"}, "experiment"),
    ):
        with pytest.raises(Invalid) as refused:
            training.compress_run(ANN, replace(wish, **changes))
        assert refused.value.field == field
    with pytest.raises(NotFound):
        training.get_compression(ANN, OneRun(workspace="demo", run=base.id))
    with pytest.raises(Invalid, match="is a compressed one"):
        training.blend_runs(ANN, BlendRuns(workspace="demo", runs=[base.id, done[0].id]))


def test_who_may_what(training: Training, base: Run, done: tuple[Run, Compression]) -> None:
    wish = CompressRun(workspace="demo", run=base.id)
    with pytest.raises(Forbidden, match=r"training\.edit"):
        training.compress_run(EVE, wish)
    assert training.get_compression(EVE, OneRun(workspace="demo", run=done[0].id)).run == done[0].id
    with pytest.raises(NotFound):
        training.compress_run(BEN, wish)
    with pytest.raises(NotFound):
        training.compress_run(BEN, replace(wish, workspace="auto"))
    with pytest.raises(NotFound):
        training.get_compression(BEN, OneRun(workspace="auto", run=done[0].id))


def test_a_run_that_has_not_finished_is_refused_and_it_can_be_cancelled(
    rooms: Rooms, training: Training, base: Run
) -> None:
    student = "distill:recipe=random_forest,trees=3000"
    run = training.compress_run(ANN, CompressRun(workspace="demo", run=base.id, techniques=[student]))
    with pytest.raises(Conflict, match=f"run '{run.id}' is"):
        training.compress_run(ANN, CompressRun(workspace="demo", run=run.id))
    training.cancel_run(ANN, OneRun(workspace="demo", run=run.id))
    assert ended(rooms, run).state == "KILLED"


@pytest.fixture
def payload(rooms: Rooms, done: tuple[Run, Compression]) -> dict[str, Any]:
    """What a job of a compression is told."""
    run, _ = done
    return {**rooms.get(Jobs).job("demo", str(run.job)).payload, "techniques": ["int8_static", "cluster"]}


@pytest.mark.long
def test_kill_9_of_the_job_leaves_nothing_half_done(payload: dict[str, Any], make_job: Callable[..., Any]) -> None:
    job = make_job(payload)
    directory = JobDirectory(job.out.parent)
    code = (
        "import sys; from pathlib import Path; from aimass.infra.compute import JobContext;"
        "from aimass.infra.compute.directory import JobDirectory; from aimass.training.children.compress import compress;"
        "d = JobDirectory(Path(sys.argv[1])); compress(JobContext(d, d.take()))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(directory.path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(job.work.glob("candidate-*/package")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert list(job.work.glob("candidate-*"))
    again = JobContext(directory, directory.take())
    told = compress(again)
    found = json.loads((again.out / "compression.json").read_bytes())
    assert [one["technique"] for one in found["candidates"]] == ["int8_static", "cluster"]
    assert verify_package(again.out / "package").digest == told["package"]["digest"]


def test_a_cancelled_job_stops_between_techniques(payload: dict[str, Any], make_job: Callable[..., Any]) -> None:
    job = make_job(payload)
    (job.out.parent / "cancel").touch()
    with pytest.raises(Cancelled):
        compress(job)
    assert not (job.out / "compression.json").exists()


def test_a_model_that_reads_other_columns_than_its_data_is_refused(
    payload: dict[str, Any], make_job: Callable[..., Any]
) -> None:
    with pytest.raises(Invalid, match="reads other columns"):
        compress(make_job({**payload, "features": ["p00", "p01"]}))
    with pytest.raises(Invalid, match="no score 'elegance'"):
        compress(make_job({**payload, "policy": {**payload["policy"], "metric": "elegance"}}))
