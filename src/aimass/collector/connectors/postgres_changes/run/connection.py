"""Changes of PostgreSQL tables: the rows that are there, then every transaction in its order."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.postgres_changes.manifest import ChangesParameters, ChangesStream
from aimass.collector.connectors.postgres_changes.run.pgoutput import Change, Decoder
from aimass.collector.connectors.postgres_changes.run.rows import Rows
from aimass.collector.connectors.postgres_changes.run.slot import Slot, connect, no_logical_log, told_clearly
from aimass.collector.connectors.postgres_changes.run.transactions import Transactions
from aimass.collector.connectors.postgres_changes.run.types import column_of
from aimass.kernel.errors import Conflict, Invalid, NotFound

SNAPSHOT_ROWS = 20_000
PAUSE_S = 0.5
QUIET_BYTES = 16 * 2**20  # so much of the log may go by without a change of ours before the position is moved
TABLES = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue describes it; ``identity``: columns by which the log names a row."""

    schema: str
    name: str
    columns: tuple[StreamColumn, ...]
    keys: tuple[str, ...]
    identity: str
    rows: int
    size_bytes: int


class ChangesConnection:
    """A connection to a database whose changes are captured.

    The position (end of the last commit that was handed over) stands in the state. Transactions are peeked, never taken: the
    slot moves on when they are committed, and what it still shows from before the position is passed over.
    """

    def __init__(self, parameters: ChangesParameters) -> None:
        self._parameters = parameters
        self._con = connect(parameters)
        self._second: psycopg.Connection[Any] | None = None
        self._slot: Slot | None = None

    def check(self) -> str:
        """Look at everything that change capture needs: the log, the right to replicate, a free slot."""
        with told_clearly():
            row = self._con.execute(
                "SELECT current_setting('wal_level'), current_setting('server_version'),"
                " (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user),"
                " current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),"
                " (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::bigint"
                "  FROM pg_replication_slots WHERE slot_name LIKE 'aimass%')"
            ).fetchone()
        level, version, may_replicate, free, held = row or ("", "", False, 0, 0)
        if level != "logical":
            raise no_logical_log()
        if not may_replicate:
            user = self._parameters.user
            raise Invalid(
                f"role {user!r} may not replicate", field="user", value=user, hint=f'ALTER ROLE "{user}" REPLICATION'
            )
        return (
            f"PostgreSQL {version} keeps a logical log, {free} slots are free; ours hold {held / 2**20:.1f} MiB of it"
        )

    def discover(self) -> list[StreamInfo]:
        """List the tables."""
        with told_clearly():
            rows = self._con.execute(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_%%'"
                " AND n.nspname <> 'information_schema' AND has_table_privilege(c.oid, 'SELECT')"
                " ORDER BY 1, 2 LIMIT %s",
                [TABLES],
            ).fetchall()
            return [_told(self._table(f"{schema}.{name}")) for schema, name in rows]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Describe one table, ``schema.table``."""
        with told_clearly():
            return _told(self._table(stream))

    def _table(self, stream: str) -> Table:
        schema, _, name = stream.rpartition(".")
        row = self._con.execute(
            "SELECT c.oid, c.relreplident, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid), c.relname"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'",
            [schema or "public", name],
        ).fetchone()
        if row is None:
            raise NotFound(f"there is no table {stream!r}", field="stream", value=stream)
        oid, identity = row[0], row[1].decode() if isinstance(row[1], bytes) else row[1]
        columns = self._con.execute(
            "SELECT a.attname, t.typname, a.atttypmod, NOT a.attnotnull,"
            " coalesce(a.attnum = ANY (i.indkey), false) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " LEFT JOIN pg_index i ON i.indrelid = a.attrelid"
            " AND CASE WHEN %s = 'i' THEN i.indisreplident ELSE i.indisprimary END"
            " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
            [identity, oid],
        ).fetchall()
        made = tuple(column_of(one[0], one[1], one[2], is_nullable=one[3]) for one in columns)
        keys = tuple(one[0] for one in columns if one[4])
        return Table(schema or "public", name, made, keys, identity, row[2], row[3])

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the rows that are there (first time), then the transactions after the position."""
        told = ChangesStream.model_validate(dict(wish.parameters))
        with told_clearly():
            table = self._table(wish.stream)
            if wish.limit is not None:
                yield from self._copied(self._con, table, {}, wish.limit)
                return
            _may_be_followed(table, wish)
            slot = self._slot = self._named(wish, told)
            slot.publish(table.schema, table.name, is_ours=told.publication is None)
            position = dict(state)
            for part in self._begun(slot, table, told, state):
                position = dict(part.state)
                yield part
            yield from self._followed(slot, replace(table, keys=wish.keys or table.keys), told, position)

    def _named(self, wish: Wish, told: ChangesStream) -> Slot:
        fallback = hashlib.sha256(f"{self._parameters.database} {wish.stream}".encode()).hexdigest()[:16]
        name = f"aimass_{(wish.source or fallback).lower()}"
        return Slot(self._con, told.slot or name, told.publication or name)

    def _begun(self, slot: Slot, table: Table, told: ChangesStream, state: Mapping[str, Any]) -> Iterator[Part]:
        """Make the slot and read what is there, unless the state says that this is done and the slot still fits it."""
        found, position = slot.find(), int(state.get("lsn", 0))
        fits = found is not None and not found.is_lost and found.confirmed <= position
        if state.get("phase") == "changes" and fits:
            return
        if state.get("phase") == "changes" and told.on_lost_slot == "stop":
            raise Conflict(
                f"slot {slot.name!r} is gone or was read by somebody else: changes are missing",
                field="slot",
                value=slot.name,
                hint='set on_lost_slot to "again", or create a new source',
            )
        slot.drop()
        link, lsn, snapshot = slot.create(self._parameters)
        try:
            ended = {"phase": "changes", "lsn": lsn, "skip": 0}
            if told.snapshot:
                yield from self._snapshot(table, snapshot, is_again=bool(state))
            yield Part(rows=None, state=ended)
        finally:
            link.close()

    def _snapshot(self, table: Table, snapshot: str, *, is_again: bool) -> Iterator[Part]:
        """Read the table as it was when the slot was made; what an attempt before has left is emptied first."""
        state = {"phase": "snapshot"}
        if is_again:
            yield Rows(table.columns).emptied(state)
        con = connect(self._parameters)
        try:
            con.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            con.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
            yield from self._copied(con, table, state, None)
        finally:
            con.close()

    def _copied(
        self, con: psycopg.Connection[Any], table: Table, state: Mapping[str, Any], limit: int | None
    ) -> Iterator[Part]:
        query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(
            sql.SQL(", ").join(sql.Identifier(one.name) for one in table.columns),
            sql.Identifier(table.schema, table.name),
            sql.SQL(" LIMIT {}").format(sql.Literal(limit)) if limit is not None else sql.SQL(""),
        )
        rows = Rows(table.columns)
        with con.cursor() as cursor, cursor.copy(query) as copy:
            for cells in copy.rows():
                rows.add_cells(cells)
                if rows.is_full(SNAPSHOT_ROWS):
                    yield rows.part(state)
        if len(rows):
            yield rows.part(state)

    def _followed(self, slot: Slot, table: Table, told: ChangesStream, state: dict[str, Any]) -> Iterator[Part | None]:
        while True:
            until = slot.now()
            is_quiet = True
            for part in self._peeked(slot, table, told, state, until):
                is_quiet, state = False, dict(part.state)
                yield part
            if not is_quiet:
                continue
            if until - int(state["lsn"]) >= QUIET_BYTES:
                found = slot.find()
                state = {**state, "lsn": until, "skip": 0, "held_bytes": found.held_bytes if found else 0}
                yield Part(rows=None, state=state)
            yield None
            time.sleep(PAUSE_S)

    def _peeked(
        self, slot: Slot, table: Table, told: ChangesStream, state: Mapping[str, Any], until: int
    ) -> Iterator[Part]:
        decoder, going = Decoder(), Transactions(Rows(table.columns, table.keys), told.whole_rows, state)
        for data in slot.peek(until):
            for event in decoder.events(data):
                if not isinstance(event, Change) or _is_of(event, table):
                    going.take(event, len(data))
            if going.is_full:
                yield self._part(going, table)
        if going.is_open:
            yield self._part(going, table)

    def _part(self, going: Transactions, table: Table) -> Part:
        if going.rows.unchanged:
            self._look_up(going.rows, table)
        return going.part()

    def _look_up(self, rows: Rows, table: Table) -> None:
        """Fetch long values that an update left as they were: the log does not hold them, the table does.

        What comes is the value of now; where that is younger than the change, its own change follows.
        """
        for row in rows.unchanged:
            missing = [name for name, value in row.items() if value is rows.UNCHANGED]
            query = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT").format(
                sql.SQL(", ").join(map(sql.Identifier, missing)),
                sql.Identifier(table.schema, table.name),
                sql.SQL(" AND ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(row[key])) for key in table.keys
                ),
            )
            with self._beside().cursor() as cursor, cursor.copy(query) as copy:
                cells = next(iter([*copy.rows()]), (None,) * len(missing))
            row.update(zip(missing, cells, strict=True))

    def _beside(self) -> psycopg.Connection[Any]:
        """Open a second connection: the first one is busy telling changes."""
        if self._second is None:
            self._second = connect(self._parameters)
        return self._second

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Let the server forget what is committed."""
        if self._slot is not None and state.get("phase") == "changes":
            with told_clearly():
                Slot(self._beside(), self._slot.name, self._slot.publication).advance(int(state["lsn"]))

    def close(self) -> None:
        """Close the connections; the slot stays and keeps what happens meanwhile."""
        self._con.close()
        if self._second is not None:
            self._second.close()


def _is_of(event: Change, table: Table) -> bool:
    return event.relation.table == table.name and event.relation.schema == table.schema


def _told(table: Table) -> StreamInfo:
    return StreamInfo(
        name=f"{table.schema}.{table.name}",
        columns=table.columns,
        keys=table.keys,
        rows=table.rows,
        size_bytes=table.size_bytes,
        modes=("changes",),
    )


def _may_be_followed(table: Table, wish: Wish) -> None:
    """Refuse a table whose updates the server itself would refuse as soon as they are published."""
    name = f'"{table.schema}"."{table.name}"'
    if not table.keys and table.identity != "f":
        raise Invalid(
            f"table {wish.stream!r} has no primary key: PostgreSQL would refuse updates and deletes once it is published",
            field="stream",
            value=wish.stream,
            hint=f"ALTER TABLE {name} ADD PRIMARY KEY (...), or ALTER TABLE {name} REPLICA IDENTITY FULL",
        )
    foreign = [key for key in wish.keys if key not in table.keys and table.identity != "f"]
    if foreign:
        raise Invalid(
            f"the log does not name deleted rows by {foreign[0]!r}",
            field="keys",
            value=foreign[0],
            allowed=list(table.keys),
            hint=f"use the primary key, or ALTER TABLE {name} REPLICA IDENTITY FULL",
        )
