"""The server's side of change capture: slot, publication, and what the role may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from aimass.collector.connectors.postgres_changes.manifest import ChangesParameters
from aimass.collector.connectors.postgres_changes.run.pgoutput import lsn_of, lsn_text
from aimass.collector.connectors.reach import check_host
from aimass.kernel.errors import AimassError, Conflict, Forbidden, Invalid, NotFound, Unavailable

_SETTINGS = {
    "application_name": "aimass",
    "datestyle": "ISO, YMD",
    "timezone": "UTC",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
}


def connect(told: ChangesParameters, **more: Any) -> psycopg.Connection[Any]:
    """Open a connection that writes values in one way, whatever the server's defaults are."""
    options = " ".join(
        f"-c {key}={value.replace(' ', '')}" for key, value in _SETTINGS.items() if key != "client_encoding"
    )
    addresses = check_host(told.host)
    try:
        return psycopg.connect(
            host=",".join([told.host] * len(addresses)) or told.host,
            hostaddr=",".join(addresses) or None,
            port=told.port,
            dbname=told.database,
            user=told.user,
            password=told.password.get_secret_value() if told.password else None,
            sslmode=told.ssl,
            sslrootcert=told.ca,
            connect_timeout=max(2, round(told.timeout_s)),
            options=options,
            client_encoding="UTF8",
            autocommit=True,
            **more,
        )
    except psycopg.OperationalError as reason:
        raise _refused(reason, told) from None


def _refused(reason: psycopg.OperationalError, told: ChangesParameters) -> AimassError:
    text = str(reason).strip().splitlines()[-1]
    if "password" in text or "authentication" in text or "role" in text:
        return Forbidden(f"PostgreSQL refused role {told.user!r}: wrong name or password", field="password")
    if "does not exist" in text:
        return NotFound(f"there is no database {told.database!r}", field="database", value=told.database)
    return Unavailable(
        f"no PostgreSQL answers at {told.host!r}, port {told.port}: {text}", field="host", value=told.host
    )


@contextmanager
def told_clearly() -> Iterator[None]:
    """Turn errors of the server into ours."""
    try:
        yield
    except errors.InsufficientPrivilege as reason:
        raise Forbidden(
            f"the role lacks a right: {reason.diag.message_primary}",
            field="user",
            hint="ALTER ROLE ... REPLICATION, and let it own the table or name a publication that an owner made",
        ) from None
    except errors.ConfigurationLimitExceeded as reason:
        raise Unavailable(
            f"the server has no slot left: {reason.diag.message_primary}",
            hint="raise max_replication_slots, or drop slots that nobody reads: SELECT * FROM pg_replication_slots",
        ) from None
    except errors.ObjectInUse as reason:
        raise Conflict(f"another process reads the slot: {reason.diag.message_primary}", field="slot") from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as reason:
        text = str(reason).strip().splitlines() or [type(reason).__name__]
        raise Unavailable(f"the connection to PostgreSQL was lost: {text[0]}") from None
    except psycopg.DataError as reason:  # its words quote what stands in the row
        raise Invalid(
            f"PostgreSQL cannot give a value: {type(reason).__name__}, SQLSTATE {reason.sqlstate}",
            field="stream",
            hint="look at the server's log for the value",
        ) from None
    except psycopg.Error as reason:
        raise Invalid(f"PostgreSQL said: {str(reason).strip().splitlines()[0]}") from None


@dataclass(frozen=True, slots=True)
class SlotState:
    """Where a slot stands, and how much of the log is kept because of it."""

    confirmed: int
    held_bytes: int
    is_lost: bool


class Slot:
    """A logical replication slot and the publication that says what it tells."""

    def __init__(self, con: psycopg.Connection[Any], name: str, publication: str) -> None:
        self._con = con
        self.name = name
        self.publication = publication

    def find(self) -> SlotState | None:
        """Return where the slot stands, or None."""
        lost = "wal_status = 'lost'" if self._con.info.server_version >= 130000 else "false"  # noqa: PLR2004
        row = self._con.execute(
            f"SELECT confirmed_flush_lsn::text, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, {lost} "  # noqa: S608
            "FROM pg_replication_slots WHERE slot_name = %s AND database = current_database()",
            [self.name],
        ).fetchone()
        if row is None:
            return None
        return SlotState(lsn_of(row[0]) if row[0] else 0, row[1] or 0, bool(row[2]) or row[0] is None)

    def drop(self) -> None:
        """Drop the slot; what it would have told is gone."""
        self._con.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [self.name]
        )

    def publish(self, schema: str, table: str, *, is_ours: bool) -> None:
        """Make sure that the publication holds the table."""
        held = self._con.execute(
            "SELECT 1 FROM pg_publication_tables WHERE pubname = %s AND schemaname = %s AND tablename = %s",
            [self.publication, schema, table],
        ).fetchone()
        if held:
            return
        there = self._con.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [self.publication]).fetchone()
        if there or not is_ours:
            raise Invalid(
                f"publication {self.publication!r} {'does not hold' if there else 'is not there, nor'} the table",
                field="stream_parameters.publication",
                value=self.publication,
                hint=f'ALTER PUBLICATION {self.publication} ADD TABLE "{schema}"."{table}"',
            )
        self._con.execute(
            sql.SQL("CREATE PUBLICATION {} FOR TABLE {}").format(
                sql.Identifier(self.publication), sql.Identifier(schema, table)
            )
        )

    def create(self, told: ChangesParameters) -> tuple[psycopg.Connection[Any], int, str]:
        """Make the slot; return the link whose life keeps the snapshot, the position and the name of the snapshot."""
        link = connect(told, replication="database")
        result = link.pgconn.exec_(f'CREATE_REPLICATION_SLOT "{self.name}" LOGICAL pgoutput EXPORT_SNAPSHOT'.encode())
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            text = result.error_message.decode(errors="replace").strip().splitlines()[0]
            link.close()
            if "permission" in text or "REPLICATION" in text:
                raise Forbidden(f"the role may not make slots: {text}", field="user", hint="ALTER ROLE ... REPLICATION")
            if "wal_level" in text:
                raise no_logical_log()
            raise Unavailable(f"PostgreSQL made no slot: {text}", hint="are there enough max_replication_slots?")
        values = {(result.fname(at) or b"").decode(): (result.get_value(0, at) or b"").decode() for at in range(4)}
        return link, lsn_of(values["consistent_point"]), values["snapshot_name"]

    def advance(self, lsn: int) -> None:
        """Let the server forget everything up to a position."""
        found = self.find()
        if found is not None and not found.is_lost and lsn > found.confirmed:
            self._con.execute("SELECT pg_replication_slot_advance(%s, %s::pg_lsn)", [self.name, lsn_text(lsn)])

    def now(self) -> int:
        """Return how far the log is safe on disk: what lies behind it is not told yet."""
        row = self._con.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        return lsn_of(row[0]) if row else 0

    def peek(self, until: int, chunk: int = 5_000) -> Iterator[bytes]:
        """Yield the messages of whole transactions, without taking them; the same again each time."""
        with self._con.transaction(), self._con.cursor("changes", binary=True) as cursor:
            cursor.itersize = chunk
            cursor.execute(
                "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, %s::pg_lsn, NULL,"
                " 'proto_version', '1', 'publication_names', %s)",
                [self.name, lsn_text(until), '"' + self.publication.replace('"', '""') + '"'],
            )
            for row in cursor:
                yield row[0]


def no_logical_log() -> Invalid:
    """Return the error of a server that keeps no logical log."""
    return Invalid(
        "the server keeps no logical log",
        field="wal_level",
        allowed="logical",
        hint="ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL (managed servers have a setting for it)",
    )
