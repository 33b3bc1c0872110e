"""Entry point of a job: ``python -m aimass.infra.compute.child <job dir> [--attempt N] [--lifeline FD] [--nice N] ...``.

The process that starts here becomes the guard; it forks the worker before anything heavy is imported. ``--data`` names the
data directory whose paths the job may name.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from aimass.infra.compute.confiding import confided
from aimass.infra.compute.directory import JobDirectory
from aimass.infra.compute.files import write_atomic
from aimass.infra.compute.guard import Guard, Pipes, log_note
from aimass.infra.compute.processes import become_subreaper, start_of
from aimass.infra.compute.worker import run
from aimass.infra.parent import die_with_parent


def main(arguments: list[str]) -> int:
    """Run one attempt of the job in a directory."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    directory = JobDirectory(Path(arguments[0]), options.get("--data", ""))
    attempt = int(options.get("--attempt", 0)) or directory.attempt()
    lifeline = int(options["--lifeline"]) if "--lifeline" in options else None
    whispers = int(options["--secrets"]) if "--secrets" in options else None
    signals = _listen()
    become_subreaper()
    os.nice(int(options.get("--nice", 0)))
    me = os.getpid()
    owner = {"attempt": attempt, "pid": me, "start": start_of(me)}
    write_atomic(directory.process, json.dumps(owner).encode(), durable=False)
    directory.heartbeat.touch()
    log_note(directory, attempt)
    output, write_end = os.pipe()
    worker = os.fork()
    if worker == 0:
        _become_worker(me, write_end, [fd for fd in (lifeline, output, *signals) if fd is not None])
        run(directory, attempt, {} if whispers is None else confided(whispers))
    os.close(write_end)
    if whispers is not None:
        os.close(whispers)
    os.set_blocking(output, False)
    Guard(directory, attempt, worker, Pipes(lifeline=lifeline, output=output, signals=signals[0])).watch()
    return 0


def _listen() -> tuple[int, int]:
    """Turn SIGTERM and SIGCHLD into bytes on a pipe."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for sign in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(sign, _noted)
    return read_end, write_end


def _noted(_sign: int, _frame: object) -> None:
    """Let the byte on the pipe speak."""


def _become_worker(guard: int, output: int, close: list[int]) -> None:
    die_with_parent(guard)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (*close, output):
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
