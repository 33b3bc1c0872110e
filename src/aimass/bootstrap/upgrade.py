"""Bring the schema of a data directory up to date: a backup first, then the migrations; never backwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from aimass.infra.database import Database
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict
from aimass.kernel.layout import DataDir

_FOLDER = Path(__file__).parent / "migrations"
_log = structlog.get_logger("aimass.upgrade")


def migration_config(conn: Connection) -> Config:
    """Return alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def upgrade(database: Database, layout: DataDir) -> None:
    """Run the migrations that are missing.

    Raises
    ------
    Conflict
        The schema is newer than this installation.
    """
    with database.engine.connect().execution_options(aimass_write=True) as conn:
        config = migration_config(conn)
        script = ScriptDirectory.from_config(config)
        present = MigrationContext.configure(conn).get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if present is not None and present not in known:
            raise Conflict(
                f"the data directory was written by a newer version (schema {present!r})",
                value=present,
                allowed=sorted(known),
                hint="install that version, or restore a backup of this one",
            )
        conn.rollback()
        if present == script.get_current_head():
            return
        if present is not None and database.is_sqlite:
            _keep_copy(database, layout, present)
        command.upgrade(config, "head")
        conn.commit()
    _log.info("schema upgraded", before=present, now=script.get_current_head())


def _keep_copy(database: Database, layout: DataDir, revision: str) -> None:
    folder = layout.root / "backups"
    folder.mkdir(exist_ok=True)
    stamp = instant(database.clock.now()).replace(":", "")
    copy = folder / f"before-upgrade-{revision}-{stamp}.db"
    with closing(sqlite3.connect(layout.database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    _log.info("database copied before the upgrade", copy=str(copy))
