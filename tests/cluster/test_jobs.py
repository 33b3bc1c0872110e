from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import select

from aimass.cluster import ClusterSettings, JobKinds, Jobs, SubmitJob
from aimass.cluster.domain import (
    CancelJob,
    ChangeNode,
    GetJob,
    GetJobLog,
    GetQuota,
    ListJobs,
    RetryJob,
    SetQuota,
    WaitJob,
)
from aimass.cluster.errors import JobEnded
from aimass.cluster.jobs import start_scheduled
from aimass.infra.database import audit_log, events_log
from aimass.kernel.capability import JobKind
from aimass.kernel.errors import Conflict, Failed, Forbidden, Invalid, NotFound, Stale, TooMany
from aimass.kernel.events import Event
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.kernel.registry import Registry


def calls() -> list[tuple[Any, ...]]:
    return import_module("cluster_jobs").CALLS


def facts(stage) -> list[str]:
    with stage.database.read() as conn:
        return list(conn.execute(select(events_log.c.type).order_by(events_log.c.seq)).scalars())


def test_a_job_runs_reports_and_hands_its_result_over(stage) -> None:
    job = stage.run(stage.submit(payload={"steps": 3}, subject="run:1"))
    assert job.state == "SUCCEEDED"
    assert job.result == {"from": 0, "steps": 3}
    assert (job.progress.fraction, job.progress.stage) == (1.0, "working")
    assert job.progress.metrics["loss"] == pytest.approx(1 / 3)
    assert calls() == [("done", job.id, job.result)]
    assert facts(stage) == ["cluster.job.submitted", "cluster.job.succeeded"]
    assert (stage.jobs.outputs(job) / "answer.txt").read_text() == "42"


def test_an_application_error_ends_the_job_at_once(stage) -> None:
    job = stage.run(stage.submit("test.refuse"))
    assert (job.state, job.attempts) == ("FAILED", 1)
    assert (job.error["code"], job.error["field"]) == ("invalid", "target")
    assert calls() == [("failed", job.id, "FAILED")]
    assert facts(stage)[-1] == "cluster.job.failed"


def test_a_killed_job_goes_on_from_its_checkpoint(stage) -> None:
    job = stage.run(stage.submit(payload={"steps": 5, "die_at": [2]}))
    assert (job.state, job.attempts, job.kills) == ("SUCCEEDED", 2, 1)
    assert job.result == {"from": 3, "steps": 5}


def test_a_job_that_is_killed_too_often_fails(stage) -> None:
    job = stage.run(stage.submit(payload={"steps": 5, "die_at": [0, 1]}, max_kills=1))
    assert (job.state, job.attempts) == ("FAILED", 2)
    assert "SIGKILL" in job.error["detail"]


def test_one_key_is_one_job(stage) -> None:
    first = stage.submit(key="k", payload={"steps": 1})
    assert stage.submit(key="k", payload={"steps": 1}).id == first.id
    assert stage.submit(key="k", payload={"steps": 1}, workspace="other").id != first.id
    with pytest.raises(Conflict, match="belongs to job"):
        stage.submit(key="k", payload={"steps": 2})


def test_a_kind_that_nobody_provides_is_refused_with_the_list(stage) -> None:
    with pytest.raises(Invalid) as refusal:
        stage.submit("test.absent")
    assert refusal.value.allowed == ["test.refuse", "test.sleep", "test.work"]


def test_a_kind_with_a_missing_function_stops_the_start() -> None:
    with pytest.raises(Failed, match="nothing_here"):
        JobKinds({"x.y": JobKind(run="a:b", done="cluster_jobs_absent:nothing_here")}).check()


def test_a_job_inside_a_change_that_fails_does_not_exist(stage) -> None:
    def half() -> None:
        with stage.database.change(SYSTEM, "demo") as change:
            stage.jobs.enqueue(change, SubmitJob(workspace="demo", kind="test.work", title="x"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        half()
    assert stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo")).items == []


def test_a_running_job_is_cancelled(stage, alice: Principal) -> None:
    job = stage.submit("test.sleep")
    stage.until(lambda: stage.job(job).state == "RUNNING")
    stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id))
    assert stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id)).cancel_requested
    assert stage.run(job).state == "CANCELLED"
    assert calls() == [("failed", job.id, "CANCELLED")]
    with pytest.raises(JobEnded):
        stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id))


def test_a_queued_job_is_cancelled_without_being_begun(stage, alice: Principal) -> None:
    job = stage.submit()
    stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id))
    ended = stage.run(job)
    assert (ended.state, ended.attempts) == ("CANCELLED", 0)
    assert calls() == [("failed", job.id, "CANCELLED")]


def test_a_cancelled_job_can_be_tried_again(stage, alice: Principal) -> None:
    job = stage.submit()
    stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id))
    stage.run(job)
    stage.jobs.retry_job(alice, RetryJob(workspace="demo", job=job.id))
    assert stage.run(job).state == "SUCCEEDED"
    with pytest.raises(Conflict, match="SUCCEEDED"):
        stage.jobs.retry_job(alice, RetryJob(workspace="demo", job=job.id))


def test_slots_bound_what_runs_and_the_rest_says_why_it_waits(stage) -> None:
    running = [stage.submit("test.sleep") for _ in range(2)]
    waiting = stage.submit()
    stage.until(lambda: stage.job(waiting).reason)
    assert stage.job(waiting).reason == "waits for 1 of 2 slots"
    assert [stage.job(job).state for job in running] == ["RUNNING", "RUNNING"]
    stage.jobs.cancel_job(SYSTEM, CancelJob(workspace="demo", job=running[0].id))
    assert stage.run(waiting).state == "SUCCEEDED"


def test_higher_priority_goes_first_and_a_large_job_is_not_starved(stage) -> None:
    stage.settings.slots = 2
    blocker = stage.submit("test.sleep")
    stage.until(lambda: stage.job(blocker).state == "RUNNING")
    large = stage.submit(slots=5, priority=10)
    small = stage.submit(priority=1)
    stage.until(lambda: stage.job(small).reason)
    assert stage.job(large).reason == "waits for 2 of 2 slots"
    assert stage.job(small).reason == "waits for 1 of 2 slots"
    stage.jobs.cancel_job(SYSTEM, CancelJob(workspace="demo", job=blocker.id))
    large, small = stage.run(large), stage.run(small)
    assert large.started_at < small.started_at


def test_a_quota_holds_its_workspace_back_but_not_the_others(stage) -> None:
    quota = stage.jobs.set_quota(SYSTEM, SetQuota(tenant="demo", slots=1, queued=2))
    assert stage.jobs.get_quota(SYSTEM, GetQuota(workspace="demo")) == quota
    stage.submit("test.sleep")
    second, other = stage.submit("test.sleep"), stage.submit(workspace="other")
    assert stage.run(other).state == "SUCCEEDED"
    assert stage.job(second).reason == "the quota of the workspace is 1 slots at once"
    stage.submit("test.sleep")
    with pytest.raises(TooMany):
        stage.submit("test.sleep")
    with pytest.raises(Stale):
        stage.jobs.set_quota(SYSTEM, SetQuota(tenant="demo", expected_version=0))


def test_a_queue_takes_no_more_than_its_slots(stage) -> None:
    stage.settings.queues["io"] = 1
    stage.submit("test.sleep", queue="io")
    second = stage.submit("test.sleep", queue="io")
    assert stage.run(stage.submit()).state == "SUCCEEDED"
    assert stage.job(second).reason == "the queue 'io' takes 1 slots at once"


def test_a_cordoned_node_takes_no_new_jobs(stage) -> None:
    stage.runner.step()
    assert stage.jobs.cordon_node(SYSTEM, ChangeNode(node="local")).state == "CORDONED"
    job = stage.submit()
    stage.until(lambda: stage.job(job).reason == "the node takes no new jobs")
    assert stage.jobs.uncordon_node(SYSTEM, ChangeNode(node="local")).state == "READY"
    assert stage.run(job).state == "SUCCEEDED"


def test_the_log_is_read_in_pages(stage) -> None:
    job = stage.submit(payload={"steps": 5})
    assert not stage.jobs.get_job_log(SYSTEM, GetJobLog(workspace="demo", job=job.id)).is_complete
    stage.run(job)
    first = stage.jobs.get_job_log(SYSTEM, GetJobLog(workspace="demo", job=job.id, limit=3))
    rest = stage.jobs.get_job_log(SYSTEM, GetJobLog(workspace="demo", job=job.id, after=first.next, limit=3))
    assert [line.text for line in first.lines + rest.lines] == [f"step {n}" for n in range(5)]
    assert (first.is_complete, rest.is_complete) == (False, True)


def test_jobs_are_found_by_state_kind_subject_and_words(stage) -> None:
    one = stage.submit(title="Train 客户 forest", subject="run:1")
    stage.submit("test.refuse", title="Check")

    def found(**wish: Any) -> list[str]:
        return [job.id for job in stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo", **wish)).items]

    assert found(text="客户") == found(subject="run:1") == found(kind="test.work") == [one.id]
    assert len(found(state="QUEUED")) == 2
    page = stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo", limit=1))
    assert found(cursor=page.next) == [one.id]


def test_waiting_comes_back_with_the_time_over(stage) -> None:
    job = stage.submit()
    assert stage.jobs.wait_job(SYSTEM, WaitJob(workspace="demo", job=job.id, timeout_s=0.05)).state == "QUEUED"


def test_strangers_see_nothing_and_readers_cannot_cancel(stage, alice: Principal) -> None:
    job = stage.submit(workspace="other")
    with pytest.raises(NotFound):
        stage.jobs.get_job(alice, GetJob(workspace="other", job=job.id))
    with pytest.raises(NotFound):
        stage.jobs.get_job(alice, GetJob(workspace="demo", job=job.id))
    reader = Principal(
        id="r", name="r", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"cluster.read"})),)
    )
    mine = stage.submit()
    with pytest.raises(Forbidden):
        stage.jobs.cancel_job(reader, CancelJob(workspace="demo", job=mine.id))
    with pytest.raises((Forbidden, NotFound)):
        stage.jobs.set_quota(alice, SetQuota(tenant="demo", slots=None))


def test_a_room_that_fails_to_take_over_is_asked_again(stage) -> None:
    import_module("cluster_jobs").FAULTS.append(OSError("disk"))
    job = stage.run(stage.submit())
    assert job.state == "SUCCEEDED"
    assert [call[0] for call in calls()] == ["done", "done"]


def test_a_room_that_never_takes_over_fails_the_job(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimass.cluster.domain._LATER_S", (0,))
    import_module("cluster_jobs").FAULTS.extend([OSError("disk")] * 4)
    job = stage.run(stage.submit())
    assert job.state == "FAILED"
    assert "disk" in job.error["detail"]
    assert calls()[-1] == ("failed", job.id, "FAILED")


def test_a_restart_goes_on_and_repeats_no_finished_step(stage) -> None:
    job = stage.submit(payload={"steps": 20, "pause_s": 0.05})
    stage.until(lambda: (stage.job(job).progress.fraction or 0) > 0.1)
    stage.stop()
    stage.start()
    ended = stage.run(job)
    assert (ended.state, ended.kills) == ("SUCCEEDED", 0)
    assert ended.attempts == 2
    assert ended.result["from"] > 0


def test_a_job_that_ended_while_the_platform_was_down_is_collected(stage) -> None:
    job = stage.submit()
    stage.until(lambda: stage.job(job).state == "RUNNING")
    while not (stage.folder / "jobs" / job.id / "result.json").exists():
        continue
    stage.stop()
    stage.start()
    ended = stage.run(job)
    assert (ended.state, ended.attempts) == ("SUCCEEDED", 1)
    assert len(calls()) == 1


def test_files_and_rows_go_when_their_time_is_over(stage) -> None:
    stage.settings = ClusterSettings(slots=2, keep_succeeded_h=0, keep_failed_h=1000, keep_rows_days=1e-9)
    stage.stop()
    stage.start()
    gone, kept = stage.run(stage.submit()), stage.run(stage.submit("test.refuse"))
    stage.kept.purge()
    assert not (stage.folder / "jobs" / gone.id).exists()
    assert (stage.folder / "jobs" / kept.id).exists()
    assert [job.id for job in stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo")).items] == [kept.id]
    assert stage.jobs.get_job_log(SYSTEM, GetJobLog(workspace="demo", job=kept.id)).lines


def test_who_did_what_is_in_the_audit(stage, alice: Principal) -> None:
    job = stage.submit()
    stage.jobs.cancel_job(alice, CancelJob(workspace="demo", job=job.id))
    with stage.database.read() as conn:
        rows = conn.execute(select(audit_log.c.action, audit_log.c.actor_id, audit_log.c.object)).all()
    assert [tuple(row) for row in rows] == [
        ("cluster.job.submit", "system", f"job:{job.id}"),
        ("cluster.job.cancel", "alice", f"job:{job.id}"),
    ]


def test_open_pages_hear_of_every_change(stage) -> None:
    job = stage.run(stage.submit(payload={"steps": 2}))
    last = stage.live._last[f"demo/job:{job.id}"]["data"]
    assert (last["state"], last["fraction"]) == ("SUCCEEDED", 1.0)


def test_a_schedule_that_fired_starts_its_job_once(stage) -> None:
    registry = Registry()
    registry.put(Jobs, stage.jobs)
    wish = {"kind": "test.work", "title": "Nightly", "payload": {"steps": 2, "workspace": "spoofed"}}
    data = {"schedule": "nightly", "due": "2026-05-01T13:00:00.000Z", "key": "schedule:1:x", "job": wish}
    now = stage.database.clock.now()
    event = Event(
        id="e",
        seq=1,
        type="messaging.schedule.fired",
        subject="schedule:nightly",
        workspace="demo",
        actor="p",
        time=now,
        data=data,
    )
    start_scheduled(registry, event)
    start_scheduled(registry, event)
    job = stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo")).items[0]
    assert stage.run(job).result == {"from": 0, "steps": 2}
    assert (job.payload["workspace"], job.created_by) == ("demo", "policy:schedule:nightly")
    assert len(stage.jobs.list_jobs(SYSTEM, ListJobs(workspace="demo")).items) == 1
