"""Environments of locks: made once, whole or not at all, whatever happens to those who make them."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aimass.infra.compute import (
    Environment,
    environment_of,
    installer_environment,
    make_environment,
    remove_environment,
)
from aimass.infra.compute.locks import parse_lock
from aimass.kernel.errors import Failed, Invalid
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.gateway import wait_for
from tests.fixtures.wheels import lock_of, offline, wheel

PYTHON = platform.python_version()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock, whose one wheel is found without a network."""
    (tmp_path / "requirements.lock").write_text(lock_of(wheel(tmp_path / "wheels")))
    for name, text in offline(tmp_path / "wheels").items():
        monkeypatch.setenv(name, text)
    return tmp_path


def environment(place: Path) -> Environment:
    return environment_of(place / "environments", place / "requirements.lock", PYTHON)


def make(place: Path) -> list[str]:
    said: list[str] = []
    make_environment(environment(place), place / "requirements.lock", PYTHON, installer_environment(), said.append)
    return said


def maker(place: Path, *before: str) -> subprocess.Popen[str]:
    """Somebody else who makes the same environment."""
    command = [sys.executable, "-m", "aimass.serving.children.environment", str(environment(place).root)]
    command += [str(place / "requirements.lock"), PYTHON]
    return subprocess.Popen([*before, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_environment_holds_its_lock_and_what_a_worker_needs(place: Path) -> None:
    said = make(place)
    assert said[:2] == [f"making an environment with Python {PYTHON.rpartition('.')[0]}", "installing 1 packages"]
    made = environment(place)
    names = "('tinymarks', 'numpy', 'orjson', 'aimass', 'sklearn', 'fastapi', 'polars')"
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    variables = {**made.variables(), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([made.python, "-c", code], capture_output=True, text=True, env=variables, check=True)
    assert done.stdout.strip() == "['tinymarks', 'numpy', 'orjson', 'aimass']"
    assert make(place) == []


def test_a_wheel_does_not_say_which_folders_the_interpreter_reads(place: Path) -> None:
    python = getattr(sys, "_base_executable", sys.executable)
    config = f"home-of = {place}/secret/bin\nhome = {Path(python).parent}\n"
    made = wheel(place / "wheels", more={"data/pyvenv.cfg": config})
    (place / "requirements.lock").write_text(lock_of(made))
    make(place)
    found = environment(place)
    assert (found.root / "venv" / "pyvenv.cfg").read_text() == config
    assert place / "secret" not in found.folders()
    assert Path(python).parent.parent in found.folders()


def test_two_who_make_the_same_one_wait_for_each_other(place: Path) -> None:
    makers = [maker(place) for _ in range(3)]
    told = [one.communicate(timeout=120) for one in makers]
    assert [one.returncode for one in makers] == [0, 0, 0], told
    assert sum("installing" in out for out, _ in told) == 1
    assert [path.name for path in environment(place).root.parent.iterdir() if path.is_dir()] == [
        environment(place).root.name
    ]


def test_one_that_was_killed_in_the_middle_is_made_again(place: Path) -> None:
    root = environment(place).root
    one = maker(place)
    wait_for((building := root.with_name(f"{root.name}.building")).exists)
    one.kill()
    one.communicate()
    (building / "half").mkdir(parents=True, exist_ok=True)
    assert not environment(place).is_ready
    assert "installing 1 packages" in make(place)
    assert environment(place).is_ready
    assert not building.exists()


@needs_bubblewrap
def test_a_full_disk_is_told_and_leaves_nothing(place: Path) -> None:
    root = environment(place).root.parent
    root.mkdir()
    full = ["bwrap", "--dev-bind", "/", "/", "--size", "16384", "--tmpfs", str(root), "sh", "-c", f'"$@"; ls {root}']
    one = maker(place, *full, "sh")
    out, err = one.communicate(timeout=120)
    assert "cannot be made" in err
    assert "o space left on device" in err
    assert [line for line in out.splitlines() if line.endswith(".building")] == []


def test_what_the_index_is_called_is_told_to_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(place / "wheels")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://ann:secret@127.0.0.1:1/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Failed, match="the environment of the package cannot be made") as failed:
        make(place)
    assert "secret" not in failed.value.message
    assert "127.0.0.1" not in failed.value.message
    assert not environment(place).root.exists()


def test_a_wheel_that_is_not_the_locks_is_refused(place: Path) -> None:
    wheel(place / "wheels", code="MARK = 'changed'\n")
    with pytest.raises(Failed, match="ash mismatch"):
        make(place)


@pytest.mark.parametrize(
    "line",
    [
        "tinymarks",
        "tinymarks==1.2.0",
        "tinymarks>=1 --hash=sha256:" + "a" * 64,
        "-r other.txt",
        "--index-url http://example.org/simple",
        "-e .",
        "tinymarks @ file:///tmp/a.whl --hash=sha256:" + "a" * 64,
        "git+https://example.org/a.git",
    ],
)
def test_a_lock_has_exact_versions_with_hashes_alone(line: str) -> None:
    with pytest.raises(Invalid, match="exact versions with hashes alone") as refused:
        parse_lock(line)
    assert refused.value.value == line


def test_a_removed_environment_is_made_again(place: Path) -> None:
    make(place)
    assert remove_environment(environment(place))
    assert not environment(place).root.exists()
    make(place)
    assert environment(place).is_ready
