"""The databases of a platform as two SQLite files, from either engine and back to either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, delete, inspect, text

from aimass.bootstrap.carrying.files import Told
from aimass.bootstrap.schema import make_schema, newest_schema, present_schema
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.database import Database, clear_errors, copy_files, copy_rows, first_filled, metadata, tables_there
from aimass.infra.search import Search
from aimass.infra.workflows import make_workflow_tables, workflow_tables
from aimass.kernel.errors import Conflict
from aimass.kernel.layout import DataDir

_OF_ALEMBIC = "alembic_version"


def to_files(settings: PlatformSettings, folder: Path, told: Told) -> None:
    """Write both databases, as they are at one moment, into a folder."""
    here, there = DataDir(settings.data_dir), DataDir(folder)
    if not settings.database:
        files_to_files(here, there, told)
        return
    with _server(settings.database) as database:
        with database.read() as conn:
            _require_present(conn)
        rows_to_files(database, there, told)


def files_to_files(here: DataDir, there: DataDir, told: Told | None = None) -> None:
    """Copy both database files at one moment."""
    pairs = [(here.workflows, there.workflows), (here.database, there.database)]
    copy_files([pair for pair in pairs if pair[0].exists()], told)


def rows_to_files(database: Database, there: DataDir, told: Told) -> None:
    """Write the rows of a server into two files, as they are at one moment, in the schema that they have there.

    The tables of the file are made by the migrations up to that schema, and the rows are read by the columns that are found:
    today's tables say nothing about yesterday's database.
    """
    with database.read() as conn:
        schema = present_schema(conn)
        ours = Database.file(there.database, database.clock)
        make_workflow_tables(_url(there.workflows))
        engines = create_engine(_url(there.workflows))
        try:
            make_schema(ours, str(schema))
            with ours.engine.connect().execution_options(aimass_write=True) as file, file.begin():
                _copy(conn, file, _own_pairs(conn, file), told)
            with engines.begin() as file:
                _copy(conn, file, _workflow_pairs(conn, file), told)
            if schema == newest_schema():
                Search(ours).rebuild()
        finally:
            engines.dispose()
            ours.close()


def _own_pairs(source: Connection, target: Connection) -> list[tuple[Table, Table]]:
    """Return the tables that both have, each after those that it refers to."""
    known = {table.name: table for table in tables_there(source)}
    found = [table for table in tables_there(target) if table.name in known and table.name != _OF_ALEMBIC]
    return [(known[table.name], table) for table in found]


def _require_present(conn: Connection) -> None:
    present = present_schema(conn)
    if present != newest_schema():
        raise Conflict(
            f"the database has schema {present!r}, this installation works with {newest_schema()!r}",
            value=present,
            hint="start this version once so that it upgrades the database, or use the version that wrote it",
        )


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _copy(source: Connection, target: Connection, pairs: list[tuple[Table, Table]], told: Told) -> None:
    for _, table in reversed(pairs):
        target.execute(delete(table))  # what migrations, and the engine of the workflows, note in an empty database
    done = iter(range(len(pairs) + 1))
    copy_rows(source, target, pairs, lambda name: told(next(done) / len(pairs), name))


def _workflow_pairs(source: Connection, target: Connection) -> list[tuple[Table, Table]]:
    known = {table.name: table for table in workflow_tables(source)}
    return [(known[table.name], table) for table in workflow_tables(target) if table.name in known]


def require_empty_server(url: str) -> None:
    """Refuse a database server's database that holds something."""
    with _server(url) as database, database.read() as conn:
        there = set(inspect(conn).get_table_names())
        filled = first_filled(conn, [table for table in metadata.sorted_tables if table.name in there])
    if filled is not None:
        raise Conflict(
            f"the database {database.url.database!r} is not empty: {filled!r} holds rows",
            value=filled,
            hint="name an empty database in AIMASS_DB",
        )


@contextmanager
def filled_server(url: str, folder: Path, told: Told) -> Iterator[None]:
    """Fill an empty database from the files of a folder; it is committed at the end of the block, or stays empty."""
    there = DataDir(folder)
    with _server(url) as database:
        make_schema(database)
        make_workflow_tables(_url(there.workflows))  # those of an older version have to be brought up to date
        make_workflow_tables(url)
        with _opened(there.database) as ours, _opened(there.workflows) as flows, database.engine.begin() as server:
            _copy(ours, server, [(table, table) for table in metadata.sorted_tables], told)
            _copy(flows, server, _workflow_pairs(flows, server), told)
            yield


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    engine: Engine = create_engine(_url(path))
    try:
        with engine.connect() as conn:
            yield conn
    finally:
        engine.dispose()


@contextmanager
def _server(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        with clear_errors():
            yield database
    finally:
        database.close()


def bytes_on_server(database: Database) -> int:
    """Return about how many bytes the database of a server takes."""
    with database.read() as conn:
        return int(conn.execute(text("select pg_database_size(current_database())")).scalar_one())


def server_bytes(url: str) -> int:
    """Return about how many bytes the database of a server takes, by its address."""
    with _server(url) as database:
        return bytes_on_server(database)
