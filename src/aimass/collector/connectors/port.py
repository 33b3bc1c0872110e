"""What a connector's run part does, and what it gets to do it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from arro3.core import RecordBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamColumn:
    """A column as the origin declares it, or as a sample lets one propose it.

    Attributes
    ----------
    type
        The type to store: ``string, integer, float, boolean, timestamp, date, decimal, json``.
    native
        The type in the words of the origin; empty where it has none.
    precision, scale
        Digits of a decimal, and those behind the point.
    """

    name: str
    type: str
    nullable: bool = True
    native: str = ""
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Something that can be collected: a table, a file pattern, a topic, a path of an API.

    Attributes
    ----------
    keys
        Columns that name a row, where the origin knows them.
    cursors
        Columns that grow with each change or insert and may serve as a cursor, the best first.
    rows, size_bytes
        Estimates; None where the origin does not tell.
    modes
        The modes that this stream offers.
    """

    name: str
    columns: tuple[StreamColumn, ...]
    keys: tuple[str, ...] = ()
    cursors: tuple[str, ...] = ()
    rows: int | None = None
    size_bytes: int | None = None
    modes: tuple[str, ...] = ("full",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one collection wants of a stream.

    Attributes
    ----------
    columns
        The pinned columns, in the order in which they are stored.
    cursor
        Column by which only newer rows are read; with ``mode`` "incremental".
    lag_s
        How far below the last cursor the reading starts again: seconds of a moment, units of a number.
    since, until
        Bounds of the cursor for a back-fill, of the type of its column: from (inclusive), to (exclusive); None: none.
    parameters
        What the source says of this stream (checked against ``stream`` of the manifest).
    limit
        At most so many rows, for a preview.
    source
        The id of the source that reads: the same each time and unlike any other's, so that what an origin keeps for its readers
        (a session, a consumer, a slot) can bear it. Empty for a preview.
    inbox
        The folder in which the platform keeps what is pushed to the source until it is collected; for connectors of the
        family "push".
    """

    stream: str
    columns: tuple[StreamColumn, ...]
    mode: str = "full"
    keys: tuple[str, ...] = ()
    cursor: str | None = None
    lag_s: float = 0.0
    since: Any = None
    until: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    limit: int | None = None
    source: str = ""
    inbox: str = ""

    @property
    def cursor_type(self) -> str:
        """Return the type of the cursor's column."""
        return next((column.type for column in self.columns if column.name == self.cursor), "string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that the connector could not even hand over: its raw text, where it stood, and why.

    ``line`` counts from 1 where the origin has lines; ``place`` says it in words otherwise (``topic t, sequence 17``).
    """

    raw: str
    reason: str
    column: str = ""
    kind: str = "SYNTAX"
    line: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows in the order of the origin, and the state after them.

    The loader casts the rows to the pinned types, so a connector may hand over texts; what cannot be cast goes to the
    quarantine with the row as JSON. Columns that are not pinned are drift: the source's policy decides. One commit carries
    one or more whole parts and the state of the last.

    Attributes
    ----------
    rows
        An Arrow batch, or None when only the state moved.
    state
        Small JSON (at most 64 KiB): given back to :meth:`Connector.read` by the next collection.
    operations
        With ``mode`` "changes": ``insert``, ``update`` or ``delete`` of each row, in order, or ``truncate``: a row without
        values that voids everything before it. None: all are inserts.
    rejects
        Rows that could not be handed over.
    size_bytes
        What was read from the origin for it.
    """

    rows: RecordBatch | None
    state: Mapping[str, Any]
    operations: tuple[str, ...] | None = None
    rejects: tuple[Reject, ...] = ()
    size_bytes: int = 0


class Connector(Protocol):
    """A connection to an origin, open in a child process; ``close`` is always called."""

    def check(self) -> str:
        """Reach the origin with the given rights and return a sentence about what answered.

        Raises an error of ``kernel.errors`` that names the parameter to mend; no secret stands in it.
        """
        ...

    def discover(self) -> list[StreamInfo]:
        """Return what can be collected, by name."""
        ...

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Return one stream as it is now, with its columns; NotFound where it is not there.

        It is asked before types are confirmed and at the beginning of each collection, to see what changed. A stream whose
        columns nobody declares is sampled.
        """
        ...

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the rows from a state on (empty: from the beginning), in memory that does not grow.

        The same state read twice gives the same rows, or more that came since. A stream without an end yields None when
        nothing has come for a while (at most a second), so that the loader can commit what it holds, or stop.

        ``full``: the state is always empty; where ``wish.cursor`` is named, the last state holds the highest cursor, so
        that an incremental reading can follow. ``incremental``: first the rows whose cursor is NULL, each time, then those
        at or above the begin, in ascending order; ``state["cursor"]`` is the highest one as :mod:`.cursor` writes it (the
        loader drops what the dataset has). With ``since`` or ``until`` the state does not count, and rows whose cursor is
        NULL do not come. ``changes`` and ``stream``: what the state means is the connector's own affair.
        """
        ...

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Tell the origin that everything up to a state is committed; called after the commit, perhaps again after a crash."""
        ...

    def close(self) -> None:
        """Let go of the origin."""
        ...


class Opens(Protocol):
    """``RUN`` of a connector's run part: opens a connection."""

    def __call__(self, parameters: Any) -> Connector:
        """Open a connection with the checked parameters (the manifest's pydantic model, secrets included)."""
        ...
