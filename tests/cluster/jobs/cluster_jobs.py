"""Jobs, and what control does with their results, for the tests of the room cluster."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from aimass.kernel.errors import Invalid

CALLS = []
FAULTS = []


def work(ctx):
    steps = ctx.params.get("steps", 1)
    done = int(ctx.restore() or b"0")
    for step in range(done, steps):
        ctx.log(f"step {step}")
        ctx.save(str(step + 1).encode())
        ctx.report((step + 1) / steps, "working", loss=1 / (step + 1))
        if step in ctx.params.get("die_at", []) and ctx.attempt <= len(ctx.params["die_at"]):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(ctx.params.get("pause_s", 0))
    (ctx.out / "answer.txt").write_text("42")
    return {"from": done, "steps": steps}


def refuse(ctx):
    raise Invalid("the target has one class", field="target", value="Churn")


def sleep(ctx):
    while True:
        ctx.report(stage="sleeping")
        time.sleep(0.02)


def done(registry, job):
    CALLS.append(("done", job.id, job.result))
    if FAULTS:
        raise FAULTS.pop()


def failed(registry, job):
    CALLS.append(("failed", job.id, job.state))


def steps(ctx):
    """Write each step down, so that a test can see which ones ran twice."""
    done = int(ctx.restore() or b"0")
    for step in range(done, ctx.params["steps"]):
        with (ctx.out / "steps.txt").open("a") as file:
            file.write(f"{step}\n")
        time.sleep(0.01)
        ctx.save(str(step + 1).encode())
        ctx.report((step + 1) / ctx.params["steps"])
    return {"steps": ctx.params["steps"]}


def note_done(registry, job):
    with (registry.get(Path) / "done.txt").open("a") as file:
        file.write(f"{job.title}\n")
