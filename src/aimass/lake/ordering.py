"""The order in which the rows of a dataset lie: records and commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import MaxLen, doc

from aimass.lake.domain import DatasetSlug, Workspace

MOST_COLUMNS = 4
Order = Annotated[
    list[str],
    MaxLen(MOST_COLUMNS),
    doc("columns by whose values the rows lie, the most asked for first; none: as they came"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDataset:
    """By which columns the rows are to lie; none: as they come."""

    workspace: Workspace
    dataset: DatasetSlug
    columns: Order = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedOrder:
    """A column that queries ask for.

    Attributes
    ----------
    queries
        How many of the remembered queries compare it with a value.
    share
        Which share of the bytes they have to read, as the rows lie now.
    """

    column: str
    queries: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the rows of a dataset lie on disk.

    Attributes
    ----------
    ordered_by
        The columns by which they are to lie.
    share
        Which share of the bytes a query for one value of the first column reads now; None where there is no order.
    ordered_share
        The same after the last ordering; None before the first.
    proposals
        Columns by which an order would help, the most asked for first: only of tables large enough that it is worth while.
    """

    dataset: str
    ordered_by: list[str]
    share: float | None
    ordered_share: float | None
    files: int
    size_bytes: int
    proposals: list[ProposedOrder]
