"""Connections and the sources that read from them: what is kept, and what can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, MaxLen, doc

from aimass.collector.domain import Cursor, Limit, SourceSlug, Workspace

Reading = Literal["full", "incremental", "changes", "stream"]
Into = Literal["append", "replace", "merge"]
DriftPolicy = Literal["evolve", "propose", "freeze"]
Poison = Literal["skip", "stop"]
ConnectionSlug = Annotated[str, MaxLen(63), doc("slug of the connection")]
LOAD = "collector.load"
WIDER = {"integer": ("float", "decimal"), "date": ("timestamp",)}  # what a type may become without a loss
HIDDEN = "***"


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
class Connection:
    """Where data lives, and how one gets there.

    Attributes
    ----------
    parameters
        As the connector wants them; secrets are shown as ``***``.
    answer
        What the last check brought: ``ok``, ``told`` and ``at``; None before the first.
    """

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
class CreateConnection:
    """Create a connection; secrets are sealed and never shown again."""

    workspace: Workspace
    name: Annotated[str, doc("what it is called")]
    connector: Annotated[str, MaxLen(60), doc("name of an installed connector")]
    parameters: Annotated[dict[str, Any], doc("as the connector describes them, secrets included")] = field(
        default_factory=dict[str, Any]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConnections:
    """List connections."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneConnection:
    """Name one connection."""

    workspace: Workspace
    connection: ConnectionSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConnection:
    """Change a connection; a secret that is left out, or is ``***``, stays."""

    workspace: Workspace
    connection: ConnectionSlug
    name: str | None = None
    parameters: Annotated[dict[str, Any] | None, doc("all parameters; secrets that are left out stay")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a check brought."""

    ok: bool
    told: str
    field: str | None = None
    hint: str = ""


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
class FoundStream:
    """Something that a connection offers: a table, a topic, a path."""

    name: str
    columns: list[LoadedColumn] = field(default_factory=list[LoadedColumn])
    keys: list[str] = field(default_factory=list[str])
    cursors: list[str] = field(default_factory=list[str])
    modes: list[str] = field(default_factory=list[str])
    rows: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeStream:
    """Name one stream of a connection."""

    workspace: Workspace
    connection: ConnectionSlug
    stream: Annotated[str, MaxLen(500), doc("table, topic, path: as discovery names it")]
    stream_parameters: Annotated[dict[str, Any], doc("as the connector describes them")] = field(
        default_factory=dict[str, Any]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewStream:
    """Read a few rows of a stream, typed as they would be stored; nothing is kept."""

    workspace: Workspace
    connection: ConnectionSlug
    stream: Annotated[str, MaxLen(500), doc("table, topic, path: as discovery names it")]
    stream_parameters: Annotated[dict[str, Any], doc("as the connector describes them")] = field(
        default_factory=dict[str, Any]
    )
    columns: Annotated[list[LoadedColumn], doc("types to read by; those that are proposed if absent")] = field(
        default_factory=list[LoadedColumn]
    )
    limit: Annotated[int, Interval(ge=1, le=200), doc("most rows")] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A few rows, and how many of them do not fit."""

    columns: list[LoadedColumn]
    rows: list[list[Any]]
    misfits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWish:
    """A stream to collect, and how; what is left out is taken from what the origin tells."""

    stream: Annotated[str, MaxLen(500)]
    stream_parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    name: Annotated[str, doc("name of the source; that of the stream if empty")] = ""
    dataset: str | None = None
    columns: Annotated[list[LoadedColumn], doc("the confirmed types; those that are proposed if absent")] = field(
        default_factory=list[LoadedColumn]
    )
    keys: list[str] | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectStreams:
    """Make a source of each stream: one, or a dozen tables at once."""

    workspace: Workspace
    connection: ConnectionSlug
    streams: Annotated[list[StreamWish], MaxLen(500), doc("what to collect")]
    reading: Annotated[Reading | None, doc("how it is read; the best that the stream offers if absent")] = None
    into: Annotated[
        Into | None, doc("append rows, replace all, or merge by keys; what suits the reading if absent")
    ] = None
    lag_s: Annotated[float, Ge(0), doc("how far below the last cursor the reading starts again")] = 0.0
    drift: Annotated[DriftPolicy, doc("what new columns do: appear, wait for an approval, or go to quarantine")] = (
        "evolve"
    )
    poison: Annotated[Poison | None, doc("a batch with too many bad rows is skipped into quarantine, or stops")] = None
    max_reject_rate: Annotated[
        float, Interval(ge=0, le=1), doc("share of bad rows above which a batch is poisoned")
    ] = 0.2
    with_run: Annotated[bool, doc("add the columns _run and _ingested_at")] = False
    every_s: Annotated[
        float | None,
        Interval(ge=0, le=31_536_000),
        doc(
            "seconds after a collection until the next begins by itself, 0 for at once; "
            "if absent only when asked, and what is pushed at once"
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReading:
    """Change how a source of a connection is read; what is left out stays."""

    workspace: Workspace
    source: SourceSlug
    columns: list[LoadedColumn] | None = None
    stream_parameters: dict[str, Any] | None = None
    reading: Reading | None = None
    into: Into | None = None
    keys: list[str] | None = None
    cursor: str | None = None
    lag_s: float | None = None
    drift: DriftPolicy | None = None
    poison: Poison | None = None
    with_run: bool | None = None
    every_s: Annotated[
        float | None,
        Interval(ge=-1, le=31_536_000),
        doc("seconds after a collection until the next begins by itself, 0 for at once; -1 for only when asked"),
    ] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDrift:
    """Whose changes at the origin are wanted."""

    workspace: Workspace
    source: SourceSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNote:
    """A difference between what was confirmed of a source and what its origin has.

    Attributes
    ----------
    kind
        ``new``, ``dropped``, ``renamed`` or ``type``.
    done
        What the policy made of it: ``added``, ``widened``, ``held`` (kept in ``_extra``), ``refused`` (rows went to quarantine),
        ``nulls``, ``same`` or ``cast``; or what somebody decided: ``accepted``, ``rejected`` or ``reopened``.
    decided_by
        Who decided; empty where the policy did.
    """

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
class Inbox:
    """What was pushed to a source and waits, and how webhooks reach it.

    Attributes
    ----------
    push, hook
        Addresses: for programs with a key, and for webhooks that sign; the second is empty while none is taken.
    scheme
        How webhooks sign: ``none``, ``github``, ``stripe`` or ``standard``.
    rows, size_bytes
        What waits to be collected; ``is_counted`` is False where the rows are an estimate.
    received_at
        When something was pushed last.
    old_until
        Until when the secret before the present one is valid too.
    """

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
class SetHook:
    """Give the webhook of a source a new secret; the first time it gets its address."""

    workspace: Workspace
    source: SourceSlug
    scheme: Annotated[
        Literal["github", "stripe", "standard"] | None, doc("how the sender signs; as before if absent")
    ] = None
    secret: Annotated[str | None, MaxLen(500), doc("the secret that the sender shows; a new one if absent")] = None
    keep_h: Annotated[float, Interval(ge=0, le=720), doc("hours for which the secret before stays valid")] = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHook:
    """A webhook with its secret, which is shown this once."""

    source: str
    hook: str
    scheme: str
    secret: str
    old_until: datetime | None
