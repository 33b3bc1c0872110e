from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aimass.infra.compute import Stop, WarmChild, child_environment
from aimass.kernel.errors import Conflict, Failed, Invalid, Unavailable

JOBS = Path(__file__).parent / "jobs"


def make(tmp_path: Path, **options: float) -> WarmChild:
    environment = child_environment({**os.environ, "AIMASS_SECRET_KEY": "s3cret"})
    return WarmChild(tmp_path / "warm.log", environment={**environment, "PYTHONPATH": str(JOBS)}, **options)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[WarmChild]:
    child = make(tmp_path)
    yield child
    child.close()


def pid(child: WarmChild, **args: float) -> int:
    return child.call("faulty_jobs:call_pid", args)["pid"]


def test_calls_meet_the_same_child(child: WarmChild) -> None:
    assert pid(child) == pid(child)


def test_the_child_sees_no_secret(child: WarmChild) -> None:
    assert "s3cret" not in str(child.call("faulty_jobs:call_env"))


def test_a_crash_is_told_and_the_next_call_works(child: WarmChild) -> None:
    first = pid(child)
    with pytest.raises(Unavailable, match="SIGSEGV"):
        child.call("faulty_jobs:call_die", {"signal": signal.SIGSEGV})
    assert pid(child) != first


def test_a_child_killed_between_calls_is_replaced_unseen(child: WarmChild) -> None:
    first = pid(child)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.05)
    assert pid(child) != first


def test_a_call_that_takes_too_long_is_stopped_and_the_next_works(child: WarmChild) -> None:
    first = pid(child)
    with pytest.raises(Unavailable, match=r"longer than 0\.2 s"):
        child.call("faulty_jobs:call_pid", {"sleep_s": 60}, timeout_s=0.2)
    assert not psutil.pid_exists(first)
    assert pid(child) != first


def test_a_call_is_stopped_from_another_thread_and_the_next_one_gets_a_new_child(child: WarmChild) -> None:
    first, stop = pid(child), Stop()
    began, timer = time.monotonic(), threading.Timer(0.2, stop.stop)
    timer.start()
    with pytest.raises(Conflict, match="was stopped"):
        child.call("faulty_jobs:call_pid", {"sleep_s": 60}, stop=stop)
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(first)
    assert child.call("faulty_jobs:call_pid", stop=Stop())["pid"] != first


def test_a_call_that_was_stopped_before_it_began_does_not_begin(child: WarmChild) -> None:
    stop = Stop()
    stop.stop()
    with pytest.raises(Conflict, match="was stopped"):
        child.call("faulty_jobs:call_pid", stop=stop)


def test_errors_come_back_as_what_they_are(child: WarmChild, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="KeyError: 'gone'"):
        child.call("faulty_jobs:call_fail")
    with pytest.raises(Failed, match="no attribute 'nothing'"):
        child.call("faulty_jobs:nothing")
    assert "KeyError" in (tmp_path / "warm.log").read_text()


def test_arguments_that_are_no_json_are_refused_and_harm_nobody(child: WarmChild) -> None:
    first = pid(child)
    with pytest.raises(Invalid, match="no JSON"):
        child.call("faulty_jobs:call_pid", {"x": object()})
    assert pid(child) == first


def test_threads_queue_up_for_one_child(child: WarmChild) -> None:
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(pid(child, sleep_s=0.01))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_a_second_child_serves_while_the_first_is_busy(tmp_path: Path) -> None:
    child = make(tmp_path, size=2)
    busy = threading.Thread(target=pid, args=(child,), kwargs={"sleep_s": 1.0})
    busy.start()
    time.sleep(0.1)
    began = time.monotonic()
    pid(child)
    assert time.monotonic() - began < 0.9
    busy.join()
    child.close()


def test_the_child_goes_when_idle_and_comes_back(tmp_path: Path) -> None:
    child = make(tmp_path, idle_s=0.2)
    first = pid(child)
    deadline = time.monotonic() + 5
    while psutil.pid_exists(first):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert pid(child) != first
    child.close()


def test_a_call_after_close_is_refused(tmp_path: Path) -> None:
    child = make(tmp_path)
    first = pid(child)
    child.close()
    assert not psutil.pid_exists(first)
    with pytest.raises(Unavailable):
        pid(child)


def scratch(child: WarmChild) -> Path:
    return Path(child.call("faulty_jobs:call_env")["TMPDIR"])


def test_temporary_files_of_a_child_go_with_it(tmp_path: Path) -> None:
    child = make(tmp_path)
    left = scratch(child)
    (left / "rows").write_text("left behind")
    assert scratch(child) == left
    os.kill(pid(child), signal.SIGKILL)
    time.sleep(0.05)
    assert scratch(child) != left
    assert not left.exists()
    second = scratch(child)
    child.close()
    assert not second.exists()


def test_temporary_files_go_when_the_platform_is_killed(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from aimass.infra.compute import WarmChild, child_environment
child = WarmChild(Path({str(tmp_path / "log")!r}), environment={{**child_environment(), "PYTHONPATH": {str(JOBS)!r}}})
folder = Path(child.call("faulty_jobs:call_env")["TMPDIR"])
(folder / "rows").write_text("left behind")
print(folder, flush=True)
import time; time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdout is not None
        left = Path(platform.stdout.readline().strip())
        assert left.is_dir()
        platform.kill()
    until = time.monotonic() + 20
    while left.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not left.exists()
