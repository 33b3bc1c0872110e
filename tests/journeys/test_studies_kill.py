"""A search for parameters is killed in the middle, control alone and then everything: no trial is stuck or begun twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from aimass.kernel.errors import AimassError
from tests.fixtures.facts import Facts
from tests.fixtures.platform import RunningPlatform, running_platform
from tests.fixtures.story import none_left, processes_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
TRIALS = 6


def until(is_so: Callable[[], Any], within_s: float) -> Any:
    """Wait; a platform that is down for a moment is asked again."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with contextlib.suppress(AimassError, OSError):
            if found := is_so():
                return found
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s:g} s")


def collect(platform: RunningPlatform, folder: Path, key: str) -> None:
    """Bring a few rows in by the command line."""
    rows = [f"c{n},{('basic', 'plus')[n % 3 // 2]},{20 + n % 9}.5,{'Yes' if n % 2 else 'No'}" for n in range(200)]
    (folder / "rows.csv").write_text("\n".join(["id,plan,paid,left", *rows]) + "\n")
    words = ["data", "collect", str(folder / "rows.csv"), "--name", "small", "--key", "id", "--type", "paid=float"]
    environment = {**os.environ, "AIMASS_URL": platform.url, "AIMASS_KEY": key, "AIMASS_WORKSPACE": "lab"}
    subprocess.run(
        [sys.executable, "-m", "aimass", *words], env=environment, check=True, capture_output=True, timeout=120
    )


def kill_control(platform: RunningPlatform) -> None:
    """Kill control; the supervisor starts it again."""
    for one in processes_of(platform.data_dir):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "aimass.bootstrap.control" in " ".join(one.cmdline()):
                one.send_signal(signal.SIGKILL)


def test_a_search_goes_on_through_kills_of_control_and_of_everything() -> None:
    with tempfile.TemporaryDirectory(prefix="am") as name:
        with running_platform(Path(name) / "d") as platform:
            with platform.admin("lab") as client:
                client.access.create_workspace(name="lab", review="auto")
                collect(platform, Path(name), client.access.create_key(name="searcher").text)
                split = client.training.create_split(dataset="small", target="left", key_column="id").id
                until(lambda: client.training.get_split(split=split).state == "READY", 60)
                wish: dict[str, Any] = {"recipe": "logistic_regression", "split": split, "trials": TRIALS, "folds": 2}
                study = client.training.create_study(name="killed", parallel=2, **wish).slug
            for number in range(3):
                with until(lambda: platform.admin("lab"), 60) as client:
                    wanted = number + 1
                    until(lambda c=client, w=wanted: sum(c.training.get_study(study=study).counts.values()) >= w, 90)
                if number < 2:  # twice control, then everything
                    kill_control(platform)
                    continue
                platform.process.kill()
                platform.stop()
                platform.start_again()
            with until(lambda: platform.admin("lab"), 60) as client:
                done = until(lambda: (s := client.training.get_study(study=study)).state != "RUNNING" and s, 200)
                assert (done.state, done.counts) == ("FINISHED", {"COMPLETE": TRIALS})
            keys = [key for (key,) in Facts(platform.data_dir).rows("select key from training_runs")]
            assert len(keys) == len(set(keys)) <= TRIALS
        assert none_left(platform.data_dir) == []
