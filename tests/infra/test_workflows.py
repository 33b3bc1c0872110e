"""Workflows go on after kill -9, and no finished step repeats."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from aimass.infra.workflows import executor_identity
from aimass.kernel.errors import Conflict

PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from aimass.infra.workflows import Runs, RunsConfig, executor_identity

    folder, mode = Path(sys.argv[1]), sys.argv[2]
    journal = folder / "journal"

    def note(word):
        with journal.open("a") as file:
            file.write(word + "\\n")
        return word

    def slow(word):
        note(word)
        if mode == "first":
            time.sleep(60)
        return word

    def three(flow, args):
        a = flow.step("one", note, "one")
        b = flow.step("two", slow, "two")
        c = flow.wait("three", lambda: note("three") or None, timeout_s=20)
        return [a, b, c, args["x"]]

    def failing(flow, args):
        flow.step("bad", lambda: 1 / 0)

    def waiting(flow, args):
        flow.wait("never", lambda: None, timeout_s=60)

    who = executor_identity(folder, "control")
    runs = Runs(RunsConfig(url=f"sqlite:///{folder}/flows.db", executor_id=who.name), {"three": three, "failing": failing, "waiting": waiting})
    runs.launch()
    names = {"first": "three", "second": "three"}.get(mode, mode)
    runs.start(names, "run-" + names, {"x": 7})
    runs.start(names, "run-" + names, {"x": 7})
    if mode == "waiting":
        time.sleep(1.0)
        runs.cancel("run-waiting")
    end = time.monotonic() + 30
    while runs.state("run-" + names) in (None, "RUNNING") and time.monotonic() < end:
        time.sleep(0.05)
    print(runs.state("run-" + names), [s.name for s in runs.steps("run-" + names)], runs.error("run-" + names))
    runs.close()
    """
)


def run(folder: Path, mode: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(folder / "program.py"), str(folder), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_run_goes_on_and_no_finished_step_repeats(tmp_path: Path) -> None:
    first = run(tmp_path, "first")
    journal = tmp_path / "journal"
    for _ in range(300):
        if journal.exists() and "two" in journal.read_text():
            break
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, errors = run(tmp_path, "second").communicate(timeout=60)
    assert out.startswith("SUCCEEDED"), errors
    words = journal.read_text().split()
    assert words.count("one") == 1
    assert words.count("two") == 2  # the interrupted step runs again


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    out, errors = run(tmp_path, "failing").communicate(timeout=60)
    assert "FAILED" in out, errors
    assert "division by zero" in out


def test_a_waiting_run_is_cancelled_at_once(tmp_path: Path) -> None:
    begin = time.monotonic()
    out, errors = run(tmp_path, "waiting").communicate(timeout=60)
    assert "CANCELLED" in out, errors
    assert time.monotonic() - begin < 30


def test_a_second_executor_with_the_same_name_is_refused(tmp_path: Path) -> None:
    first = executor_identity(tmp_path, "control")
    with pytest.raises(Conflict):
        executor_identity(tmp_path, "control")
    first.close()
    again = executor_identity(tmp_path, "control")
    assert again.name == first.name
    again.close()
