"""The conformance suite of the port: a test class inherits it and gives a fixture ``compute``."""
# ruff: noqa: D102, PLR2004 it is a test, shipped so that any adapter can pass it

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from aimass.infra.compute.context import JobContext
from aimass.infra.compute.port import Compute, JobHandle, JobSpec, JobState
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id

_HERE = "aimass.infra.compute.contract"
_STEPS = 10


def echo(ctx: JobContext) -> dict[str, Any]:
    """Return the payload."""
    ctx.log(f"echo of {len(ctx.params)} values")
    ctx.report(1.0, "echo", values=len(ctx.params))
    return {"params": ctx.params, "attempt": ctx.attempt, "threads": os.environ["OMP_NUM_THREADS"]}  # noqa: TID251


def echo_call(args: dict[str, Any]) -> dict[str, Any]:
    """Return the argument of a call."""
    return args


def whisper(ctx: JobContext) -> dict[str, Any]:
    """Tell how long a secret is, and whether anybody could read it from this process."""
    secret = str(ctx.secrets.get("password", ""))
    seen = Path("/proc/self/environ"), Path("/proc/self/cmdline")
    told = b"".join(file.read_bytes() for file in seen if file.exists())
    return {"length": len(secret), "is_shown": bool(secret) and secret.encode() in told}


def refuse(ctx: JobContext) -> dict[str, Any]:
    """Refuse a value the way every room does."""
    raise Invalid("the target has one class", field="target", value=ctx.params.get("target"), hint="choose another")


def divide(_ctx: JobContext) -> dict[str, Any]:
    """Fail with a foreign exception."""
    return {"never": 1 / 0}


def count(ctx: JobContext) -> dict[str, Any]:
    """Count up in small steps with a checkpoint after each; die where the payload says so."""
    done = int(ctx.restore() or b"0")
    for step in range(done, _STEPS):
        ctx.report(step / _STEPS, "counting", step=step)
        ctx.save(str(step + 1).encode())
        if ctx.attempt == 1 and step == ctx.params.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(ctx.params.get("pause_s", 0))
    return {"began_at": done, "count": _STEPS}


def sleep(ctx: JobContext) -> dict[str, Any]:
    """Report for ever."""
    while True:
        ctx.report(stage="sleeping")
        time.sleep(0.01)


def stubborn(ctx: JobContext) -> dict[str, Any]:
    """Ignore every polite request, and have an escaped grandchild do the same."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import os,signal,time; signal.signal(15, signal.SIG_IGN); os.fork() and os._exit(0); os.setsid(); time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], check=True)
    ctx.report(stage="deaf")
    while True:
        time.sleep(1)


class ComputeContract:
    """What every executor must do. Inherit it, set ``__test__ = True`` and provide the fixture ``compute``."""

    __test__: ClassVar[bool] = False

    def test_a_job_returns_the_json_of_its_function(self, compute: Compute) -> None:
        state = finished(compute, start(compute, "echo", {"a": [1, None, "客户 😀"]}, slots=3))
        assert state.state == "succeeded", state
        assert state.result == {"params": {"a": [1, None, "客户 😀"]}, "attempt": 1, "threads": "3"}

    def test_an_application_error_keeps_its_code_field_and_hint(self, compute: Compute) -> None:
        state = finished(compute, start(compute, "refuse", {"target": "Churn"}))
        assert state.state == "failed"
        assert state.error is not None
        assert {
            "code": "invalid",
            "field": "target",
            "value": "Churn",
            "hint": "choose another",
        }.items() <= state.error.items()

    def test_a_foreign_exception_tells_its_type_and_last_lines(self, compute: Compute) -> None:
        state = finished(compute, start(compute, "divide", {}))
        assert state.error is not None
        assert state.error["detail"] == "ZeroDivisionError: division by zero"
        assert "1 / 0" in state.error["traceback"]

    def test_a_function_that_does_not_exist_fails_with_its_name(self, compute: Compute) -> None:
        state = finished(compute, start(compute, "absent", {}))
        assert state.state == "failed"
        assert "absent" in str(state.error)

    def test_log_and_reports_can_be_read(self, compute: Compute) -> None:
        handle = start(compute, "echo", {"a": 1})
        finished(compute, handle)
        assert [line.text for line in compute.logs(handle.job)] == ["echo of 1 values"]
        events, position = compute.events(handle.job)
        assert (events[0].fraction, events[0].stage, events[0].metrics) == (1.0, "echo", {"values": 1.0})
        assert compute.events(handle.job, position) == ([], position)

    def test_a_secret_reaches_the_function_and_no_file(self, compute: Compute) -> None:
        spec = JobSpec(id=new_id(), run=f"{_HERE}:whisper", params={})
        state = finished(compute, compute.submit(spec, {"password": "wh1sper-ed"}))
        assert state.result == {"length": 10, "is_shown": False}, state
        folder = compute.outputs(spec.id).parent
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert files
        assert not [file for file in files if b"wh1sper-ed" in file.read_bytes()]

    def test_a_killed_attempt_goes_on_from_its_checkpoint(self, compute: Compute) -> None:
        spec = JobSpec(id=new_id(), run=f"{_HERE}:count", params={"die_at": 6})
        assert finished(compute, compute.submit(spec)).state == "killed"
        state = finished(compute, compute.submit(spec))
        assert state.state == "succeeded", state
        assert state.result == {"began_at": 7, "count": 10}
        assert state.attempt == 2

    def test_another_payload_cannot_go_on_with_a_job(self, compute: Compute) -> None:
        handle = start(compute, "echo", {"a": 1})
        finished(compute, handle)
        raises(Conflict, lambda: compute.submit(JobSpec(id=handle.job, run=f"{_HERE}:echo", params={"a": 2})))

    def test_cancel_ends_a_job_that_reports(self, compute: Compute) -> None:
        handle = started(compute, "sleep")
        compute.cancel(handle)
        compute.cancel(handle)
        assert finished(compute, handle).state == "cancelled"

    def test_cancel_at_the_very_start_counts(self, compute: Compute) -> None:
        handle = start(compute, "sleep", {})
        compute.cancel(handle)
        assert finished(compute, handle).state == "cancelled"

    def test_cancel_kills_a_job_that_does_not_listen(self, compute: Compute) -> None:
        handle = started(compute, "stubborn")
        compute.cancel(handle, grace_s=0.2)
        assert finished(compute, handle).state == "cancelled"

    def test_cancel_after_the_end_changes_nothing(self, compute: Compute) -> None:
        handle = start(compute, "echo", {})
        finished(compute, handle)
        compute.cancel(handle)
        assert compute.poll(handle).state == "succeeded"

    def test_a_job_ends_at_its_time_limit(self, compute: Compute) -> None:
        state = finished(compute, start(compute, "sleep", {}, timeout_s=0.3))
        assert state.state == "timed_out"
        assert state.error is not None
        assert "0.3 s" in state.error["detail"]

    def test_a_job_can_be_removed_when_it_has_ended(self, compute: Compute) -> None:
        handle = started(compute, "sleep")
        raises(Conflict, lambda: compute.remove(handle.job))
        compute.cancel(handle)
        finished(compute, handle)
        compute.remove(handle.job)
        raises(NotFound, lambda: compute.poll(handle))


def start(compute: Compute, function: str, params: dict[str, Any], **limits: Any) -> JobHandle:
    """Start a function of this module as a new job."""
    return compute.submit(JobSpec(id=new_id(), run=f"{_HERE}:{function}", params=params, **limits))


def started(compute: Compute, function: str) -> JobHandle:
    """Start a function of this module and wait for its first report."""
    handle = start(compute, function, {})
    until(lambda: compute.events(handle.job)[0])
    return handle


def finished(compute: Compute, handle: JobHandle) -> JobState:
    """Wait for the end of an attempt."""
    until(lambda: compute.poll(handle).state != "running")
    return compute.poll(handle)


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def raises(kind: type[Exception], action: Callable[[], Any]) -> None:
    """Assert that an action is refused with this error."""
    try:
        action()
    except kind:
        return
    msg = f"{kind.__name__} was not raised"
    raise AssertionError(msg)
