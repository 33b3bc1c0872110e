"""What is written into control groups, and when they are left alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aimass.infra.compute import Groups, find_groups
from aimass.infra.compute import groups as module

TABLE = "0::/system.slice/aimass.service\n"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """Folders and files as the kernel shows them for a unit with ``Delegate=yes``."""
    own = tmp_path / "system.slice" / "aimass.service"
    own.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids")
    (own / "cgroup.controllers").write_text("cpu memory pids")
    (own / "cgroup.procs").write_text("17\n18\n")
    (own / "platform").mkdir()
    (tmp_path / "table").write_text(TABLE)
    return tmp_path


def test_a_group_that_nobody_delegated_is_left_alone(mount: Path) -> None:
    assert find_groups(mount, mount / "table") == Groups(None, "no control group is delegated to the platform")
    assert not (mount / "system.slice" / "aimass.service" / "cgroup.subtree_control").exists()


def test_a_system_without_cgroup_v2_is_named(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("4:memory:/a\n")
    assert find_groups(tmp_path, tmp_path / "table").reason == "this system has no cgroup v2"


def test_a_delegated_group_gets_groups_for_workers_with_their_limits(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = mount / "system.slice" / "aimass.service"
    monkeypatch.setattr(module, "is_delegated", lambda folder: folder == own)
    groups = find_groups(mount, mount / "table")
    assert groups.root == own
    assert (own / "platform" / "cgroup.procs").read_text() == "18"
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    group = groups.make("a")
    assert group is not None
    group.limit(memory_bytes=1 << 30, cpus=0.25)
    assert (group.folder / "memory.max").read_text() == str(1 << 30)
    assert (group.folder / "cpu.max").read_text() == "25000 100000"
    group.limit(memory_bytes=1 << 30, cpus=None)
    assert (group.folder / "cpu.max").read_text() == "max 100000"
    assert not group.has_run_out
    (group.folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.has_run_out


def test_a_group_without_the_controllers_says_which_is_missing(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = mount / "system.slice" / "aimass.service"
    (own / "cgroup.controllers").write_text("pids")
    monkeypatch.setattr(module, "is_delegated", lambda folder: folder == own)
    assert find_groups(mount, mount / "table").reason.endswith("it has no controller 'cpu'")


def test_a_command_enters_its_group_before_it_becomes_another(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    group = groups.make("a")
    assert group is not None
    done = subprocess.run(group.entered(["echo", "two words", "$HOME"]), capture_output=True, text=True, check=True)
    assert done.stdout == "two words $HOME\n"
    assert (group.folder / "cgroup.procs").read_text() == "0\n"
