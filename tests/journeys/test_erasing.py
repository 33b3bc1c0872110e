"""A person is erased from a platform that works; no kill and no restore of an older backup brings anybody back."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backups import aimass, until
from tests.fixtures.erasing import (
    ANN,
    BOB,
    ENVIRONMENT,
    ROW,
    House,
    ask,
    holding,
    kill,
    known_to_many,
    wait,
)
from tests.fixtures.platform import RunningPlatform, free_port, launch
from tests.fixtures.story import none_left

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with known_to_many() as found:
        yield found


@pytest.fixture
def after(house: House) -> House:
    """The house after the person was erased who is in its backup."""
    if holding(house.platform.data_dir, ANN):
        assert wait(house, ask(house, ANN))["state"] == "DONE"
    return house


# -- erase


def test_a_person_is_gone_from_every_file_and_others_are_not(house: House) -> None:
    assert holding(house.platform.data_dir, ANN)
    done = wait(house, ask(house, ANN))
    assert (done["state"], done["left"], done["error"]) == ("DONE", [], "")
    expected = {"rows of datasets": 1, "rows of splits": 1, "feedback": 1, "messages": 1}
    assert {name: done["erased"].get(name) for name in expected} == expected, done["erased"]
    assert holding(house.platform.data_dir, ANN) == []
    assert holding(house.platform.data_dir, BOB)
    with house.client() as client:
        assert client.lake.get_version(dataset="people").rows == 239
        assert client.predict("leaves", [ROW])[0].outputs


def test_two_at_once_both_come_to_their_end(house: House) -> None:
    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(lambda mail: ask(house, mail), ("c10@example.org", "c11@example.org")))
    assert [wait(house, one)["state"] for one in ids] == ["DONE", "DONE"]
    held = [holding(house.platform.data_dir, mail) for mail in ("c10@example.org", "c11@example.org")]
    assert held == [[], []]


def test_the_administrator_of_the_platform_erases_everywhere_and_nobody_else(house: House) -> None:
    with house.platform.admin("*") as admin:
        asked = admin.storage.ask_erasure(values=["c30@example.org"])
        assert admin.storage.wait_erasure(erasure=asked.id, timeout_s=120).state == "DONE"
    assert holding(house.platform.data_dir, "c30@example.org") == []
    refused = house.aimass("erasures", "ask", "--workspace", "*", "--values", BOB)
    assert (refused.returncode, "storage.manage" in refused.stderr) == (1, True), refused.stderr
    assert holding(house.platform.data_dir, BOB)


@pytest.mark.long
@pytest.mark.parametrize(
    ("mail", "after_s"), [("c20@example.org", 0.0), ("c21@example.org", 1.5), ("c22@example.org", 2.5)]
)
def test_killed_in_the_middle_it_goes_on_after_the_start(house: House, mail: str, after_s: float) -> None:
    id_ = ask(house, mail)
    time.sleep(after_s)
    kill(house.platform.data_dir)
    house.platform.stop()
    house.platform.start_again()
    assert wait(house, id_)["state"] == "DONE"
    assert holding(house.platform.data_dir, mail) == []
    with house.client() as client:
        assert not [row for row in client.query("select mail from people") if row["mail"] == mail]


# -- restore


def restore(house: House, target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return aimass("restore", str(house.backup), "--data-dir", str(target), *words)


@pytest.mark.long
def test_a_backup_of_before_does_not_bring_anybody_back(after: House, tmp_path: Path) -> None:
    assert holding(after.backup, ANN)
    target = tmp_path / "again"
    done = restore(after, target, "--erasures", str(after.platform.data_dir))
    assert (done.returncode, "erasures that the backup did not know were carried out again" in done.stdout) == (0, True)
    assert holding(target, ANN) == []
    assert holding(target, BOB)
    port = free_port()
    second = RunningPlatform(target, port, after.platform.password, launch(target, port, ENVIRONMENT))
    try:
        with after.client(second.url) as client:
            found = until(lambda: [one for one in client.storage.list_erasures().items if one.state == "DONE"])
            assert {one.origin for one in found} == {"restore"}
            assert client.predict("leaves", [ROW])[0].outputs
        until(lambda: (rows := _erasures(second, after)) and all(one.state == "DONE" for one in rows))
        assert holding(target, ANN) == []
    finally:
        second.stop()
    assert none_left(target) == []


def _erasures(platform: RunningPlatform, house: House) -> list[Any]:
    with house.client(platform.url) as client:
        return list(client.storage.list_erasures().items)


@pytest.mark.long
def test_without_the_ledger_a_restore_says_what_it_cannot_know(house: House, tmp_path: Path) -> None:
    done = restore(house, tmp_path / "again")
    assert (done.returncode, "--erasures" in done.stdout) == (0, True), done.stdout


@pytest.mark.long
def test_a_restore_that_is_killed_while_it_erases_begins_again(after: House, tmp_path: Path) -> None:
    target = tmp_path / "again"
    words = ["restore", str(after.backup), "--data-dir", str(target), "--erasures", str(after.platform.data_dir)]
    process = subprocess.Popen([sys.executable, "-m", "aimass", *words], stdout=subprocess.DEVNULL)
    ledger = target / ".restore" / "erasures.ndjson"
    until(lambda: ledger.exists() and ledger.stat().st_size > 0)
    time.sleep(1.0)
    kill(target)
    process.wait()
    assert (target / ".restore").exists()
    done = restore(after, target, "--erasures", str(after.platform.data_dir))
    assert done.returncode == 0, done.stderr
    assert holding(target, ANN) == []


@pytest.mark.long
def test_a_ledger_that_was_cut_off_in_mid_line_still_tells(after: House, tmp_path: Path) -> None:
    shutil.copytree(after.platform.data_dir / "keys", tmp_path / "old" / "keys")
    whole = (after.platform.data_dir / "erasures.ndjson").read_bytes()
    (tmp_path / "old" / "erasures.ndjson").write_bytes(whole + whole[:100])
    done = restore(after, tmp_path / "again", "--erasures", str(tmp_path / "old"))
    assert done.returncode == 0, done.stderr
    assert holding(tmp_path / "again", ANN) == []


def test_a_ledger_that_is_not_there_is_named(house: House, tmp_path: Path) -> None:
    done = restore(house, tmp_path / "again", "--erasures", str(house.folder))
    assert (done.returncode, "there is no list of erasures in" in done.stderr) == (1, True)
    assert not (tmp_path / "again").exists()
