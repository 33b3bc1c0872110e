"""Delete what belongs to a workspace, in every table at once."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, delete, select

from aimass.infra.database.change import Change
from aimass.infra.database.tables import OUTLIVES, metadata


def belonging(table: Table, workspace: str) -> ColumnElement[bool] | None:
    """Return the condition that a row belongs to a workspace; None for a table of the whole platform.

    A table has a column ``workspace``, or is part of one that has: its column says so by ``info={"of": "<table>.<column>"}``.
    """
    if "workspace" in table.c:
        return table.c.workspace == workspace
    for column in table.c:
        if "of" in column.info:
            parent, _, key = str(column.info["of"]).partition(".")
            mine = belonging(metadata.tables[parent], workspace)
            return None if mine is None else column.in_(select(metadata.tables[parent].c[key]).where(mine))
    return None


def drop_workspace(change: Change, workspace: str) -> int:
    """Delete the rows of a workspace, parts before the whole; return how many those were.

    Examples
    --------
    >>> from aimass.infra.database import Database, lineage_edges
    >>> from aimass.kernel.principal import SYSTEM
    >>> database = Database.memory()
    >>> metadata.create_all(database.engine)
    >>> with database.change(SYSTEM, "old") as change:
    ...     drop_workspace(change, "old")
    0
    """
    found = [(table, mine) for table in metadata.sorted_tables if (mine := belonging(table, workspace)) is not None]
    gone = 0
    for table, mine in sorted(found, key=lambda pair: -_depth(pair[0])):
        if OUTLIVES not in table.info:
            gone += change.execute(delete(table).where(mine)).rowcount
    return gone


def _depth(table: Table) -> int:
    """Return how many tables stand above this one."""
    parents = [str(column.info["of"]).partition(".")[0] for column in table.c if "of" in column.info]
    return 0 if "workspace" in table.c or not parents else 1 + _depth(metadata.tables[parents[0]])
