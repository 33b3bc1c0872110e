from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from aimass.infra.compute import JobHandle, JobSpec, JobState, ProcessCompute, child_environment
from aimass.kernel.errors import Conflict, Unavailable

JOBS = Path(__file__).parent / "jobs"
SECRETS = {"AIMASS_SECRET_KEY": "s3cret", "AWS_SECRET_ACCESS_KEY": "s3cret", "DATABASE_URL": "postgres://u:s3cret@h/d"}


def environment() -> dict[str, str]:
    return {**child_environment({**os.environ, **SECRETS}), "PYTHONPATH": str(JOBS)}


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[ProcessCompute]:
    compute = ProcessCompute(tmp_path / "jobs", environment=environment(), nice=0)
    yield compute
    compute.close()


def spec(function: str, id_: str = "job", limits: dict[str, Any] | None = None, **params: Any) -> JobSpec:
    return JobSpec(id=id_, run=f"faulty_jobs:{function}", params=params, **(limits or {}))


def until(condition: Callable[[], Any], timeout_s: float = 30) -> Any:
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return value


def finished(compute: ProcessCompute, handle: JobHandle) -> JobState:
    until(lambda: compute.poll(handle).state != "running")
    return compute.poll(handle)


def of_job(root: Path) -> list[psutil.Process]:
    """Return the live processes that carry the mark of a job below the root."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get("AIMASS_JOB", "")
            if mark.startswith(str(root)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def worker_of(root: Path) -> psutil.Process:
    """Return the process that runs the job: the first child of the guard."""
    guard = next(
        p for p in of_job(root) if "aimass.infra.compute.child" in p.cmdline() and p.parent() not in of_job(root)
    )
    return until(guard.children)[0]


def test_kill_at_random_points_repeats_no_committed_step(compute: ProcessCompute, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for round_ in range(4):
        work = spec("steps", f"job-{round_}", steps=100)
        handle = compute.submit(work)
        until(lambda handle=handle: compute.events(handle.job)[0])
        time.sleep(moments.uniform(0, 0.2))
        worker_of(tmp_path / "jobs" / work.id).kill()
        assert finished(compute, handle).state == "killed"
        state = finished(compute, compute.submit(work))
        assert state.result == {"steps": 100}
        steps = [int(line) for line in (tmp_path / "jobs" / work.id / "out/steps.txt").read_text().split()]
        assert len(steps) <= 101  # at most the step in flight ran twice
        assert sorted(set(steps)) == list(range(100))


def test_kill_of_the_guard_kills_the_worker_and_all_below(compute: ProcessCompute, tmp_path: Path) -> None:
    handle = compute.submit(spec("family"))
    until(lambda: compute.events("job")[0])
    until(lambda: len(of_job(tmp_path)) == 5)
    worker_of(tmp_path).parent().kill()
    assert finished(compute, handle).state == "killed"
    until(lambda: not of_job(tmp_path))


def test_nothing_is_left_when_the_job_ends(compute: ProcessCompute, tmp_path: Path) -> None:
    state = finished(compute, compute.submit(spec("family", stay_s=0)))
    assert state.state == "succeeded"
    assert of_job(tmp_path) == []


def test_files_for_the_time_being_go_with_the_job(compute: ProcessCompute) -> None:
    assert finished(compute, compute.submit(spec("scratch"))).result == {"is_in_work": True}


def test_a_killed_platform_leaves_no_process_behind(tmp_path: Path) -> None:
    code = """if True:
        import sys, threading, time; from pathlib import Path
        from aimass.infra.compute import JobSpec, ProcessCompute, child_environment
        compute = ProcessCompute(Path(sys.argv[1]), environment=child_environment())
        spec = JobSpec(id="job", run="faulty_jobs:family")
        thread = threading.Thread(target=compute.submit, args=(spec,)); thread.start(); thread.join()
        time.sleep(600)"""
    platform = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment())
    until(lambda: len(of_job(tmp_path)) == 5)
    until(lambda: (tmp_path / "job/events.ndjson").exists() and (tmp_path / "job/events.ndjson").stat().st_size)
    platform.kill()
    platform.wait()
    until(lambda: not of_job(tmp_path), 5)
    after = ProcessCompute(tmp_path, environment=environment())
    assert after.recover() == [JobHandle(job="job", attempt=1)]
    after.close()


def test_recover_kills_what_even_the_guard_could_not(tmp_path: Path) -> None:
    compute = ProcessCompute(tmp_path, environment=environment())
    compute.submit(spec("family"))
    until(lambda: compute.events("job")[0])
    for process in (worker_of(tmp_path).parent(), worker_of(tmp_path)):
        process.kill()
    compute.close()
    after = ProcessCompute(tmp_path, environment=environment())
    after.recover()
    until(lambda: not of_job(tmp_path), 5)
    after.close()


def test_the_result_of_a_job_that_ended_without_a_platform_counts(tmp_path: Path) -> None:
    compute = ProcessCompute(tmp_path, environment=environment())
    handle = compute.submit(spec("environment"))
    until((tmp_path / "job/result.json").exists)
    compute.close()
    after = ProcessCompute(tmp_path, environment=environment())
    assert after.recover() == []
    assert finished(after, handle).state == "succeeded"
    after.close()


def test_of_two_owners_only_the_later_one_may_write(compute: ProcessCompute, tmp_path: Path) -> None:
    other = ProcessCompute(tmp_path / "jobs", environment=environment())
    work = spec("slow_owner", sleep_s=600)
    first = compute.submit(work)
    until(lambda: len(of_job(tmp_path)) == 2)
    second = other.submit(work)
    assert finished(other, second).result == {"by": 2}
    assert finished(compute, first).state == "killed"
    assert other.poll(second).result == {"by": 2}
    other.close()


def test_a_fenced_attempt_that_still_lives_cannot_write_its_result(compute: ProcessCompute, tmp_path: Path) -> None:
    handle = compute.submit(spec("slow_owner", sleep_s=0.5))
    until(lambda: len(of_job(tmp_path)) == 2)
    (tmp_path / "jobs/job/lease.json").write_text('{"attempt": 2}')
    state = finished(compute, handle)
    assert state.state == "killed"
    assert "lost the job to attempt 2" in state.error["detail"]
    assert not (tmp_path / "jobs/job/result.json").exists()


@pytest.mark.parametrize("damage", [b"", b"99", None])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    compute: ProcessCompute, tmp_path: Path, damage: bytes | None
) -> None:
    work = spec("steps", steps=5)
    finished(compute, compute.submit(work))
    newest = max((tmp_path / "jobs/job/checkpoints").glob("*.bin"))
    newest.unlink() if damage is None else newest.write_bytes(damage)
    finished(compute, compute.submit(work))
    steps = (tmp_path / "jobs/job/out/steps.txt").read_text().split()
    assert steps == ["0", "1", "2", "3", "4", "4"]


def test_a_full_disk_in_a_checkpoint_keeps_the_one_before(compute: ProcessCompute, tmp_path: Path) -> None:
    state = finished(compute, compute.submit(spec("full_disk")))
    assert state.result == {"error": "[Errno 27] File too large", "restored": "good"}
    assert not list((tmp_path / "jobs/job/checkpoints").glob(".*"))


def test_a_log_flood_is_cut_but_keeps_its_begin_and_end(compute: ProcessCompute, tmp_path: Path) -> None:
    finished(compute, compute.submit(spec("flood", lines=400_000)))
    assert (tmp_path / "jobs/job/log.txt").stat().st_size < 12 * 2**20
    assert compute.logs("job", limit=1)[0].text == "line 0 \ufffd\ufffd"
    text = (tmp_path / "jobs/job/log.txt").read_text()
    assert "lines left out" in text
    assert "(line cut)" in text
    assert text.rstrip().endswith("the end")


def test_children_see_no_secret(compute: ProcessCompute) -> None:
    seen = finished(compute, compute.submit(spec("environment"))).result
    assert "s3cret" not in str(seen)
    assert {"PATH", "PYTHONPATH", "OMP_NUM_THREADS"} <= set(seen)


def test_threads_of_user_code_do_not_hold_the_end_back(compute: ProcessCompute) -> None:
    assert finished(compute, compute.submit(spec("threads_left"))).result == {"done": True}


def test_a_job_above_its_memory_is_stopped_with_the_reason(compute: ProcessCompute) -> None:
    state = finished(compute, compute.submit(spec("hog", limits={"memory_bytes": 200 * 2**20})))
    assert state.state == "failed"
    assert "209715200 bytes of memory" in state.error["detail"]


def test_a_job_without_reports_is_stopped_as_stalled(compute: ProcessCompute) -> None:
    state = finished(compute, compute.submit(spec("silent", limits={"stall_s": 0.5})))
    assert state.state == "timed_out"
    assert "no report for 0.5 s" in state.error["detail"]


def test_nan_becomes_null_in_reports_and_results(compute: ProcessCompute, tmp_path: Path) -> None:
    state = finished(compute, compute.submit(spec("nan")))
    assert state.result == {"loss": None, "path": str(tmp_path / "jobs/job/out")}
    assert compute.events("job")[0][0].metrics == {"loss": None, "score": 0.25}


@pytest.mark.parametrize(
    ("function", "detail"),
    [("leave", "sys.exit(3)"), ("vanish", "ended with code 7"), ("unsayable", "object cannot be written as JSON")],
)
def test_every_odd_end_is_told(compute: ProcessCompute, function: str, detail: str) -> None:
    state = finished(compute, compute.submit(spec(function)))
    assert state.state == "failed"
    assert detail in state.error["detail"]


def test_a_worker_killed_by_a_signal_names_it(compute: ProcessCompute, tmp_path: Path) -> None:
    handle = compute.submit(spec("silent"))
    until(lambda: compute.events("job")[0])
    worker_of(tmp_path).send_signal(signal.SIGSEGV)
    assert "SIGSEGV" in finished(compute, handle).error["detail"]


def test_a_torn_event_line_is_skipped(compute: ProcessCompute, tmp_path: Path) -> None:
    work = spec("steps", steps=2)
    finished(compute, compute.submit(work))
    with (tmp_path / "jobs/job/events.ndjson").open("a") as file:
        file.write('{"seq": 7, "att')
    (tmp_path / "jobs/job/checkpoints").rename(tmp_path / "old")
    finished(compute, compute.submit(work))
    events, _ = compute.events("job")
    assert [(event.attempt, event.metrics["step"]) for event in events] == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_job_that_finds_no_place_on_the_disk_is_refused_clearly(compute: ProcessCompute, tmp_path: Path) -> None:
    (tmp_path / "jobs/job").write_text("in the way")
    with pytest.raises(Unavailable, match="'job' cannot start"):
        compute.submit(spec("silent"))


# -- a data directory that is moved


def test_a_job_goes_on_where_its_data_directory_was_moved_to(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    first = ProcessCompute(old / "jobs", environment=environment(), nice=0, data=old)
    handle = first.submit(spec("echo", path=str(old / "lake"), near=str(tmp_path / "older")))
    assert (finished(first, handle).result or {})["path"] == str(old / "lake")
    first.close()
    old.rename(new)
    second = ProcessCompute(new / "jobs", environment=environment(), nice=0, data=new)
    assert (second.poll(handle).result or {}) == {"path": str(new / "lake"), "near": str(tmp_path / "older")}
    again = second.submit(spec("echo", path=str(new / "lake"), near=str(tmp_path / "older")))
    assert (again.attempt, (finished(second, again).result or {})["path"]) == (2, str(new / "lake"))
    with pytest.raises(Conflict):
        second.submit(spec("echo", path=str(new / "blobs"), near=str(tmp_path / "older")))
    second.close()


def test_a_job_goes_on_with_the_same_blob_that_is_kept_elsewhere_and_not_with_another(tmp_path: Path) -> None:
    compute = ProcessCompute(tmp_path / "jobs", environment=environment(), nice=0, data=tmp_path)
    same, other = f"ab/{'c' * 62}", f"ab/{'d' * 62}"
    handle = compute.submit(spec("echo", parts=[str(tmp_path / "run" / "blobs" / same)]))
    finished(compute, handle)
    again = compute.submit(spec("echo", parts=[str(tmp_path / "blobs" / same)]))
    assert (again.job, again.attempt) == (handle.job, 2)
    assert finished(compute, again).result == {"parts": [str(tmp_path / "blobs" / same)]}
    with pytest.raises(Conflict):
        compute.submit(spec("echo", parts=[str(tmp_path / "blobs" / other)]))
    compute.close()
