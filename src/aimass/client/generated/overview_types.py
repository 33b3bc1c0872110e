"""Objects of overview. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange:
    """What applying one document does."""

    kind: str
    name: str
    action: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One fact of the event log."""

    seq: int
    time: datetime
    type: str
    subject: str
    actor: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that waits for somebody, with the page where it is settled."""

    kind: str
    title: str
    subject: str
    workspace: str
    since: datetime
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: what it is, and where its page is."""

    kind: str
    key: str
    workspace: str
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """How much one part of the data directory holds."""

    part: str
    size_bytes: int
    files: int
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The part of the lineage around one object."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """An object in the lineage; ``level`` is 0 for the one asked about, negative for what it came from."""

    kind: str
    id: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge:
    """An edge from where something came to what came of it."""

    source: str
    target: str
    via: str
    time: datetime
