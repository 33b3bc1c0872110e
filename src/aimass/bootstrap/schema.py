"""The schema of a database: which one it has, which ones this installation knows, and the migrations that lead there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from aimass.infra.database import Database, clear_errors
from aimass.kernel.errors import Conflict

_FOLDER = Path(__file__).parent / "migrations"


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


def require_known(present: str | None) -> None:
    """Refuse a schema that a newer version made.

    Raises
    ------
    NewerVersion
        This installation does not know it.
    """
    known = known_schemas()
    if present is not None and present not in known:
        raise NewerVersion(
            f"the data directory was written by a newer version (schema {present!r})",
            value=present,
            allowed=sorted(known),
            hint="install that version, or restore a backup of this one",
        )


def migrate(conn: Connection, schema: str = "head") -> None:
    """Run the migrations that lead a database to a schema, and commit them together."""
    command.upgrade(migration_config(conn), schema)
    conn.commit()


def make_schema(database: Database, schema: str = "head") -> None:
    """Give a database without rows the tables of a schema, be it an old one."""
    with clear_errors(), database.engine.connect().execution_options(aimass_write=True) as conn:
        require_known(present_schema(conn))
        conn.rollback()
        migrate(conn, schema)
