"""Online values in the database, the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.infra.database import Database, drop_workspace, metadata
from aimass.kernel.principal import SYSTEM
from aimass.lake.online_store import (
    count_values,
    drop_generations,
    drop_values,
    find_values,
    generations_of,
    put_values,
    values_of,
)
from tests.fixtures.postgres import PostgresServer
from tools.migration import load_tables

VIEW = "01K0000000000000000000VIEW"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    load_tables()
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        found = Database(server.create())
    else:
        found = Database(f"sqlite:///{tmp_path / 'aimass.db'}")
    metadata.create_all(found.engine)
    yield found
    found.close()


def put(database: Database, *rows: tuple[str, int, int, str], generation: int = 1) -> None:
    names = ("entity", "event_us", "created_us", "content")
    kept = {"view_id": VIEW, "generation": generation, "workspace": "demo"}
    with database.change(SYSTEM, "demo") as change:
        put_values(change, [{**kept, **dict(zip(names, row, strict=True))} for row in rows])


def found(database: Database, *keys: str, generation: int = 1) -> dict[str, str]:
    with database.read() as conn:
        return {key: text for key, (_, text) in find_values(conn, VIEW, generation, keys).items()}


def test_the_newest_event_and_of_equal_ones_the_newest_writing_stays(database):
    put(database, ("[1]", 10, 5, "a"), ("[2]", 10, 5, "a"), ("[3]", 10, 5, "a"), ("[4]", 10, 5, "a"))
    put(database, ("[1]", 9, 99, "b"), ("[2]", 10, 4, "b"), ("[3]", 10, 6, "b"), ("[4]", 11, 0, "b"))
    put(database)
    assert found(database, "[1]", "[2]", "[3]", "[4]", "[5]") == {"[1]": "a", "[2]": "a", "[3]": "b", "[4]": "b"}


def test_generations_stand_beside_each_other_and_old_ones_go(database):
    put(database, ("[1]", 1, 1, "old"), ('["客户"]', 1, 1, "old"))
    put(database, ("[1]", 1, 1, "new"), generation=2)
    with database.read() as conn:
        assert (generations_of(conn, VIEW), count_values(conn, VIEW, 1)) == ([1, 2], 2)
        assert [row.entity for row in values_of(conn, VIEW, 1)] == sorted(["[1]", '["客户"]'])
    with database.change(SYSTEM, "demo") as change:
        assert (drop_generations(change, VIEW, 2), drop_generations(change, VIEW, 2)) == (2, 0)
    assert (found(database, "[1]"), found(database, "[1]", generation=2)) == ({}, {"[1]": "new"})


def test_an_entity_goes_from_every_generation_and_all_with_the_workspace(database):
    for generation in (1, 2):
        put(database, ("[1]", 1, 1, "x"), ("[2]", 1, 1, "x"), generation=generation)
    with database.change(SYSTEM, "demo") as change:
        drop_values(change, VIEW, ["[1]"])
    assert (found(database, "[1]", "[2]"), found(database, "[1]", generation=2)) == ({"[2]": "x"}, {})
    with database.change(SYSTEM, "demo") as change:
        assert drop_workspace(change, "demo") == 2
