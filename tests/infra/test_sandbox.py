"""What code in the sandbox can and cannot do."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.compute import Room, Sandbox, child_environment, find_sandbox, need_sandbox, sandboxed
from aimass.infra.compute.sandbox import _abilities
from aimass.kernel.errors import Unavailable
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.gateway import wait_for


def run(code: str, room: Room | None = None, **environment: str) -> Any:
    """Run a program in the sandbox; return what it prints as JSON."""
    variables = {**child_environment(), **environment}
    command = sandboxed([sys.executable, "-c", f"import json, os\n{code}"], room or Room(), variables)
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_bubblewrap
def test_it_sees_no_file_of_the_machine_but_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")
    paths = [str(tmp_path / "secret"), "/etc/passwd", "/etc/shadow", "/var", "/sys", str(Path.cwd() / "tests")]
    assert run(f"print(json.dumps([p for p in {paths} if os.path.exists(p)]))") == []


@needs_bubblewrap
def test_memory_that_looks_like_files_has_a_limit(tmp_path: Path) -> None:
    code = """
room = os.statvfs("/dev/shm")
refused = []
for name in ("/dev/new", "/new", "/package/new"):
    try:
        open(name, "w")
    except OSError as reason:
        refused.append(reason.errno)
open("/dev/null", "w").write("x")
print(json.dumps([room.f_blocks * room.f_frsize, refused]))
"""
    (tmp_path / "a").write_text("x")
    size, refused = run(code, Room(read={"/package/a": tmp_path / "a"}))
    assert refused == [errno.EROFS] * 3
    assert size <= 512 * 1024 * 1024 or "--size" not in _abilities("bwrap")


@needs_bubblewrap
def test_an_interpreter_in_a_hidden_folder_is_seen_and_nothing_beside_it(tmp_path: Path) -> None:
    for name in ("own", "beside"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a").write_text(name)
    command = ["cat", str(tmp_path / "data" / "own" / "a")]
    listing = ["ls", str(tmp_path / "data")]
    shown, room = [tmp_path, tmp_path / "data" / "own"], Room(hide=(tmp_path / "data",))
    found = [
        subprocess.run(sandboxed(one, room, {}, interpreters=shown), capture_output=True, text=True, check=True).stdout
        for one in (command, listing)
    ]
    assert found == ["own", "own\n"]


@needs_bubblewrap
def test_it_reads_what_is_handed_in_and_writes_in_one_folder_alone(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "a.txt").write_text("handed in")
    room = Room(read={"/package": tmp_path / "in"}, write={"/io": tmp_path / "out"})
    code = """
said = {"read": open("/package/a.txt").read(), "failed": []}
for path in ("/package/b", "/usr/b", os.path.dirname(os.__file__) + "/b", "/proc/sys/kernel/core_pattern"):
    try:
        open(path, "w")
    except OSError as reason:
        said["failed"].append(path)
open("/io/b", "w").write("told")
open("/tmp/aimass-private", "w").write("private")
print(json.dumps(said))
"""
    said = run(code, room)
    assert said["read"] == "handed in"
    assert len(said["failed"]) == 4
    assert (tmp_path / "out" / "b").read_text() == "told"
    assert not Path("/tmp/aimass-private").exists()


REACHES = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), 5)
    print("true")
except OSError:
    print("false")
"""


@needs_bubblewrap
def test_it_reaches_the_network_only_when_it_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = REACHES.format(port=server.getsockname()[1])
        assert run(code) is False
        assert run(code, Room(network=True)) is True


@needs_bubblewrap
def test_it_has_no_secret_sees_no_other_process_and_is_nobody() -> None:
    code = """
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print(json.dumps([sorted(os.environ), max(pids), os.getuid(), open("/proc/self/status").read()]))
"""
    names, most, uid, status = run(code, AWS_SECRET_ACCESS_KEY="s", AIMASS_DATABASE_URL="postgresql://u:p@h/d")
    assert not any("SECRET" in name or "AIMASS" in name for name in names)
    assert most < 10
    assert uid == 65534
    assert "CapEff:\t0000000000000000" in status


@needs_bubblewrap
def test_a_folder_below_one_that_is_shown_stays_hidden(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret").write_text("42")
    (tmp_path / "code").mkdir()
    code = f"print(json.dumps([os.listdir({str(tmp_path)!r}), os.listdir({str(tmp_path / 'data')!r})]))"
    shown, hidden = run(code, Room(hide=(tmp_path / "data",)), PYTHONPATH=str(tmp_path))
    assert sorted(shown) == ["code", "data"]
    assert hidden == []


@needs_bubblewrap
def test_it_ends_with_the_one_who_started_it(tmp_path: Path) -> None:
    (tmp_path / "io").mkdir()
    room = Room(write={"/io": tmp_path / "io"})
    waiting = "import time; open('/io/up', 'w').close(); time.sleep(600)"
    inner = sandboxed([sys.executable, "-c", waiting], room, child_environment())
    code = f"import subprocess, time; p = subprocess.Popen({inner!r}); print(p.pid, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for((tmp_path / "io" / "up").exists)
        (below,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        parent.kill()
    wait_for(lambda: not Path(f"/proc/{below}/exe").exists())


def test_a_machine_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_sandbox() == Sandbox(is_there=False, reason="bubblewrap is not installed")
    with pytest.raises(Unavailable, match="a sandbox is wanted, and there is none: bubblewrap is not installed"):
        need_sandbox()


def test_one_that_is_refused_its_namespaces_says_so_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    why = "bubblewrap does not work here: bwrap: No permissions to create new namespace"
    assert find_sandbox() == Sandbox(is_there=False, reason=why)
    program.write_text("#!/bin/sh\nexit 0\n")
    assert find_sandbox() == Sandbox(is_there=True)
