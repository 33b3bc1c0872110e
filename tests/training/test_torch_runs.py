"""Runs of nets: on images of digits, killed and resumed, with a torn checkpoint, cancelled, and without a finite loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.compute import Cancelled, JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models import verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.errors import NotFinite
from aimass.training.recipes.deep import loop
from tests.fixtures.deep import needs_torch
from tests.fixtures.digits import digits
from tests.training.test_tensors import Make, job_of

pytestmark = [needs_torch]
QUICK = {"epochs": 4, "filters": 8, "units": 32, "learning_rate": 0.01}


@pytest.fixture
def job(make_job: Make, tmp_path: Path) -> Any:
    return job_of(make_job, tmp_path / "lake", digits(500, 5), recipe="torch_cnn", params=QUICK)


@pytest.fixture
def each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a checkpoint after each step, however short it was."""
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)


def report_of(job: Any) -> dict[str, Any]:
    """Return a report without what a clock and the machine say."""
    found = json.loads((job.out / "report.json").read_text())
    for name in ("row_us", "fit_s", "training_s", "cpu_s", "peak_memory_mb"):
        del found["metrics"][name]
    del found["system"]
    return found


def test_digits_are_learned_and_the_same_run_gives_the_same_bytes(job: Any, make_job: Make) -> None:
    found = fit(job)
    assert found["package"]["runtime"] == "onnx", found["package"]["why_python"]
    assert found["metrics"]["accuracy"] > 0.93
    assert [step for step, _ in report_of(job)["history"]["watched_loss"]] == [1, 2, 3, 4]
    again = make_job(job.params)
    assert fit(again)["package"]["digest"] == found["package"]["digest"]
    assert report_of(again) == report_of(job)
    judged = evaluate(make_job({**job.params, "package": str(job.out / "package"), "part": "test"}))
    assert judged["metrics"]["accuracy"] > 0.93
    assert [one["column"] for one in json.loads((job.out / "report.json").read_text())["importance"] or []] == []


class Stopped(Exception):
    """The end of an attempt in the middle of an epoch."""


class Stopping(JobContext):
    """Ends at the report of an epoch."""

    at: tuple[str, int] = ("", 0)

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        """Count epochs by stage."""
        if "train_loss" in metrics:
            self.seen = getattr(self, "seen", [])
            self.seen.append(stage)
            if (stage, self.seen.count(stage)) == self.at:
                raise Stopped
        super().report(fraction, stage, **metrics)


@pytest.mark.usefixtures("each_epoch")
@pytest.mark.parametrize("torn", [False, True])
def test_an_attempt_that_ended_goes_on_behind_its_last_whole_checkpoint(
    job: Any, make_job: Make, *, torn: bool
) -> None:
    directory = JobDirectory(job.out.parent)
    first = Stopping(directory, job.attempt)
    first.at = ("fit", 4)
    with pytest.raises(Stopped):
        fit(first)
    kept = sorted(directory.checkpoints.glob("epochs-fit.*.bin"))
    assert len(kept) == 2
    if torn:
        kept[-1].write_bytes(kept[-1].read_bytes()[:100])
    second = Stopping(directory, directory.take())
    begun: list[tuple[int, int]] = []
    whole = loop._Learning._epoch

    def epoch(learning: Any) -> None:
        last = -(-len(learning.inside) // learning.plan.batch_rows) - 1
        begun.append((learning.progress.epoch, last - learning.progress.step))
        whole(learning)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop._Learning, "_epoch", epoch)
        fit(second)
    assert begun == [(3, 1 if torn else 0)]  # in the last epoch, a step or two before its end
    undisturbed = make_job(job.params)
    fit(undisturbed)
    assert report_of(second) == report_of(undisturbed)
    assert verify_package(second.out / "package").digest == verify_package(undisturbed.out / "package").digest


def test_kill_9_loses_at_most_one_epoch_and_ends_with_the_metrics_of_an_undisturbed_run(
    job: Any, make_job: Make
) -> None:
    job.params["params"] = {**QUICK, "epochs": 6}
    again = make_job(job.params)
    code = (
        "import sys; from pathlib import Path; from aimass.infra.compute import JobContext;"
        "from aimass.infra.compute.directory import JobDirectory; from aimass.training.children.fit import fit;"
        "from aimass.training.recipes.deep import loop; loop.SAVED_EVERY_S = 0.0;"
        "d = JobDirectory(Path(sys.argv[1])); fit(JobContext(d, d.take()))"
    )
    directory = JobDirectory(again.out.parent)
    child = subprocess.Popen([sys.executable, "-c", code, str(directory.path)])
    deadline = time.monotonic() + 90
    while directory.restore("epochs-fold-2") is None and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    fit(JobContext(directory, directory.take()))
    fit(job)
    assert report_of(again) == report_of(job)


def test_a_loss_that_is_no_number_ends_the_run_with_the_way_out(job: Any) -> None:
    job.params["params"] = {**QUICK, "learning_rate": 1.0, "weight_decay": 0.0, "batch_norm": False}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "rate_at", lambda *_: 1e30)
        with pytest.raises(NotFinite, match="_loss became nan at step") as ended:
            fit(job)
    assert "lower the learning rate" in ended.value.hint


def test_a_run_is_cancelled_between_two_epochs(job: Any) -> None:
    directory = JobDirectory(job.out.parent)

    class Cancelling(JobContext):
        def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
            if "train_loss" in metrics:
                (directory.path / "cancel").touch()
            super().report(fraction, stage, **metrics)

    with pytest.raises(Cancelled):
        fit(Cancelling(directory, job.attempt))
    assert not (job.out / "package").exists()
