"""Saved queries: a text with a name, run again with other values; and the inputs of their use cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.asking import Sql
from aimass.lake.domain import Cursor, Limit, Workspace

SavedSlug = Annotated[str, MaxLen(63), doc("slug of the saved query")]
Text = Annotated[str, MaxLen(20_000), doc("what it is for")]
Defaults = Annotated[dict[str, Any], doc("values by name, for $name in the statement, unless a run gives others")]
Shared = Annotated[bool, doc("everybody in the workspace who may use the lake sees and runs it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A query that is kept; who runs it sees what he may see.

    Attributes
    ----------
    parameters
        Values for ``$name`` in the statement, unless a run gives others.
    shared
        True: for everybody in the workspace; false: for its owner, and who manages the lake.
    """

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
class SaveQuery:
    """A query to keep."""

    workspace: Workspace
    name: Annotated[str, doc("any text; the slug is derived from it")]
    sql: Sql
    parameters: Defaults = field(default_factory=dict[str, Any])
    description: Text = ""
    shared: Shared = False
    slug: Annotated[str | None, doc("address of the query, if not the derived one")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSavedQueries:
    """Which saved queries are wanted, by name."""

    workspace: Workspace
    text: Annotated[str | None, MaxLen(200), doc("part of the name, slug or description")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSavedQuery:
    """Which saved query is meant."""

    workspace: Workspace
    saved_query: SavedSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSavedQuery:
    """What is to change of a saved query; what is absent stays."""

    workspace: Workspace
    saved_query: SavedSlug
    name: str | None = None
    sql: Annotated[str | None, MaxLen(100_000), doc("one SELECT statement in DuckDB's dialect")] = None
    parameters: Annotated[dict[str, Any] | None, doc("values by name, in place of the present ones")] = None
    description: Annotated[str | None, MaxLen(20_000), doc("what it is for")] = None
    shared: Annotated[bool | None, doc("whether everybody in the workspace sees it")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSavedQuery:
    """Which saved query is to be deleted."""

    workspace: Workspace
    saved_query: SavedSlug
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSavedQuery:
    """Which saved query is to run, and with which values."""

    workspace: Workspace
    saved_query: SavedSlug
    parameters: Annotated[dict[str, Any], doc("values by name, in place of the saved ones")] = field(
        default_factory=dict[str, Any]
    )
    limit: Annotated[int, Ge(1), Le(10_000), doc("rows wanted")] = 1000
    timeout_s: Annotated[float, Ge(0.1), Le(3600), doc("time after which the query is stopped")] = 30.0
