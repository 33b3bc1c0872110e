"""What an origin has that waits for somebody's word: records and commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Interval, MaxLen, doc

from aimass.collector.domain import Cursor, Limit, SourceSlug, Workspace

ProposalState = Literal["WAITING", "ACCEPTED", "REJECTED"]
Decision = Literal["accept", "reject", "reopen"]
DECIDED: dict[Decision, ProposalState] = {"accept": "ACCEPTED", "reject": "REJECTED", "reopen": "WAITING"}
OVER: dict[Decision, tuple[ProposalState, ...]] = {
    "accept": ("WAITING", "REJECTED"),
    "reject": ("WAITING",),
    "reopen": ("REJECTED",),
}
NewType = Literal["string", "integer", "float", "boolean", "timestamp", "date", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftProposal:
    """A column that the origin has and that was not confirmed, or a wider type of one that was.

    Attributes
    ----------
    kind
        ``new`` or ``type``.
    before, after
        Our type of it (empty where it is new), and the one that is proposed.
    native
        The type in the words of the origin.
    collection
        The collection that met it first, at ``created_at``.
    decided_by, decided_at
        Who accepted or rejected it; None while it waits.
    """

    id: str
    source: str
    column: str
    kind: str
    before: str
    after: str
    native: str
    state: ProposalState
    collection: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProposals:
    """Whose proposals are wanted, the newest first."""

    workspace: Workspace
    source: SourceSlug
    state: Annotated[ProposalState | None, doc("only these")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideDrift:
    """Accept or reject what is proposed, or have it proposed again after it was rejected."""

    workspace: Workspace
    source: SourceSlug
    decision: Annotated[Decision, doc("accept it, reject it, or propose again what was rejected")]
    columns: Annotated[list[str], MaxLen(1000), doc("names of columns; all that wait if absent")] = field(
        default_factory=list[str]
    )
    types: Annotated[
        dict[str, NewType], doc("types of new columns by name, where another one is wanted than the proposed")
    ] = field(default_factory=dict[str, NewType])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowExamples:
    """Name a proposed column of which some values are wanted."""

    workspace: Workspace
    source: SourceSlug
    column: Annotated[str, MaxLen(500), doc("name of the column")]
    limit: Annotated[int, Interval(ge=1, le=100), doc("most values")] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Values of a column as they came: from ``_extra``, else from the rows in quarantine because of it.

    Attributes
    ----------
    waiting
        Rows that wait in quarantine because of this column.
    """

    column: str
    values: list[Any]
    waiting: int
