"""The inputs of the use cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.domain import (
    At,
    Cursor,
    DatasetSlug,
    Finding,
    Format,
    Layer,
    Limit,
    Number,
    NumberOrNewest,
    Rule,
    Workspace,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDataset:
    """A dataset to create."""

    workspace: Workspace
    name: Annotated[str, doc("any text; the slug is derived from it")]
    slug: Annotated[str | None, doc("address of the dataset, if not the derived one")] = None
    description: Annotated[str, MaxLen(20_000)] = ""
    keys: Annotated[list[str], doc("columns that name a row")] = field(default_factory=list[str])
    retain_days: Annotated[int | None, Ge(1), doc("age after which old versions are collected")] = None
    layer: Annotated[Layer | None, doc("how far its rows are worked up; else its first version decides")] = None
    ordered_by: Annotated[list[str], MaxLen(4), doc("columns by whose values its rows lie on disk")] = field(
        default_factory=list[str]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDatasets:
    """Which datasets are wanted, the newest first."""

    workspace: Workspace
    text: Annotated[str | None, MaxLen(200), doc("part of the name, slug or description")] = None
    layer: Annotated[Layer | None, doc("only those of this layer")] = None
    branches: Annotated[bool, doc("branches too")] = False
    deleted: Annotated[bool, doc("the deleted ones instead, which can still be restored")] = False
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDataset:
    """Which dataset is meant."""

    workspace: Workspace
    dataset: DatasetSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDataset:
    """What is to change; what is absent stays."""

    workspace: Workspace
    dataset: DatasetSlug
    name: str | None = None
    description: Annotated[str | None, MaxLen(20_000)] = None
    keys: Annotated[list[str] | None, doc("columns that name a row")] = None
    retain_days: Annotated[int | None, Ge(0), doc("age after which old versions are collected; 0 keeps them all")] = (
        None
    )
    layer: Annotated[Layer | None, doc("how far its rows are worked up")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDataset:
    """Which dataset is to be deleted."""

    workspace: Workspace
    dataset: DatasetSlug
    purge: Annotated[bool, doc("remove it at once and for good, with every version")] = False
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersions:
    """Whose versions are wanted, the newest first."""

    workspace: Workspace
    dataset: DatasetSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneVersion:
    """Which version is meant."""

    workspace: Workspace
    dataset: DatasetSlug
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutVersion:
    """Which version is meant; the newest if neither a number nor a moment is given."""

    workspace: Workspace
    dataset: DatasetSlug
    number: NumberOrNewest = None
    at: At = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeVersion:
    """What is to change of a version."""

    workspace: Workspace
    dataset: DatasetSlug
    number: Number
    tag: Annotated[str | None, doc("a name for the version; the empty text takes it away")] = None
    pinned: Annotated[bool | None, doc("keep it whatever the retention says")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRows:
    """Which rows are to be shown."""

    workspace: Workspace
    dataset: DatasetSlug
    number: NumberOrNewest = None
    at: At = None
    columns: Annotated[list[str] | None, doc("only these; the first 200 if absent")] = None
    offset: Annotated[int, Ge(0)] = 0
    limit: Annotated[int, Ge(1), Le(1000), doc("rows wanted")] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRows:
    """A SELECT over datasets of the workspace, each named by its slug (in double quotes when it has a dash)."""

    workspace: Workspace
    sql: Annotated[str, MaxLen(100_000), doc("one SELECT statement in DuckDB's dialect")]
    versions: Annotated[
        dict[str, int | str], doc("version by dataset: number, tag or moment; others in their newest")
    ] = field(default_factory=dict[str, int | str])
    parameters: Annotated[dict[str, Any], doc("values by name, for $name in the statement")] = field(
        default_factory=dict[str, Any]
    )
    limit: Annotated[int, Ge(1), Le(10_000), doc("rows wanted")] = 1000
    timeout_s: Annotated[float, Ge(0.1), Le(3600), doc("time after which the query is stopped")] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareVersions:
    """Which versions are compared."""

    workspace: Workspace
    dataset: DatasetSlug
    base: Number
    head: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeVersion:
    """A new version of a dataset, from a SELECT over datasets."""

    workspace: Workspace
    dataset: DatasetSlug
    sql: Annotated[str, MaxLen(100_000), doc("one SELECT statement over datasets of the workspace")]
    versions: dict[str, int | str] = field(default_factory=dict[str, int | str])
    mode: Annotated[
        Literal["append", "overwrite", "merge"],
        doc("add the rows, replace all, or write them over those with the same keys"),
    ] = "overwrite"
    key: Annotated[str | None, MaxLen(150), doc("the same key again starts nothing new")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRules:
    """The rules that a dataset has to keep from now on."""

    workspace: Workspace
    dataset: DatasetSlug
    rules: list[Rule]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClassification:
    """What is known of personal data in a dataset; it replaces what was found."""

    workspace: Workspace
    dataset: DatasetSlug
    columns: list[Finding]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWorkspace:
    """Which workspace is meant."""

    workspace: Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainDataset:
    """What upkeep is wanted."""

    workspace: Workspace
    dataset: DatasetSlug
    retain_hours: Annotated[int, Ge(0), doc("files younger than this stay")] = 168
    dry_run: Annotated[bool, doc("only count what would be removed")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRows:
    """Which version is to be written to a file."""

    workspace: Workspace
    dataset: DatasetSlug
    number: NumberOrNewest = None
    at: At = None
    format: Format = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """Facts of a version that a job has committed to the table of a dataset.

    Attributes
    ----------
    described
        What ``describe_version`` told.
    origin
        What made it, for example ``collection:01H...``.
    sources
        Where the rows come from, each ``(kind, id)``: the edges of its lineage.
    """

    workspace: str
    dataset: str
    described: dict[str, Any]
    origin: str
    sources: tuple[tuple[str, str], ...] = ()
    quarantined: int = 0
    created_by: str = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionOrder:
    """A version that another room wants made: from rows in a file, or by SQL over tables.

    Attributes
    ----------
    key
        Name of the transaction: the same key again makes nothing new.
    mode
        ``merge`` lets rows take the place of those with the same keys of the dataset; it takes a ``parquet`` file.
    parquet, ndjson
        A file with rows, for example in the outputs of a job.
    sql, tables
        A SELECT, and the tables in it: name to ``{"path", "version"}``.
    sources
        The lineage of the rows.
    """

    workspace: str
    dataset: str
    key: str
    mode: Literal["append", "overwrite", "merge"] = "append"
    parquet: str | None = None
    ndjson: str | None = None
    sql: str | None = None
    tables: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sources: tuple[tuple[str, str], ...] = ()
    origin: str = ""
