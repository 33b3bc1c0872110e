"""The doctor names each fault of an installation, with the way out, and has nothing to say about a healthy one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aimass.access import Access
from aimass.bootstrap import open_platform
from aimass.bootstrap.doctor import place
from aimass.bootstrap.doctor.examination import examine
from aimass.bootstrap.settings import PlatformSettings
from aimass.kernel.findings import Finding
from tests.fixtures.disks import small_disk
from tests.fixtures.platform import free_port
from tests.fixtures.postgres import PostgresServer

pytestmark = pytest.mark.timeout(180)
HEALTHY = {
    "python",
    "packages",
    "console",
    "rooms",
    "disk",
    "data directory",
    "keys",
    "platform",
    "database",
    "blobs",
    "tables",
}
ROOMS = {"events", "audit log", "datasets", "models", "services", "erasures", "isolation", "certificate"}


def _made(data_dir: Path, database: str = "") -> Path:
    command = [sys.executable, "-m", "aimass.bootstrap.first", "--data-dir", str(data_dir)]
    subprocess.run(command, env={**os.environ, "AIMASS_DB": database}, check=True, capture_output=True)
    return data_dir


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform that was started once, and sealed what it noted."""
    data_dir = _made(tmp_path_factory.mktemp("healthy") / "d")
    with closing(open_platform(PlatformSettings(data_dir=data_dir))) as platform:
        platform.registry.get(Access).seal_audit()
    return data_dir


@pytest.fixture
def settings(healthy: Path, tmp_path: Path) -> PlatformSettings:
    """A data directory of its own, to be harmed."""
    return PlatformSettings(data_dir=Path(shutil.copytree(healthy, tmp_path / "d")), port=free_port())


def _bad(settings: PlatformSettings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings) if not finding.is_good}


def _doctor(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aimass", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


# -- healthy


def test_a_healthy_installation_has_no_fault_before_and_after_its_first_start(
    settings: PlatformSettings, tmp_path: Path
) -> None:
    fresh = PlatformSettings(data_dir=tmp_path / "new", port=settings.port)
    assert {f.name for f in examine(fresh) if f.is_good} == HEALTHY
    assert not (tmp_path / "new").exists()
    assert {f.name for f in examine(settings) if f.is_good} == HEALTHY | ROOMS
    assert _bad(settings) == {}


@pytest.mark.postgres
def test_a_healthy_installation_on_postgresql_has_no_fault_and_shows_no_password(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.create().replace("aimass@", "aimass:geheim@")
    found = list(examine(PlatformSettings(data_dir=_made(tmp_path / "d", url), port=free_port(), database=url)))
    assert {f.name for f in found if f.is_good} == HEALTHY | ROOMS
    assert "geheim" not in repr(found)


def test_the_command_ends_with_zero_only_when_nothing_is_wrong(settings: PlatformSettings) -> None:
    words = ["--data-dir", str(settings.data_dir), "--port", str(settings.port)]
    good = _doctor(*words, "--json")
    assert good.returncode == 0, good.stdout
    assert {finding["name"] for finding in json.loads(good.stdout)} == HEALTHY | ROOMS
    (settings.data_dir / "aimass.db").write_bytes(b"x" * 10_000)
    bad = _doctor(*words)
    assert bad.returncode == 1
    assert "bad database: aimass.db is damaged: file is not a database\n    restore the last backup" in bad.stdout


# -- each fault


def _wide(data_dir: Path) -> None:
    (data_dir / "keys" / "tokens.json").chmod(0o644)


def _no_keys(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "keys")


def _unreadable(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "keys")
    (data_dir / "keys").write_text("no folder")


def _torn(data_dir: Path) -> None:
    path = data_dir / "aimass.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    path.write_bytes(data)


def _sql(statement: str) -> Callable[[Path], None]:
    def harm(data_dir: Path) -> None:
        with closing(sqlite3.connect(data_dir / "aimass.db")) as file:
            file.execute(statement)
            file.commit()

    return harm


def _cut_off(data_dir: Path) -> None:
    (data_dir / ".restore").mkdir()


_DEAD = "insert into events_dead values ('01', 'lake:models.*', 1, '2026-01-01 00:00:00.000000', 5, 'no such column')"


@pytest.mark.parametrize(
    ("harm", "name", "detail", "hint"),
    [
        (_wide, "keys", "tokens.json can be read by others", "chmod"),
        (_no_keys, "keys", "keys is missing", "restore the last backup"),
        (_unreadable, "keys", "cannot be read by this user", "owner"),
        (_torn, "database", "aimass.db is damaged", "restore the last backup"),
        (
            _sql("update alembic_version set version_num = '9999'"),
            "database",
            "newer version (schema '9999')",
            "install",
        ),
        (_cut_off, "data directory", "did not finish", "repeat"),
        (_sql(_DEAD), "events", "lake:models.* could not handle 1 events: no such column", "report"),
        (_sql("update audit_log set actor = 'nobody' where seq = 1"), "audit log", "row 1: it was changed", "backup"),
    ],
)
def test_a_fault_is_named_with_a_way_out(
    settings: PlatformSettings, harm: Callable[[Path], None], name: str, detail: str, hint: str
) -> None:
    harm(settings.data_dir)
    bad = _bad(settings)
    assert list(bad) == [name]
    assert detail in bad[name].detail
    assert hint in bad[name].hint


def test_keys_that_this_user_may_not_read_are_named(
    settings: PlatformSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may read everything, so the answer of the operating system is given here."""
    keys = settings.data_dir / "keys"
    monkeypatch.setattr(place.os, "access", lambda path, *_: Path(path) != keys)
    assert "cannot be read by this user" in _bad(settings)["keys"].detail


def test_a_port_that_is_taken_is_named(settings: PlatformSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.port))
        taken.listen()
        bad = _bad(settings)
    assert f"port {settings.port}" in bad["platform"].detail
    assert "--port" in bad["platform"].hint


def test_a_platform_that_runs_and_does_not_answer_is_named(settings: PlatformSettings) -> None:
    with (settings.data_dir / "run" / "platform.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bad = _bad(settings)
    assert "does not answer" in bad["platform"].detail
    assert "logs" in bad["platform"].hint


def test_an_older_schema_is_no_fault(settings: PlatformSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "newest_schema", lambda: "0002")
    found = {finding.name: finding for finding in examine(settings)}
    assert (found["database"].is_good, "upgraded at the next start" in found["database"].detail) == (True, True)


def test_a_disk_with_little_room_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        bad = _bad(PlatformSettings(data_dir=disk / "d", port=free_port()))
    assert list(bad) == ["disk"]
    assert "GiB free at" in bad["disk"].detail
    assert "--data-dir" in bad["disk"].hint


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:geheim@127.0.0.1:9/nothing"
    bad = _bad(PlatformSettings(data_dir=tmp_path / "d", port=free_port(), database=url))
    assert "does not answer" in bad["database"].detail
    assert "geheim" not in repr(bad)
