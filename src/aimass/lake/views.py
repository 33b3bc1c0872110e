"""Views: a SELECT whose rows are kept as a dataset and made anew when its sources move on; and the inputs of their use cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.lake.domain import Cursor, DatasetSlug, Limit, Workspace
from aimass.lake.features import SourceVersion
from aimass.lake.saved import SavedSlug, Text

ViewState = Literal["NEW", "FRESH", "STALE", "REFRESHING", "FAILED"]
ViewLayer = Literal["silver", "gold"]
Refresh = Annotated[
    Literal["manual", "on_change"],
    doc("when it is refreshed: when somebody or a schedule asks, or by itself when a source has a new version"),
]
RefreshState = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "FRESH"]
Why = Literal["sources", "definition", "policies"]
MadeViewSlug = Annotated[str, MaxLen(63), doc("slug of the view")]
Values = dict[str, Any]
EVERY_S = 60.0
_LONGEST = timedelta(hours=6)
_MOST_FAILURES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A source that has moved on: the version that was read, and the newest one; None where it was not read, or is gone."""

    dataset: str
    read: int | None
    newest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view: what it asks, whose rights count for it, and how far its dataset is behind its sources.

    Attributes
    ----------
    saved_query
        Slug of the saved query whose text was taken; later changes of that text do not reach the view.
    dataset
        Slug of the dataset that it makes; nothing else may write to it.
    every_s
        Least time between two refreshes that begin by themselves.
    owner, owner_name
        Whose rights and policies count when it is refreshed.
    reads
        The datasets that it reads.
    state
        ``NEW`` until its first refresh, ``FRESH``, ``STALE``, ``REFRESHING``, or ``FAILED`` when the last refresh did: then its
        dataset is what the one before it made.
    why, behind
        What a stale one is behind of: its ``sources`` (and which of them), its own ``definition``, or ``policies``.
    number, rows
        The newest version of its dataset, and its rows.
    error
        Problem document of the last refresh, if that failed.
    job
        The job of the refresh that runs.
    """

    id: str
    workspace: str
    slug: str
    name: str
    description: str
    sql: str
    parameters: Values
    saved_query: str | None
    dataset: str
    layer: str | None
    refresh: str
    every_s: float
    owner: str
    owner_name: str
    reads: list[str]
    state: ViewState
    why: list[Why]
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
class ViewRefresh:
    """One refresh of a view.

    Attributes
    ----------
    cause
        ``manual``, ``on_change`` or ``schedule``.
    state
        ``FRESH`` in the answer to somebody who asked for a refresh that was not needed; it names the last one.
    sources
        The versions that were read.
    number, rows
        The version that was made.
    job
        The job; None when it could not even begin.
    """

    id: str
    workspace: str
    view: str
    cause: str
    state: RefreshState
    sources: list[SourceVersion]
    number: int | None
    rows: int | None
    job: str | None
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView:
    """A view to make; you are its owner."""

    workspace: Workspace
    name: Annotated[str, doc("any text; the slug is derived from it")]
    sql: Annotated[str | None, MaxLen(100_000), doc("one SELECT over datasets and other views")] = None
    saved_query: Annotated[str | None, MaxLen(63), doc("slug of a saved query whose text and values are taken")] = None
    parameters: Annotated[Values, doc("values by name, for $name in the statement")] = field(
        default_factory=dict[str, Any]
    )
    dataset: Annotated[str | None, MaxLen(63), doc("slug of the dataset that it makes, if not its own")] = None
    layer: ViewLayer = "gold"
    refresh: Refresh = "manual"
    every_s: Annotated[float, Ge(1), Le(604_800), doc("least time between two refreshes by itself")] = EVERY_S
    description: Text = ""
    slug: Annotated[str | None, doc("address of the view, if not the derived one")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListViews:
    """Which views are wanted, by address."""

    workspace: Workspace
    text: Annotated[str | None, MaxLen(200), doc("part of the name, slug or description")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneView:
    """Which view is meant."""

    workspace: Workspace
    view: MadeViewSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """What is to change of a view; what is absent stays. Who changes what it asks becomes its owner."""

    workspace: Workspace
    view: MadeViewSlug
    name: str | None = None
    sql: Annotated[str | None, MaxLen(100_000), doc("one SELECT over datasets and other views")] = None
    saved_query: Annotated[str | None, MaxLen(63), doc("slug of a saved query whose text and values are taken")] = None
    parameters: Annotated[Values | None, doc("values by name, in place of the present ones")] = None
    layer: ViewLayer | None = None
    refresh: Annotated[Literal["manual", "on_change"] | None, doc("when it is refreshed")] = None
    every_s: Annotated[float | None, Ge(1), Le(604_800), doc("least time between two refreshes by itself")] = None
    description: Annotated[str | None, MaxLen(20_000), doc("what it is for")] = None
    take_over: Annotated[bool, doc("become its owner: from then on it is refreshed under your rights")] = False
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteView:
    """Which view is to be deleted; its dataset stays, with every version."""

    workspace: Workspace
    view: MadeViewSlug
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshView:
    """Which view is to be refreshed."""

    workspace: Workspace
    view: MadeViewSlug
    force: Annotated[bool, doc("also when nothing has changed, for example when it reads the clock")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListViewRefreshes:
    """Whose refreshes are wanted, the newest first."""

    workspace: Workspace
    view: MadeViewSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneViewRefresh:
    """Which refresh is meant."""

    workspace: Workspace
    view: MadeViewSlug
    refresh: Annotated[str, MaxLen(26), doc("id of the refresh")]


def check_text(sql: str | None, saved_query: SavedSlug | None) -> None:
    """Refuse a view without a text, or with two.

    Examples
    --------
    >>> check_text("SELECT 1 AS one", None)
    """
    if (sql is None) == (saved_query is None):
        raise Invalid("a view has one text", field="sql", allowed="sql or saved_query")
    if sql is not None and not sql.strip():
        raise Invalid("a view needs its text", field="sql", value=sql)


def digest_of(sql: str, parameters: Mapping[str, Any]) -> str:
    """Return the checksum of what a view asks.

    Examples
    --------
    >>> digest_of("SELECT 1", {}) == digest_of("SELECT 2", {})
    False
    """
    return sha256(json.dumps([sql, parameters], sort_keys=True, default=str).encode()).hexdigest()


def circle_of(dataset: DatasetSlug, reads: Iterable[str], made_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the way from a dataset over what its view reads back to itself; empty when there is none.

    Parameters
    ----------
    made_of
        What the other views read, by the dataset that they make.

    Examples
    --------
    >>> circle_of("c", ["b", "orders"], {"b": ["a"], "a": ["c"]})
    ['c', 'b', 'a', 'c']
    >>> circle_of("c", ["b"], {"b": ["a"], "a": ["orders"]})
    []
    """
    ways, seen = [[dataset, source] for source in reads], set[str]()
    while ways:
        way = ways.pop()
        if way[-1] == dataset:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, source] for source in made_of.get(way[-1], ())]
    return []


def upstream(dataset: DatasetSlug, made_of: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the datasets of other views that a view reads, also through others.

    Examples
    --------
    >>> sorted(upstream("c", {"c": ["b", "orders"], "b": ["a"], "a": ["orders"]}))
    ['a', 'b']
    """
    found, left = set[str](), [dataset]
    while left:
        fresh = [source for source in made_of.get(left.pop(), ()) if source in made_of and source not in found]
        found |= set(fresh)
        left += fresh
    return found - {dataset}


def behind(
    reads: Iterable[str], sources: Iterable[Mapping[str, Any]], newest: Mapping[str, tuple[int, str]]
) -> list[Moved]:
    """Return the datasets that have another version than the one that was read.

    Parameters
    ----------
    sources
        What was read: ``dataset``, ``number`` and ``version_id``.
    newest
        Number and id of the newest version, by dataset.

    Examples
    --------
    >>> behind(["a", "b"], [{"dataset": "a", "number": 1, "version_id": "x"}], {"a": (2, "y"), "b": (1, "z")})
    [Moved(dataset='a', read=1, newest=2), Moved(dataset='b', read=None, newest=1)]
    """
    read = {source["dataset"]: source for source in sources}
    moved = list[Moved]()
    for dataset in reads:
        known, now = read.get(dataset), newest.get(dataset)
        if known is None or now is None or known["version_id"] != now[1]:
            number = None if known is None else known["number"]
            moved.append(Moved(dataset=dataset, read=number, newest=None if now is None else now[0]))
    return moved


def pause(every_s: float, failures: int) -> timedelta:
    """Return how long a view waits for its next refresh by itself: ever longer while refreshes of the same sources fail.

    Examples
    --------
    >>> pause(60, 0), pause(60, 2), pause(60, 40)
    (datetime.timedelta(seconds=60), datetime.timedelta(seconds=240), datetime.timedelta(seconds=21600))
    """
    once = timedelta(seconds=every_s)
    return once if not failures else max(once, min(once * 2 ** min(failures, _MOST_FAILURES), _LONGEST))
