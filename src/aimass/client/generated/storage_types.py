"""Objects of storage. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aimass.client.generated.kernel_types import Going, Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure: who asked and when, how far it is, what was erased, and what is left; never whom it is about."""

    id: str
    workspace: str
    column: str | None
    by: str
    by_name: str
    asked_at: datetime
    state: Literal["ASKED", "RUNNING", "SETTLING", "DONE", "INCOMPLETE"]
    origin: Literal["person", "restore", "account"]
    passes: int
    next_at: datetime | None
    ended_at: datetime | None
    erased: dict[str, int]
    left: list[str]
    later: list[str]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection: when, for whom, what went."""

    id: str
    state: Literal["RUNNING", "DONE", "INTERRUPTED"]
    cause: Literal["schedule", "person"]
    by: str
    by_name: str
    started_at: datetime
    ended_at: datetime | None
    things: int
    size_bytes: int
    kinds: dict[str, list[int]]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingReport:
    """What goes for good: how much of it now, how much in all, and the next ones by name."""

    due: int
    due_bytes: int
    waiting: int
    waiting_bytes: int
    items: list[Going]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReport:
    """What takes how much room."""

    total_bytes: int
    disk_bytes: int
    free_bytes: int
    parts: list[PartUse]
    largest: list[Holding]
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUse:
    """How much one part of the storage holds, of how many things, and how long these are kept."""

    part: str
    size_bytes: int
    count: int
    rule: str
