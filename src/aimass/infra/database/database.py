"""The database: connections, read blocks and change blocks, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, OperationalError

from aimass.infra.database.change import Change
from aimass.infra.database.tables import metadata
from aimass.infra.database.types import place_data
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import AimassError, Conflict, Failed, Invalid, MissingExtra, Unavailable
from aimass.kernel.principal import Principal

_EVENT_LOCK = 4_115_011  # PostgreSQL advisory lock: event numbers are committed in order
_BUSY_MS = 30_000


class Database:
    """One database behind one unit of work.

    Parameters
    ----------
    url
        SQLAlchemy URL: ``sqlite:////path/aimass.db`` or ``postgresql+psycopg://...``.
    clock
        Source of time for everything written.

    Examples
    --------
    >>> from aimass.kernel.principal import SYSTEM
    >>> database = Database.memory()
    >>> with database.change(SYSTEM, "demo") as change:
    ...     change.event("demo.thing.created", subject="thing:a")
    >>> with database.read() as conn:
    ...     conn.execute(text("select type from events_log")).scalar()
    'demo.thing.created'
    """

    def __init__(self, url: str, clock: Clock | None = None, data: Path | None = None) -> None:
        self.url = make_url(url)
        self.clock: Clock = clock or SystemClock()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.committed = threading.Condition()
        self.commits = 0
        self._writer = threading.Lock()
        self._inside = threading.local()
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)
        if data is not None:
            place_data(self.engine, str(data))

    @classmethod
    def file(cls, path: Path, clock: Clock | None = None) -> Database:
        """Open a SQLite file, which is made when it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{path}", clock)

    @classmethod
    def memory(cls, clock: Clock | None = None) -> Database:
        """Open an empty database in memory with every known table; for examples and tests."""
        database = cls("sqlite://", clock)
        metadata.create_all(database.engine)
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading; what it sees does not change inside the block."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with clear_errors(), self.engine.connect().execution_options(**options) as conn:
            yield conn

    @contextmanager
    def change(self, who: Principal, workspace: str) -> Iterator[Change]:
        """Open the unit of work; commit at the end of the block, roll back on any error.

        Parameters
        ----------
        who
            On whose behalf; written to events and audit entries.
        workspace
            Slug of the workspace the change belongs to; ``"*"`` for the platform itself.
        """
        with self._alone(), clear_errors():
            with self.engine.connect().execution_options(aimass_write=True) as conn, conn.begin():
                if not self.is_sqlite:
                    conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _EVENT_LOCK})
                yield Change(conn, self.clock, who, workspace)
            with self.committed:
                self.commits += 1
                self.committed.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Queue the writers of this process on SQLite, and refuse a change inside a change at once."""
        if getattr(self._inside, "change", False):
            raise Failed("a change was opened inside a change", hint="call the other service before or after the block")
        self._inside.change = True
        try:
            with self._writer if self.is_sqlite else nullcontext():
                yield
        finally:
            self._inside.change = False

    def wait(self, seen: int, timeout_s: float) -> int:
        """Wait until something was committed by this process after ``seen``; return the new count."""
        with self.committed:
            self.committed.wait_for(lambda: self.commits != seen, timeout_s)
            return self.commits

    def overwrite_deleted(self) -> None:
        """Let nothing that was deleted stay in the write-ahead log of SQLite; its pages were overwritten when it was deleted.

        A reader that looks at an older state keeps the log as it is; then the next call does it. PostgreSQL overwrites by its
        own vacuum.
        """
        if self.is_sqlite:
            raw = self.engine.raw_connection()
            try:
                with self._writer:
                    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def clear_errors() -> Iterator[None]:
    """Say in our own errors what the database refused."""
    try:
        yield
    except IntegrityError as reason:
        raise Conflict(
            "the same thing exists already", hint="choose another name, or read the existing one"
        ) from reason
    except OverflowError as reason:
        raise _unfit(str(reason)) from reason
    except DataError as reason:
        raise _unfit(str(reason.orig).partition("\n")[0]) from reason
    except DatabaseError as reason:
        error = _meaning(reason)
        if error is None:
            raise
        raise error from reason


def _unfit(told: str) -> Invalid:
    return Invalid(
        f"a value does not fit into the database: {told}",
        allowed="whole numbers of at most nine digits, texts without NUL",
    )


def _meaning(reason: DatabaseError) -> AimassError | None:
    told = str(reason.orig).strip()
    if "disk is full" in told or "No space left" in told:
        return Unavailable("the disk is full: nothing was written", hint="free some space and repeat")
    if "disk I/O error" in told:
        return Unavailable("the disk refused to read or write", hint="is it full, or damaged? then repeat")
    if "malformed" in told or "not a database" in told:
        return Failed(f"the database is damaged: {told}", hint="restore the last backup: aimass restore")
    if "locked" in told:
        return Unavailable("the database is busy", hint="repeat in a moment")
    if reason.connection_invalidated or (reason.statement is None and isinstance(reason, OperationalError)):
        first = told.partition("\n")[0]
        return Unavailable(f"the database does not answer: {first}", hint="look at its server, and at AIMASS_DB")
    return None


def _sqlite_engine(url: URL) -> Engine:
    options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_MS / 1000, "check_same_thread": False}}
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def on_connect(raw: sqlite3.Connection, record: object) -> None:
        del record
        raw.isolation_level = None  # SQLAlchemy begins, not the driver
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_MS}",
            "secure_delete=ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(conn: Connection) -> None:
        writes = conn.get_execution_options().get("aimass_write")
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    except ModuleNotFoundError as reason:
        raise MissingExtra("postgres") from reason
