"""Objects of lake. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset: a name under which versions of a table are kept."""

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    keys: list[str]
    ordered_by: list[str]
    layer: str | None
    parent: str | None
    latest: int | None
    rows: int | None
    bytes: int | None
    columns: int | None
    score: float | None
    passed: bool | None
    quarantined: int | None
    latest_at: datetime | None
    personal: list[str]
    retain_days: int | None
    created_by: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of one kind of entity: where they come from, and which moment each row speaks of."""

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    entity: list[str]
    entity_types: dict[str, str]
    dataset: str | None
    sql: str | None
    event_time: str
    created_time: str | None
    features: list[Feature]
    ttl_s: int | None
    tags: list[str]
    owner: str
    follows: bool
    online_rows: int
    online_at: datetime | None
    online_from: list[SourceVersion]
    skew: dict[str, Any] | None
    skew_limit: float
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of a view that models learn from."""

    name: str
    type: Literal["", "string", "integer", "float", "boolean", "timestamp", "date", "json"] = ""
    description: str = ""
    default: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """A version of a dataset that something was made from, and where its rows lie in the log of its table."""

    dataset: str
    number: int
    version_id: str
    delta_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody outside who reads shares with a bearer token."""

    id: str
    workspace: str
    slug: str
    name: str
    shares: list[str]
    expires_at: datetime
    grace_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A query that is kept; who runs it sees what he may see."""

    id: str
    workspace: str
    slug: str
    name: str
    description: str
    sql: str
    parameters: dict[str, Any]
    shared: bool
    owner: str
    owner_name: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """One version: a state of the table that never changes."""

    id: str
    workspace: str
    dataset: str
    number: int
    delta_version: int
    schema_hash: str
    columns: list[Field]
    rows: int
    bytes: int
    quarantined: int
    score: float
    passed: bool
    tag: str | None
    pinned: bool
    origin: str
    created_by: str
    created_at: datetime
    collected_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a version; of a decimal also how many digits it has, and how many of them after the point."""

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view: what it asks, whose rights count for it, and how far its dataset is behind its sources."""

    id: str
    workspace: str
    slug: str
    name: str
    description: str
    sql: str
    parameters: dict[str, Any]
    saved_query: str | None
    dataset: str
    layer: str | None
    refresh: str
    every_s: float
    owner: str
    owner_name: str
    reads: list[str]
    state: Literal["NEW", "FRESH", "STALE", "REFRESHING", "FAILED"]
    why: list[Literal["sources", "definition", "policies"]]
    behind: list[Moved]
    sources: list[SourceVersion]
    number: int | None
    rows: int | None
    refreshed_at: datetime | None
    error: dict[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A source that has moved on: the version that was read, and the newest one; None where it was not read, or is gone."""

    dataset: str
    read: int | None
    newest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """How well a version keeps the rules: score from 0 to 100, and each rule with the rows that break it."""

    dataset: str
    number: int
    score: float
    passed: bool
    rows: int
    quarantined: int
    rules: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """Which rows differ between two versions: how many, and some of them; without keys rows are added or removed, never changed."""

    dataset: str
    base: int
    head: int
    keys: list[str]
    added: int
    removed: int
    changed: int
    columns: list[Field]
    rows: list[RowChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A row that differs between two versions."""

    change: str
    key: dict[str, Any]
    before: list[Any] | None
    after: list[Any] | None
    cells: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed between two versions."""

    dataset: str
    base: int
    head: int
    rows: dict[str, int]
    rows_added: int | None
    rows_removed: int | None
    columns: dict[str, list[dict[str, Any]]]
    changed: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch: a dataset of its own that began with the rows of a version of another."""

    dataset: str
    branch: str
    parent: str
    description: str
    from_version: int
    base: int
    latest: int | None
    rows: int | None
    ahead: int
    behind: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientProfile:
    """What a recipient needs, told once: save ``profile`` as a file, and give it to the client."""

    recipient: str
    expires_at: datetime
    profile: dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Tables under one name that are shared together."""

    id: str
    workspace: str
    slug: str
    description: str
    tables: list[SharedTable]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """A dataset as recipients see it."""

    namespace: str
    name: str
    dataset: str
    history: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineValues:
    """What is known of one entity now."""

    entity: dict[str, Any]
    values: dict[str, Any]
    reasons: dict[str, Literal["unknown entity", "too old", "empty", "not materialised"]] = field(default_factory=dict)
    event_time: datetime | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Personal data in a column: its kind, and how sure that is; ``private`` columns are masked and kept out of the log."""

    column: str
    kind: str
    confidence: float
    by: str
    private: bool
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialisation:
    """One renewal of the online values of a view."""

    id: str
    workspace: str
    view: str
    mode: Literal["full", "incremental"]
    state: Literal["RUNNING", "SUCCEEDED", "SUPERSEDED", "FAILED", "CANCELLED"]
    sources: list[SourceVersion]
    rows: int
    removed: int
    job: str
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of a dataset: a row filter, or a mask on some columns."""

    id: str
    workspace: str
    dataset: str
    name: str
    filter: str
    columns: list[str]
    mask: Literal["hide", "null", "full", "token", "partial", "round"] | None
    keep: int
    step: str
    applies_to: list[str]
    exempt: list[str]
    granted: dict[str, list[str]]
    enabled: bool
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is in a version: counts, ranges, quantiles, histograms and top values per column."""

    dataset: str
    number: int
    rows: int
    columns: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How much room the datasets of a workspace take."""

    total_bytes: int
    datasets: list[Usage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much room a dataset takes on disk: the newest version, and everything with old versions and quarantine."""

    dataset: str
    name: str
    latest_bytes: int
    total_bytes: int
    quarantine_bytes: int
    versions: int
    retain_days: int | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A dataset version that was made by joining feature views as of the moments of a spine."""

    id: str
    workspace: str
    dataset: str
    number: int | None
    state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    title: str
    definition: dict[str, Any]
    sources: list[SourceVersion]
    rows: int | None
    digest: str | None
    report: dict[str, Any]
    rebuild_of: str | None
    job: str
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRefresh:
    """One refresh of a view."""

    id: str
    workspace: str
    view: str
    cause: str
    state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "FRESH"]
    sources: list[SourceVersion]
    number: int | None
    rows: int | None
    job: str | None
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRun:
    """A query that has ended."""

    id: str
    workspace: str
    sql: str
    sha256: str
    datasets: list[str]
    state: Literal["SUCCEEDED", "FAILED", "CANCELLED"]
    error: str | None
    rows: int | None
    bytes: int | None
    seconds: float
    by: str
    by_name: str
    via: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every version has to keep."""

    id: str
    kind: Literal["not_null", "unique", "range", "in_set", "regex", "row_count", "freshness"]
    column: str | None = None
    severity: Literal["error", "warning"] = "error"
    params: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningQuery:
    """A query that runs, or waits until it can."""

    id: str
    workspace: str
    state: Literal["WAITING", "RUNNING"]
    sql: str
    datasets: list[str]
    by: str
    by_name: str
    via: str
    started_at: datetime
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What upkeep did: files put together, files removed, bytes on disk afterwards."""

    dataset: str
    compacted: int
    removed: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a merge of a branch does, or did."""

    dataset: str
    branch: str
    fast_forward: bool
    added: int
    changed: int
    removed: int
    conflicts: int
    samples: list[RowConflict]
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConflict:
    """A row that branch and dataset both changed: as it was, and as it is in each; None where it is gone."""

    key: dict[str, Any]
    base: dict[str, Any] | None
    branch: dict[str, Any] | None
    dataset: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRows:
    """What a merge of rows did, and the version that it made; None when the same key had made it before."""

    dataset: str
    number: int
    inserted: int
    updated: int
    deleted: int
    already: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows, as lists in the order of the columns."""

    columns: list[Field]
    rows: list[list[Any]]
    truncated: bool = False
    total_columns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the rows of a dataset lie on disk."""

    dataset: str
    ordered_by: list[str]
    share: float | None
    ordered_share: float | None
    files: int
    size_bytes: int
    proposals: list[ProposedOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedOrder:
    """A column that queries ask for."""

    column: str
    queries: int
    share: float
