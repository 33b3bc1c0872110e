"""Sources, their runs (collections), and the rows that were put aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

CollectionState = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
ENDED: tuple[CollectionState, ...] = ("SUCCEEDED", "FAILED", "CANCELLED")
COLLECT = "collector.collect"
PUSHED = "push"
REPLAY = "collector.replay"
MODES = ("append", "replace")
Format = Literal["csv", "ndjson", "json", "xml", "fixed", "xlsx", "parquet", "arrow", "avro", "orc", "wav", "pictures"]
READING = (
    "format",
    "delimiter",
    "quote",
    "encoding",
    "header",
    "null_values",
    "sheet",
    "skip_rows",
    "record_path",
    "widths",
    "sample_rate",
    "clip_ms",
    "width",
    "height",
    "channels",
    "fit",
)

MOST_SIDE = 10_000
Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
SourceSlug = Annotated[str, MaxLen(63), doc("slug of the source")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")]
Cursor = Annotated[str | None, doc("where the page before ended")]
Sha256 = Annotated[str, MaxLen(64), doc("what the upload answered")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was sent: its SHA-256 names it from now on."""

    upload: str
    size: int
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """A column as it will be stored: its type, and whether a value may be missing."""

    name: str
    type: Literal["string", "integer", "float", "boolean", "timestamp", "date", "numbers", "boxes", "poses"]
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedColumn:
    """A proposed column, with examples, and the number of sampled cells that do not fit."""

    name: str
    type: str
    nullable: bool
    examples: list[Any] = field(default_factory=list[Any])
    misfits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """How a file looks like being written; nothing is pinned until somebody confirms it.

    Attributes
    ----------
    sheets
        The sheets of a workbook.
    """

    format: str
    columns: list[ProposedColumn]
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null_values: list[str] = field(default_factory=list[str])
    sheet: str = ""
    sheets: list[str] = field(default_factory=list[str])
    skip_rows: int = 0
    record_path: str = ""
    widths: list[int] = field(default_factory=list[int])
    sample_rate: int = 0
    clip_ms: int = 0
    width: int = 0
    height: int = 0
    channels: int = 0
    fit: str = ""
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where data comes from, how it is read, and the dataset that it fills.

    Attributes
    ----------
    plan
        Format, dialect and pinned columns; empty until the types were confirmed.
    mode
        ``append`` adds rows, ``replace`` makes each collection the whole dataset.
    max_reject_rate
        Share of bad rows above which a collection stores nothing.
    kind
        ``file`` for uploads, else the name of the connector.
    connection
        Slug of the connection that it reads from; empty for uploads.
    reading
        What of the connection is read, and how: stream, mode, cursor, keys, drift policy ...; empty for uploads.
    is_paused
        True while nothing is collected.
    progress
        Where the last collection ended: ``state``, ``batch``, ``at``, and what is tried again. The truth lies in the table.
    """

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
    reading: dict[str, Any] = field(default_factory=dict[str, Any])
    is_paused: bool = False
    progress: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_pinned(self) -> bool:
        """Tell whether the types were confirmed."""
        return bool(self.plan.get("columns"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One run of a source.

    Attributes
    ----------
    facts
        Of a collection from a connection: ``reading``, ``commits``, ``late`` and ``repeated`` rows, ``batch``, ``drift``.
    """

    id: str
    workspace: str
    source: str
    dataset: str
    number: int
    upload: str
    filename: str
    state: CollectionState
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
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSource:
    """Create a source, and the dataset that it fills when there is none."""

    workspace: Workspace
    name: Annotated[str, doc("what it is called; the dataset gets the same name")]
    dataset: Annotated[str | None, MaxLen(63), doc("slug of the dataset it fills")] = None
    keys: Annotated[list[str], doc("columns that name a row of a new dataset")] = field(default_factory=list[str])
    mode: Annotated[Literal["append", "replace"], doc("add rows, or replace them all")] = "append"
    max_reject_rate: Annotated[float, Interval(ge=0, le=1), doc("share of bad rows above which nothing is stored")] = (
        0.2
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSources:
    """List sources."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSource:
    """Name one source."""

    workspace: Workspace
    source: SourceSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSource:
    """Change how a source is loaded; what is left out stays."""

    workspace: Workspace
    source: SourceSlug
    name: str | None = None
    mode: Annotated[Literal["append", "replace"] | None, doc("add rows, or replace them all")] = None
    max_reject_rate: Annotated[float | None, doc("share of bad rows above which nothing is stored")] = None
    expected_version: int | None = None

    def __post_init__(self) -> None:
        if self.max_reject_rate is not None and not 0 <= self.max_reject_rate <= 1:
            raise Invalid("a rate is a share", field="max_reject_rate", value=self.max_reject_rate, allowed="0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeTypes:
    """Propose the types of an upload from a sample."""

    workspace: Workspace
    upload: Sha256
    filename: Annotated[str, MaxLen(255), doc("name of the file; its ending tells the format")] = ""
    given: Annotated[
        dict[str, Any], doc("what is known already, by the names of a plan: format, encoding, sheet, ...")
    ] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class PinTypes:
    """Confirm how a source is read; later collections obey and never guess."""

    workspace: Workspace
    source: SourceSlug
    columns: list[ColumnPlan]
    format: Annotated[Format, doc("how the file is written")] = "csv"
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null_values: Annotated[list[str], doc("texts that mean a missing value, besides the empty one")] = field(
        default_factory=list[str]
    )
    sheet: Annotated[str, MaxLen(255), doc("sheet of a workbook; empty: the first")] = ""
    skip_rows: Annotated[int, Interval(ge=0, le=10_000), doc("rows above the header: workbooks, fixed widths")] = 0
    record_path: Annotated[str, MaxLen(1000), doc("where the records of a JSON or XML document are: data/items")] = ""
    widths: Annotated[list[Annotated[int, Ge(1)]], doc("characters of each cell: fixed widths")] = field(
        default_factory=list[int]
    )
    sample_rate: Annotated[int, Interval(ge=0, le=192_000), doc("samples of a second that all clips of sound get")] = 0
    clip_ms: Annotated[int, Interval(ge=0, le=600_000), doc("milliseconds of each clip of sound")] = 0
    width: Annotated[int, Interval(ge=0, le=MOST_SIDE), doc("pixels of a row that all pictures get")] = 0
    height: Annotated[int, Interval(ge=0, le=MOST_SIDE), doc("rows of pixels that all pictures get")] = 0
    channels: Annotated[Literal[0, 1, 3], doc("numbers of a pixel: 1 for grey, 3 for colours")] = 0
    fit: Annotated[
        Literal["", "letterbox", "stretch"], doc("whether pictures of other proportions get borders or are stretched")
    ] = ""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCollection:
    """Collect an upload, or from the connection of the source.

    The same upload again is the same collection, unless another key is given.
    """

    workspace: Workspace
    source: SourceSlug
    upload: Annotated[str, MaxLen(64), doc("what the upload answered; none for a source of a connection")] = ""
    filename: Annotated[str, MaxLen(255)] = ""
    reading: Annotated[Literal["full"] | None, doc("read everything once, whatever the source does otherwise")] = None
    since: Annotated[str | None, MaxLen(100), doc("back-fill from this cursor on")] = None
    until: Annotated[str | None, MaxLen(100), doc("back-fill up to this cursor, which is not included")] = None
    key: Annotated[str | None, MaxLen(120), doc("makes it happen once, however often it is asked")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCollections:
    """List collections, newest first."""

    workspace: Workspace
    source: Annotated[str | None, doc("only of this source")] = None
    dataset: Annotated[str | None, doc("only into this dataset")] = None
    state: CollectionState | None = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCollection:
    """Name one collection."""

    workspace: Workspace
    collection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuarantine:
    """List the rows of a dataset that were put aside."""

    workspace: Workspace
    dataset: Annotated[str, MaxLen(63), doc("slug of the dataset")]
    offset: Annotated[int, Ge(0)] = 0
    limit: Annotated[int, Ge(1), Le(1000)] = 100


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
class Quarantined:
    """Some quarantined rows and how many there are in all."""

    total: int
    rows: list[QuarantinedRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedRow:
    """A row of the quarantine to read again; an empty text means the one it has."""

    id: str
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayQuarantine:
    """The rows to read again; none means all (10,000 at a time)."""

    workspace: Workspace
    dataset: Annotated[str, MaxLen(63), doc("slug of the dataset")]
    rows: Annotated[list[MendedRow], MaxLen(1000), doc("ids and mended texts; all rows if absent")] = field(
        default_factory=list[MendedRow]
    )
    key: Annotated[str | None, MaxLen(100), doc("makes it happen once, however often it is asked")] = None


EARLIEST = 0.02  # of the whole: what comes before it says nothing about the rest


def time_left(fraction: float | None, took_s: float) -> float | None:
    """Estimate how long a collection still takes, as if the rest went as what is done; None where nothing tells.

    Examples
    --------
    >>> time_left(0.25, 60), time_left(None, 60), time_left(0.001, 60)
    (180.0, None, None)
    """
    if fraction is None or not EARLIEST <= fraction <= 1:
        return None
    return took_s * (1 - fraction) / fraction
