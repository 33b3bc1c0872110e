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
    type: Literal["string", "integer", "float", "boolean", "timestamp", "date"]
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """How a file looks like being written; nothing is pinned until somebody confirms it."""

    format: str
    columns: list[ProposedColumn]
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
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
