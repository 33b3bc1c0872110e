"""The tables in which the engine keeps workflows, for those who carry a platform to another place."""

from __future__ import annotations

import logging

from dbos import DBOS
from sqlalchemy import Connection, MetaData, Table

_SCHEMA = "dbos"  # on PostgreSQL; a SQLite file has no schemas
_OWN = ("dbos_", "datasource_")  # what the engine notes about its own schema


def make_workflow_tables(url: str) -> None:
    """Make the tables of the engine in a database, or bring them up to date."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS.migrate(url)


def workflow_tables(conn: Connection) -> list[Table]:
    """Return the tables as they are in this database, each after those that it refers to; none before the first start."""
    found = MetaData()
    found.reflect(conn, schema=None if conn.dialect.name == "sqlite" else _SCHEMA)
    return [table for table in found.sorted_tables if not table.name.startswith(_OWN)]
