"""The tables as they are in a database, whatever version made them."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Table, inspect, text

_NUMBERED = text("select name from sqlite_master where type = 'table' and upper(sql) like '%AUTOINCREMENT%'")


def tables_there(conn: Connection) -> list[Table]:
    """Return the tables of a database with the columns and keys that are found, each after those that it refers to.

    Examples
    --------
    >>> from aimass.infra.database import Database
    >>> database = Database.memory()
    >>> with database.read() as conn:
    ...     "events_log" in {table.name for table in tables_there(conn)}
    True
    """
    found, tables = inspect(conn), MetaData()
    numbered = set(conn.execute(_NUMBERED).scalars()) if conn.dialect.name == "sqlite" else set[str]()
    names = [name for name, _ in found.get_sorted_table_and_fkc_names() if name is not None]
    for name in names:
        keys = found.get_pk_constraint(name)["constrained_columns"]
        columns = [Column(c["name"], c["type"], primary_key=c["name"] in keys) for c in found.get_columns(name)]
        Table(name, tables, *columns, sqlite_autoincrement=name in numbered)
    return [tables.tables[name] for name in names]
