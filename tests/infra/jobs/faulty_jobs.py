"""Jobs that misbehave, for the tests of compute."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def flood(ctx):
    for number in range(ctx.params["lines"]):
        os.write(1, b"line %d \xff\xfe\n" % number)
    os.write(1, b"x" * 1_000_000 + b"\n")
    os.write(2, b"the end\n")
    return {}


def environment(ctx):
    return dict(os.environ)


def family(ctx):
    """Leave a child, a grandchild in a session of its own, and a double-forked one."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(sleep)
    subprocess.Popen(sleep, start_new_session=True)
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            os.execv(sleep[0], sleep)  # noqa: S606
        os._exit(0)
    os.wait()
    ctx.report(stage="family")
    time.sleep(ctx.params.get("stay_s", 600))
    return {}


def steps(ctx):
    done = int(ctx.restore() or b"0")
    for step in range(done, ctx.params["steps"]):
        with (ctx.out / "steps.txt").open("a") as file:
            file.write(f"{step}\n")
        ctx.save(str(step + 1).encode())
        ctx.report((step + 1) / ctx.params["steps"], step=float(step))
        time.sleep(0.002)
    return {"steps": ctx.params["steps"]}


def slow_owner(ctx):
    """Go on writing although the job may belong to somebody else by now."""
    time.sleep(ctx.params["sleep_s"] if ctx.attempt == 1 else 0)
    return {"by": ctx.attempt}


def threads_left(ctx):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return {"done": True}


def hog(ctx):
    blocks = []
    while True:
        blocks.append(bytearray(os.urandom(1 << 20)) * 16)
        time.sleep(0.005)


def nan(ctx):
    ctx.report(0.5, loss=float("nan"), score=0.25)
    return {"loss": float("nan"), "path": ctx.out}


def silent(ctx):
    ctx.report(stage="begun")
    time.sleep(600)


def leave(ctx):
    sys.exit(3)


def vanish(ctx):
    os._exit(7)


def unsayable(ctx):
    return {"thing": object()}


def full_disk(ctx):
    ctx.save(b"good")
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        ctx.save(b"x" * 5000)
    except OSError as reason:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return {"error": str(reason), "restored": ctx.restore().decode()}


def call_env(args):
    return dict(os.environ)


def call_pid(args):
    time.sleep(args.get("sleep_s", 0))
    return {"pid": os.getpid()}


def call_die(args):
    os.kill(os.getpid(), args["signal"])


def call_fail(args):
    raise KeyError("gone")


def echo(ctx):
    return ctx.params


def scratch(ctx):
    """Tell where files for the time being lie."""
    with tempfile.TemporaryDirectory() as folder:
        return {"is_in_work": Path(folder).is_relative_to(ctx.work)}
