"""Back up a platform that works, restore it elsewhere, and go on there; what is damaged is refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass import Client
from aimass.bootstrap.schema import newest_schema
from tests.fixtures.backups import (
    House,
    aimass,
    answers_as_before,
    deploys_a_graph,
    goes_on_working,
    house_of,
    reads_every_version,
    restored_from,
    takes_what_was_pushed,
    until,
    verifies_and_lets_in,
)
from tests.fixtures.platform import free_port
from tests.fixtures.story import none_left

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with house_of() as house:
        yield house


@pytest.fixture(scope="module")
def restored(house: House) -> Iterator[Client]:
    """The platform of the backup, running in a new folder beside the first one."""
    with restored_from(house) as client:
        yield client


# -- back up


def test_a_backup_under_load_says_what_it_wrote(house: House) -> None:
    assert str(house.backup) in house.told
    assert (house.backup / "manifest.json").exists()
    assert house.backup.stat().st_mode & 0o077 == 0


def test_a_backup_names_no_process_of_the_machine_it_was_made_on(house: House) -> None:
    assert list((house.backup / "jobs").glob("*/job.json"))
    assert not list((house.backup / "jobs").glob("*/process.json"))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("b", "is not empty"),
        ("d/backups/today", "lies in the data directory"),
        ("small.csv/below", "the backup was given up: Not a directory"),
    ],
)
def test_a_folder_that_will_not_do_is_refused(house: House, place: str, words: str) -> None:
    done = aimass("backup", str(house.folder / place), "--data-dir", str(house.platform.data_dir))
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr


def test_a_folder_without_a_platform_is_not_backed_up(tmp_path: Path) -> None:
    done = aimass("backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "nowhere"))
    assert (done.returncode, "there is no platform in" in done.stderr) == (1, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_finds_the_disk_full_leaves_nothing(house: House, tmp_path: Path) -> None:
    words = ["backup", str(tmp_path / "b"), "--data-dir", str(house.platform.data_dir)]
    done = aimass(*words, file_bytes=100_000)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) <= 3, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_programs_read_what_was_written_and_restored_as_json(house: House, tmp_path: Path) -> None:
    made = aimass("backup", str(tmp_path / "b"), "--data-dir", str(house.platform.data_dir), "--json")
    facts = json.loads(made.stdout)
    assert (facts["folder"], facts["files"] > 10, facts["schema"]) == (str(tmp_path / "b"), True, newest_schema())
    done = aimass("restore", str(tmp_path / "b"), "--data-dir", str(tmp_path / "d"), "--json")
    told = json.loads(done.stdout)
    assert (told["files"], told["created_at"], told["audit_rows"] > 0) == (facts["files"], facts["created_at"], True)


# -- restore


def test_the_restored_platform_answers_with_the_same_keys_and_models(restored: Client, house: House) -> None:
    answers_as_before(restored, house)


def test_a_graph_is_restored_with_its_steps(restored: Client) -> None:
    deploys_a_graph(restored)


def test_every_version_that_the_restored_database_names_can_be_read(restored: Client) -> None:
    reads_every_version(restored)


def test_what_was_pushed_and_waited_comes_in_once(restored: Client, house: House) -> None:
    takes_what_was_pushed(restored, house)


def test_the_restored_platform_goes_on_with_what_ran(restored: Client, house: House) -> None:
    goes_on_working(restored, house)


def test_the_restored_platform_verifies_and_lets_its_administrator_in(restored: Client, house: House) -> None:
    verifies_and_lets_in(restored, house)


# -- what cannot be restored leaves nothing


@pytest.fixture
def copy(house: House, tmp_path: Path) -> Path:
    return Path(shutil.copytree(house.backup, tmp_path / "copy"))


def _refused(copy: Path, *words: str, code: int = 1) -> str:
    target = copy.parent / "d"
    done = aimass("restore", str(copy), "--data-dir", str(target))
    assert done.returncode == code
    assert not [word for word in words if word not in done.stderr], done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()
    return done.stderr


@pytest.mark.parametrize("harm", ["flip", "remove", "cut"])
def test_a_damaged_backup_is_refused(copy: Path, harm: str) -> None:
    victim = random.Random(7).choice(sorted(f for f in (copy / "blobs").rglob("*") if f.is_file()))
    data = victim.read_bytes()
    {
        "flip": lambda: victim.write_bytes(bytes([data[0] ^ 1]) + data[1:]),
        "remove": victim.unlink,
        "cut": lambda: victim.write_bytes(data[:-1]),
    }[harm]()
    _refused(copy, victim.name, "restore an earlier backup")


def _resigned(copy: Path) -> None:
    """Let the manifest name the database as it is now."""
    manifest = json.loads((copy / "manifest.json").read_text())
    data = (copy / "aimass.db").read_bytes()
    manifest["files"]["aimass.db"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (copy / "manifest.json").write_text(json.dumps(manifest))


def test_a_forged_audit_log_is_found(copy: Path) -> None:
    """The database was changed and the manifest of the backup with it; the chain still tells."""
    with contextlib.closing(sqlite3.connect(copy / "aimass.db")) as file:
        file.execute("update audit_log set actor = 'somebody else' where seq = 2")
        file.commit()
    _resigned(copy)
    _refused(copy, "audit log", "row 2", "restore an earlier backup")


def test_a_database_that_is_none_is_named(copy: Path) -> None:
    (copy / "aimass.db").write_bytes(b"x" * 10_000)
    _resigned(copy)
    _refused(copy, "damaged")


def test_a_folder_that_is_not_there_is_an_error_of_usage(tmp_path: Path) -> None:
    _refused(tmp_path / "nothing", "does not exist", code=2)


def test_a_restore_that_finds_the_disk_full_leaves_nothing(copy: Path) -> None:
    target = copy.parent / "d"
    done = aimass("restore", str(copy), "--data-dir", str(target), file_bytes=100_000)
    assert (done.returncode, "the disk is full" in done.stderr) == (1, True), done.stderr
    assert not target.exists()


def _begun(copy: Path, target: Path) -> subprocess.Popen[bytes]:
    """Begin a restore, and return it when the database is laid down but not yet verified."""
    command = [sys.executable, "-m", "aimass", "restore", str(copy), "--data-dir", str(target)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((target / ".restore" / "aimass.db").exists)
    return process


def test_a_restore_that_is_interrupted_leaves_the_folder_as_it_was(copy: Path) -> None:
    target = copy.parent / "d"
    target.mkdir()
    process = _begun(copy, target)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) != 0
    assert list(target.iterdir()) == []


def test_a_restore_that_is_killed_counts_for_nothing_and_is_begun_again(copy: Path) -> None:
    target = copy.parent / "d"
    process = _begun(copy, target)
    process.kill()
    process.wait()
    assert {path.name for path in target.iterdir()} <= {".restore", "run"}
    up = aimass("up", "--data-dir", str(target), "--port", str(free_port()))
    assert (up.returncode, "did not finish" in up.stderr) == (1, True), up.stderr
    done = aimass("restore", str(copy), "--data-dir", str(target))
    assert done.returncode == 0, done.stderr
    assert not (target / ".restore").exists()
    assert none_left(target) == []
