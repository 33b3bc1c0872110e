"""What is asked of the query service, what runs on it, and what has run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.domain import Cursor, Limit, Workspace

QueryState = Literal["SUCCEEDED", "FAILED", "CANCELLED"]
FileFormat = Literal["arrow", "parquet", "csv", "ndjson", "avro", "xlsx"]
Sql = Annotated[str, MaxLen(100_000), doc("one SELECT statement in DuckDB's dialect")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A query as every door of the service takes it.

    Attributes
    ----------
    via
        Where it came from: ``query``, ``console``, a file format.
    tag
        What a page knows its query by, to cancel it.
    """

    workspace: str
    sql: str
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    versions: dict[str, int | str] = field(default_factory=dict[str, int | str])
    timeout_s: float = 30.0
    via: str = "query"
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuery:
    """A query whose whole answer is wanted, as a file or a stream."""

    workspace: Workspace
    sql: Sql
    format: Annotated[FileFormat, doc("how the answer is written")] = "arrow"
    parameters: Annotated[dict[str, Any], doc("values by name, for $name in the statement")] = field(
        default_factory=dict[str, Any]
    )
    versions: Annotated[
        dict[str, int | str], doc("version by dataset: number, tag or moment; others in their newest")
    ] = field(default_factory=dict[str, int | str])
    timeout_s: Annotated[float, Ge(0.1), Le(3600), doc("time after which the query is stopped")] = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningQuery:
    """A query that runs, or waits until it can.

    Attributes
    ----------
    sql
        The statement.
    datasets
        What it reads, as soon as that is known.
    """

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
class OneQuery:
    """Which running query is meant."""

    workspace: Workspace
    query: Annotated[str, MaxLen(64), doc("id of the query")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQueryRuns:
    """Whose queries are wanted, the newest first."""

    workspace: Workspace
    everybody: Annotated[bool, doc("those of others too; needs lake.manage")] = False
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRun:
    """A query that has ended.

    Attributes
    ----------
    sql
        The statement as it was sent; it may hold personal data, so only who sent it and who manages the lake sees it.
    sha256
        Digest of the statement, as it stands in the audit log.
    """

    id: str
    workspace: str
    sql: str
    sha256: str
    datasets: list[str]
    state: QueryState
    error: str | None
    rows: int | None
    bytes: int | None
    seconds: float
    by: str
    by_name: str
    via: str
    started_at: datetime
