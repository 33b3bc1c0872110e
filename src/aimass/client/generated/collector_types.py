"""Objects of collector. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One run of a source."""

    id: str
    workspace: str
    source: str
    dataset: str
    number: int
    upload: str
    filename: str
    state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    job: str | None
    rows: int
    quarantined: int
    size_bytes: int
    reasons: list[dict[str, Any]]
    dataset_version: int | None
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where data lives, and how one gets there."""

    id: str
    workspace: str
    slug: str
    name: str
    connector: str
    parameters: dict[str, Any]
    answer: dict[str, Any] | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where data comes from, how it is read, and the dataset that it fills."""

    id: str
    workspace: str
    slug: str
    name: str
    kind: str
    dataset: str
    plan: dict[str, Any]
    mode: str
    max_reject_rate: float
    created_by: str
    created_at: datetime
    version: int
    connection: str = ""
    reading: dict[str, Any] = field(default_factory=dict)
    is_paused: bool = False
    progress: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedColumn:
    """A column as it is stored, and its type in the words of the origin."""

    name: str
    type: Literal["string", "integer", "float", "boolean", "timestamp", "date", "decimal", "json"]
    nullable: bool = True
    native: str = ""
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a check brought."""

    ok: bool
    told: str
    field: str | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWish:
    """A stream to collect, and how; what is left out is taken from what the origin tells."""

    stream: str
    stream_parameters: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    dataset: str | None = None
    columns: list[LoadedColumn] = field(default_factory=list)
    keys: list[str] | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftProposal:
    """A column that the origin has and that was not confirmed, or a wider type of one that was."""

    id: str
    source: str
    column: str
    kind: str
    before: str
    after: str
    native: str
    state: Literal["WAITING", "ACCEPTED", "REJECTED"]
    collection: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStream:
    """Something that a connection offers: a table, a topic, a path."""

    name: str
    columns: list[LoadedColumn] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    rows: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What was pushed to a source and waits, and how webhooks reach it."""

    source: str
    push: str
    hook: str
    scheme: str
    rows: int
    size_bytes: int
    is_counted: bool
    most_bytes: int
    received_at: datetime | None
    changed_at: datetime | None
    old_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorInfo:
    """A connector that is installed: what it reads, and the JSON schemas of what it wants to know."""

    name: str
    version: str
    title: str
    summary: str
    family: str
    modes: list[str]
    secrets: list[str]
    parameters: dict[str, Any]
    stream_parameters: dict[str, Any]
    extra: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNote:
    """A difference between what was confirmed of a source and what its origin has."""

    id: str
    source: str
    collection: str
    column: str
    kind: str
    before: str
    after: str
    done: str
    created_at: datetime
    decided_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Some quarantined rows and how many there are in all."""

    total: int
    rows: list[QuarantinedRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """A row that was put aside: its text, where it stood (line 0: could not be found again), and why."""

    id: str
    raw: str
    line: int
    column: str
    reason: str
    source: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """A column as it will be stored: its type, and whether a value may be missing."""

    name: str
    type: Literal["string", "integer", "float", "boolean", "timestamp", "date", "numbers", "boxes", "poses"]
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A few rows, and how many of them do not fit."""

    columns: list[LoadedColumn]
    rows: list[list[Any]]
    misfits: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """How a file looks like being written; nothing is pinned until somebody confirms it."""

    format: str
    columns: list[ProposedColumn]
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null_values: list[str] = field(default_factory=list)
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)
    skip_rows: int = 0
    record_path: str = ""
    widths: list[int] = field(default_factory=list)
    sample_rate: int = 0
    clip_ms: int = 0
    width: int = 0
    height: int = 0
    channels: int = 0
    fit: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedColumn:
    """A proposed column, with examples, and the number of sampled cells that do not fit."""

    name: str
    type: str
    nullable: bool
    examples: list[Any] = field(default_factory=list)
    misfits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedRow:
    """A row of the quarantine to read again; an empty text means the one it has."""

    id: str
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHook:
    """A webhook with its secret, which is shown this once."""

    source: str
    hook: str
    scheme: str
    secret: str
    old_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Values of a column as they came: from ``_extra``, else from the rows in quarantine because of it."""

    column: str
    values: list[Any]
    waiting: int
