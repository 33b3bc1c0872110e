"""A person is erased from a platform on PostgreSQL, and neither a kill nor a restore of an older backup brings anybody back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, select

from aimass.infra.database import tables_there
from aimass.infra.workflows import workflow_tables
from tests.fixtures.backups import aimass, until
from tests.fixtures.erasing import ANN, BOB, ROW, House, ask, holding, kill, known_to_many, wait
from tests.fixtures.platform import RunningPlatform, free_port, launch
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.story import none_left

pytestmark = [pytest.mark.postgres, pytest.mark.long, pytest.mark.timeout(600)]
CY, DI = "c20@example.org", "c21@example.org"


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create()


@pytest.fixture(scope="module")
def house(url: str) -> Iterator[House]:
    with known_to_many({"AIMASS_DB": url}) as found:
        yield found


def held(folder: Path, url: str, value: str) -> list[str]:
    """Return what still holds a value: files of a data directory, and tables of its database, those of workflows too."""
    engine = create_engine(url)
    with engine.connect() as conn:
        found = [*holding(folder, value), *_tables_with(conn, value)]
    engine.dispose()
    return found


def _tables_with(conn: Connection, value: str) -> Iterator[str]:
    for table in (*tables_there(conn), *workflow_tables(conn)):
        if any(value in str(row) for row in conn.execute(select(table))):
            yield table.name


def test_a_person_is_gone_from_files_and_tables_and_others_are_not(house: House, url: str) -> None:
    """Told of Bob, so that the other tests may come before or after this one."""
    assert held(house.platform.data_dir, url, BOB)
    done = wait(house, ask(house, BOB))
    assert (done["state"], done["left"], done["error"]) == ("DONE", [], "")
    expected = {"rows of datasets": 1, "rows of splits": 1, "feedback": 1, "messages": 1}
    assert {name: done["erased"].get(name) for name in expected} == expected, done["erased"]
    assert held(house.platform.data_dir, url, BOB) == []
    assert held(house.platform.data_dir, url, DI)
    with house.client() as client:
        assert client.predict("leaves", [ROW])[0].outputs


def test_killed_in_the_middle_it_goes_on_after_the_start(house: House, url: str) -> None:
    id_ = ask(house, CY)
    kill(house.platform.data_dir)
    house.platform.stop()
    house.platform.start_again()
    assert wait(house, id_)["state"] == "DONE"
    assert held(house.platform.data_dir, url, CY) == []


def test_a_backup_of_before_does_not_bring_anybody_back(house: House, tmp_path: Path, postgres: PostgresServer) -> None:
    assert holding(house.backup, ANN)
    assert wait(house, ask(house, ANN))["state"] == "DONE"
    target, env = tmp_path / "again", {"AIMASS_DB": postgres.create(), "AIMASS_STORAGE_SETTLE_S": "3"}
    words = ["--data-dir", str(target), "--erasures", str(house.platform.data_dir)]
    done = aimass("restore", str(house.backup), *words, env=env)
    assert done.returncode == 0, done.stderr
    assert "erasures that the backup did not know were carried out again" in done.stdout
    assert held(target, env["AIMASS_DB"], ANN) == []
    assert held(target, env["AIMASS_DB"], DI)
    port = free_port()
    second = RunningPlatform(target, port, house.platform.password, launch(target, port, env))
    try:
        with house.client(second.url) as client:
            until(lambda: {one.state for one in client.storage.list_erasures().items} == {"DONE"})
            assert client.predict("leaves", [ROW])[0].outputs
        assert held(target, env["AIMASS_DB"], ANN) == []
    finally:
        second.stop()
    assert none_left(target) == []
