"""Bring the schema of a data directory up to date: a copy first, then the migrations; never backwards."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from aimass.bootstrap.carrying.engines import bytes_on_server, files_to_files, rows_to_files
from aimass.bootstrap.carrying.files import add, clear_errors, fact_of, require_room, secrets_of
from aimass.bootstrap.carrying.manifest import DATABASES, Fact, Manifest, write_manifest
from aimass.bootstrap.lock import hold_upgrade
from aimass.bootstrap.schema import migrate, newest_schema, present_schema, require_known
from aimass.infra.database import Database
from aimass.infra.database import clear_errors as clear_database_errors
from aimass.kernel.clock import instant
from aimass.kernel.durable import sync_folder
from aimass.kernel.errors import Failed
from aimass.kernel.layout import DataDir

_KEPT_COPIES = 3
_NAME = "before-upgrade-"
_UNFINISHED = ".part"
_LOCK = 4_115_012  # PostgreSQL advisory lock: one upgrade at a time
_log = structlog.get_logger("aimass.upgrade")


def upgrade(database: Database, layout: DataDir) -> None:
    """Run the migrations that are missing, all of them or none: one that was cut off is begun again at the next start.

    Raises
    ------
    NewerVersion
        The schema is newer than this installation.
    Failed
        A migration failed; nothing was changed.
    """
    with ExitStack() as stack:
        stack.enter_context(clear_database_errors())
        conn = stack.enter_context(database.engine.connect().execution_options(aimass_write=True))
        present, newest = _looked_up(conn), newest_schema()
        if present == newest:
            return
        stack.enter_context(hold_upgrade(layout))
        present = _looked_up(conn)
        if present == newest:
            return  # somebody else has upgraded it meanwhile
        copy = _keep_copy(database, layout, present) if present is not None else None
        if not database.is_sqlite:
            conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            if present_schema(conn) == newest:
                return  # somebody else has upgraded it meanwhile
        try:
            migrate(conn)
        except SQLAlchemyError as reason:
            told = f"; the copy from before is {str(copy)!r}" if copy else ""
            raise Failed(
                f"the upgrade of the database from schema {present!r} to {newest!r} failed, nothing was changed: {reason}",
                hint=f"install the version before, and report this{told}",
            ) from reason
    _log.info("schema upgraded", before=present, now=newest, copy=str(copy) if copy else None)


def _looked_up(conn: Connection) -> str | None:
    present = present_schema(conn)
    require_known(present)
    conn.rollback()
    return present


def _keep_copy(database: Database, layout: DataDir, schema: str) -> Path:
    """Copy both databases into ``backups``, completely or not at all, and keep the newest copies only."""
    folder = layout.root / "backups"
    copy = folder / f"{_NAME}{schema}-{instant(database.clock.now()).replace(':', '')}"
    part = copy.with_name(copy.name + _UNFINISHED)
    for left in folder.glob(f"{_NAME}*{_UNFINISHED}"):  # of an upgrade that was killed
        shutil.rmtree(left)
    with clear_errors("the copy before the upgrade"):
        try:
            require_room(layout.root, _size(database, layout), "the copy before the upgrade")
            part.mkdir(parents=True, mode=0o700)
            _fill(part, database, layout, schema)
            part.replace(copy)
            sync_folder(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    for old in sorted(folder.glob(f"{_NAME}*"), key=lambda path: path.stat().st_mtime)[:-_KEPT_COPIES]:
        shutil.rmtree(old)
    _log.info("databases copied before the upgrade", copy=str(copy), way_back=f"aimass restore {copy}")
    return copy


def _size(database: Database, layout: DataDir) -> int:
    if not database.is_sqlite:
        return bytes_on_server(database)
    return sum(file.stat().st_size for file in (layout.workflows, layout.database) if file.exists())


def _fill(part: Path, database: Database, layout: DataDir, schema: str) -> None:
    """Write what a restore needs beside the files of the data directory: the databases, and the secrets of their moment."""
    files, there = dict[str, Fact](), DataDir(part)
    for file in secrets_of(layout.root):  # before the databases, as in a backup
        add(files, file, part, layout.root)
    if database.is_sqlite:
        files_to_files(layout, there)
    else:
        rows_to_files(database, there, lambda share, table: _log.debug("copying", share=share, table=table))
    files |= {file.name: fact_of(file) for file in (there.database, there.workflows) if file.exists()}
    engine = "sqlite" if database.is_sqlite else "postgresql"
    created = instant(database.clock.now())
    write_manifest(part, Manifest(created_at=created, schema=schema, engine=engine, files=files, covers=DATABASES))
