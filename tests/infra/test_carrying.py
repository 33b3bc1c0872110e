"""Databases are carried elsewhere: files as they were at one moment, rows from engine to engine."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    create_engine,
    delete,
    func,
    insert,
    null,
    select,
)

from aimass.infra.database import Database, Instant, Json, copy_files, copy_rows, first_filled
from aimass.kernel.errors import Failed
from tests.fixtures.postgres import PostgresServer

# -- files at one moment


def _counter(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute("pragma journal_mode=wal")
    file.execute("create table counter (n integer)")
    file.execute("insert into counter values (0)")
    return file


def _read(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as file:
        return file.execute("select n from counter").fetchone()[0]


def test_two_files_are_copied_as_they_were_at_one_moment(tmp_path: Path) -> None:
    """One is always counted before the other, so at any moment it is ahead by at most one."""
    names = ("first.db", "second.db")
    files = [_counter(tmp_path / name) for name in names]
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            for file in files:
                file.execute("update counter set n = n + 1")

    writer = threading.Thread(target=count)
    writer.start()
    try:
        for turn in range(10):
            folder = tmp_path / str(turn)
            folder.mkdir()
            copy_files([(tmp_path / name, folder / name) for name in names])
            first, second = (_read(folder / name) for name in names)
            assert first - second in (0, 1)
            assert {path.name for path in folder.iterdir()} == set(names)
    finally:
        over.set()
        writer.join()
        for file in files:
            file.close()


def test_a_damaged_file_is_named_and_not_copied(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as file:
        file.execute("create table t (x text)")
        file.executemany("insert into t values (?)", [("x" * 500,)] * 1000)
        file.execute("create index i on t (x)")
        file.commit()
    data = bytearray((tmp_path / "a.db").read_bytes())
    data[4096 * 20 : 4096 * 22] = b"\xff" * 8192
    (tmp_path / "a.db").write_bytes(data)
    with pytest.raises(Failed, match=r"b\.db is damaged"):
        copy_files([(tmp_path / "a.db", tmp_path / "b.db")])
    assert not (tmp_path / "b.db").exists()


# -- rows from engine to engine

TABLES = MetaData()
THINGS = Table(
    "things",
    TABLES,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("name", String(40), nullable=False),
    Column("at", Instant),
    Column("is_new", Boolean),
    Column("facts", Json),
    sqlite_autoincrement=True,
)
ROWS = [
    {
        "name": "客户",
        "at": datetime(2026, 1, 2, 3, 4, 5, 60_000, UTC),
        "is_new": True,
        "facts": {"b": [1, None], "a": 1e20},
    },
    {"name": "nothing", "at": None, "is_new": None, "facts": null()},
    {"name": "json null", "at": None, "is_new": False, "facts": None},
]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from _engine(request, tmp_path / "source.db")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from _engine(request, tmp_path / "target.db")


def _engine(request: pytest.FixtureRequest, path: Path) -> Iterator[Engine]:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        engine = create_engine(server.create())
    else:
        engine = create_engine(f"sqlite:///{path}")
    TABLES.create_all(engine)
    yield engine
    engine.dispose()


def _copy(source: Engine, target: Engine) -> int:
    with source.connect() as old, target.begin() as new:
        return copy_rows(old, new, [(THINGS, THINGS)], print)


def _all(conn: Connection) -> list[tuple[object, ...]]:
    is_null = THINGS.c.facts.is_(null())
    return [tuple(row) for row in conn.execute(select(THINGS, is_null).order_by(THINGS.c.seq))]


def test_rows_are_the_same_on_every_engine(source: Engine, target: Engine) -> None:
    with source.begin() as conn:
        for row in ROWS:
            conn.execute(insert(THINGS).values(**row))
    assert _copy(source, target) == 3
    with source.connect() as old, target.connect() as new:
        assert _all(old) == _all(new)
        assert first_filled(new, [THINGS]) == "things"


def test_a_number_that_was_given_once_is_never_given_again(source: Engine, target: Engine) -> None:
    with source.begin() as conn:
        for _ in range(5):
            conn.execute(insert(THINGS).values(name="x"))
        conn.execute(delete(THINGS))
    _copy(source, target)
    with target.begin() as conn:
        assert first_filled(conn, [THINGS]) is None
        conn.execute(insert(THINGS).values(name="next"))
        assert conn.execute(select(THINGS.c.seq)).scalar_one() == 6


def test_json_in_a_file_is_written_the_way_of_our_own_rows(source: Engine, tmp_path: Path) -> None:
    with source.begin() as conn:
        conn.execute(insert(THINGS).values(name="x", facts={"a": "é", "b": 1.5}))
    target = create_engine(f"sqlite:///{tmp_path / 'written.db'}")
    TABLES.create_all(target)
    _copy(source, target)
    with target.connect() as conn:
        assert conn.execute(select(cast(THINGS.c.facts, Text))).scalar_one() == '{"a": "\\u00e9", "b": 1.5}'
    target.dispose()


@pytest.mark.postgres
def test_what_is_read_on_a_server_does_not_change_inside_the_block(postgres: PostgresServer) -> None:
    database = Database(postgres.create())
    TABLES.create_all(database.engine)
    with database.read() as conn:
        assert conn.execute(select(func.count()).select_from(THINGS)).scalar_one() == 0
        with database.engine.begin() as other:
            other.execute(insert(THINGS).values(name="meanwhile"))
        assert conn.execute(select(func.count()).select_from(THINGS)).scalar_one() == 0
    database.close()
