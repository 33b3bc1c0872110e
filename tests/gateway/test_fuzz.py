"""The fuzz run that always runs: bounded by inputs and by time, repeatable. A longer one: ``python -m tests.gateway.fuzz``."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.gateway.fuzz.plane import Plane
from tests.gateway.fuzz.targets import TARGETS, seeds

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_is_survived(plane: Plane, target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](plane, seed)


CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=5)


@pytest.mark.parametrize("target", TARGETS)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(choice=st.integers(0, 1000), changes=CHANGES)
def test_seeds_with_a_few_changes_are_survived(
    plane: Plane, target: str, choice: int, changes: list[tuple[float, int, bytes]]
) -> None:
    known = seeds(target)
    data = known[choice % len(known)]
    for where, cut, new in changes:
        at = int(where * len(data))
        data = data[:at] + new + data[at + cut :]
    TARGETS[target](plane, data)


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_atheris_finds_nothing(tmp_path: Path, target: str) -> None:
    has_wheels = sys.platform == "linux" and platform.machine() == "x86_64"
    if find_spec("atheris") is None:
        say = pytest.fail if has_wheels else pytest.skip
        say("ATHERIS IS NOT INSTALLED: the coverage-guided fuzz run did not happen (wheels: Linux on x86-64)")
    command = [sys.executable, "-m", "tests.gateway.fuzz", target, "--runs", "20000", "--seconds", "40", "--seed", "1"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert "Done" in done.stderr
