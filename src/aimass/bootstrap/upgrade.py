"""Bring the schema of a data directory up to date: a copy first, then the migrations; never backwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from aimass.infra.database import Database, clear_errors, copy_files
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict, Failed
from aimass.kernel.layout import DataDir

_FOLDER = Path(__file__).parent / "migrations"
_KEPT_COPIES = 3
_log = structlog.get_logger("aimass.upgrade")


class NewerVersion(Conflict):
    """The data directory was written by a newer version."""


def migration_config(conn: Connection | None) -> Config:
    """Return alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(migration_config(None))


def known_schemas() -> frozenset[str]:
    """Return every schema that this installation can bring up to date."""
    return frozenset(revision.revision for revision in _script().walk_revisions())


def newest_schema() -> str:
    """Return the schema that this installation works with."""
    return str(_script().get_current_head())


def present_schema(conn: Connection) -> str | None:
    """Return the schema of a database; None for an empty one."""
    return MigrationContext.configure(conn).get_current_revision()


def schema_of_file(path: Path) -> str:
    """Return the schema of a SQLite file; an empty text for an empty one."""
    database = Database.file(path)
    try:
        with database.engine.connect() as conn:
            return present_schema(conn) or ""
    finally:
        database.close()


def upgrade(database: Database, layout: DataDir) -> None:
    """Run the migrations that are missing, all of them or none: one that was cut off is begun again at the next start.

    Raises
    ------
    NewerVersion
        The schema is newer than this installation.
    Failed
        A migration failed; nothing was changed.
    """
    with clear_errors(), database.engine.connect().execution_options(aimass_write=True) as conn:
        config = migration_config(conn)
        script = ScriptDirectory.from_config(config)
        present, newest = present_schema(conn), script.get_current_head()
        known = {revision.revision for revision in script.walk_revisions()}
        if present is not None and present not in known:
            raise NewerVersion(
                f"the data directory was written by a newer version (schema {present!r})",
                value=present,
                allowed=sorted(known),
                hint="install that version, or restore a backup of this one",
            )
        conn.rollback()
        if present == newest:
            return
        if present is not None and database.is_sqlite:
            _keep_copy(database, layout, present)
        try:
            command.upgrade(config, "head")
            conn.commit()
        except SQLAlchemyError as reason:
            raise Failed(
                f"the upgrade of the database from schema {present!r} to {newest!r} failed, nothing was changed: {reason}",
                hint="install the version before, and report this",
            ) from reason
    _log.info("schema upgraded", before=present, now=newest)


def _keep_copy(database: Database, layout: DataDir, revision: str) -> None:
    """Copy both databases into ``backups``, and keep the newest copies only."""
    folder = layout.root / "backups"
    stamp = instant(database.clock.now()).replace(":", "")
    copy = folder / f"before-upgrade-{revision}-{stamp}"
    part = copy.with_name(f"{copy.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files = [file for file in (layout.workflows, layout.database) if file.exists()]
    copy_files([(file, part / file.name) for file in files])
    part.replace(copy)
    for old in sorted(folder.glob("before-upgrade-*"), key=lambda path: path.stat().st_mtime)[:-_KEPT_COPIES]:
        shutil.rmtree(old)
    _log.info("databases copied before the upgrade", copy=str(copy))
