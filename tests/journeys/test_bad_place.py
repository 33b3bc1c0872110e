"""A place where a platform cannot start, or cannot go on: it says why, and nothing is lost."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from aimass import Client
from aimass.infra.database import Database
from aimass.kernel.errors import AimassError
from tests.fixtures.disks import filled, small_disk
from tests.fixtures.platform import RunningPlatform, free_port, running_platform
from tests.fixtures.story import processes_of

pytestmark = pytest.mark.timeout(300)
FILE = "a,b\n" + "".join(f"{number},x{number}\n" for number in range(1000))
TMPFS_MB = 64


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as platform:
        yield platform
    shutil.rmtree(folder, ignore_errors=True)


def _up(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aimass", "up", "--data-dir", str(data_dir), "--port", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_port_that_is_taken_is_named_before_anything_starts(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _up(folder / "d", port)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert processes_of(folder) == []
    assert not (folder / "d" / "aimass.db").exists()


def test_a_second_platform_on_one_data_directory_refuses(running: RunningPlatform) -> None:
    done = _up(running.data_dir, free_port())
    assert done.returncode == 1
    assert f"process {running.process.pid}" in done.stderr
    assert "--data-dir" in done.stderr
    with running.admin() as client:
        assert client.access.who_am_i().name == "admin"


def test_a_restore_into_the_folder_of_a_running_platform_refuses(running: RunningPlatform, folder: Path) -> None:
    backup = [sys.executable, "-m", "aimass", "backup", str(folder / "b"), "--data-dir", str(running.data_dir)]
    assert subprocess.run(backup, capture_output=True, check=False).returncode == 0
    command = [sys.executable, "-m", "aimass", "restore", str(folder / "b"), "--data-dir", str(running.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)


def test_a_data_directory_of_a_newer_version_is_refused_untouched(folder: Path) -> None:
    data_dir = folder / "d"
    data_dir.mkdir()
    database = Database(f"sqlite:///{data_dir / 'aimass.db'}")
    with database.engine.begin() as conn:
        conn.execute(text("create table alembic_version (version_num varchar(32) not null)"))
        conn.execute(text("insert into alembic_version values ('9999')"))
    database.close()
    done = _up(data_dir, free_port())
    assert done.returncode == 1
    assert "newer version" in done.stderr
    assert "9999" in done.stderr
    assert processes_of(folder) == []


# -- a full disk


def _refused(action: Callable[[], object]) -> AimassError:
    with pytest.raises(AimassError) as refused:
        action()
    return refused.value


def test_a_full_disk_is_said_and_nothing_that_was_stored_is_lost(folder: Path) -> None:
    path = folder / "rows.csv"
    path.write_text(FILE)
    with (
        small_disk(folder / "disk", TMPFS_MB) as disk,
        running_platform(disk / "d") as platform,
        platform.admin("lab") as client,
    ):
        client.access.create_workspace(name="lab", review="auto")
        assert client.collect(path, "before").rows == 1000
        filler = filled(disk)
        error = _refused(lambda: client.collect(path, "during"))
        assert "disk" in error.message.lower() or "space" in error.message.lower(), repr(error)
        assert client.lake.get_version(dataset="before").rows == 1000
        filler.unlink()
        _works_again(client, path)


def _works_again(client: Client, path: Path) -> None:
    assert client.collect(path, "after").rows == 1000
    assert len(client.dataset("before").rows()) == 1000
    report = client.access.verify_audit()
    assert report.ok, report.reason
