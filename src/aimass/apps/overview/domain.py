"""What the overview shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Interval, Len, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Search everything that the caller may see."""

    q: Annotated[str, Len(1, 200), doc("words; the last one counts as a beginning")]
    kind: Annotated[str | None, doc("only this kind, for example dataset")] = None
    limit: Annotated[int, Interval(ge=1, le=50)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: what it is, and where its page is."""

    kind: str
    key: str
    workspace: str
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InWorkspace:
    """Name one workspace."""

    workspace: str


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
class ListActivity:
    """What happened lately."""

    workspace: str
    limit: Annotated[int, Interval(ge=1, le=200)] = 30


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
class TraceLineage:
    """Follow the lineage of one object."""

    workspace: str
    kind: Annotated[str, doc("for example dataset_version, run, model_version, revision")]
    id: Annotated[str, doc("id of the object")]
    hops: Annotated[int, Interval(ge=1, le=20), doc("how far to follow, each way")] = 6


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The part of the lineage around one object."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """How much one part of the data directory holds."""

    part: str
    size_bytes: int
    files: int
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySpecs:
    """Bring a workspace to the state that specs describe."""

    workspace: str
    documents: Annotated[list[dict[str, Any]], doc("objects with kind, name and spec")]
    dry_run: Annotated[bool, doc("only tell what would change")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange:
    """What applying one document does."""

    kind: str
    name: str
    action: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
