"""The inputs of the use cases that look at, merge and take back what happened to rows, and of branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.domain import BranchSlug, DatasetSlug, Number, NumberOrNewest, Workspace

MAX_MERGED_ROWS = 10_000
Offset = Annotated[int, Ge(0), doc("rows to leave out before")]
RowLimit = Annotated[int, Ge(1), Le(1000), doc("rows wanted")]
Prefer = Annotated[
    Literal["branch", "dataset"] | None, doc("whose row counts where both changed it; else such a merge is refused")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRows:
    """Which versions are compared row by row."""

    workspace: Workspace
    dataset: DatasetSlug
    base: Number
    head: NumberOrNewest = None
    of: Annotated[
        str | None, MaxLen(63), doc("dataset that the base is a version of, for example the one a branch comes from")
    ] = None
    keys: Annotated[list[str] | None, doc("columns that name a row; the keys of the dataset if absent")] = None
    offset: Offset = 0
    limit: RowLimit = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertVersion:
    """Which version is to be the newest again."""

    workspace: Workspace
    dataset: DatasetSlug
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRows:
    """Rows that take the place of those with the same keys, and keys of rows that go."""

    workspace: Workspace
    dataset: DatasetSlug
    rows: Annotated[list[dict[str, Any]], doc("rows to write, at most 10,000")] = field(
        default_factory=list[dict[str, Any]]
    )
    delete: Annotated[list[dict[str, Any]], doc("keys of rows to delete, at most 10,000")] = field(
        default_factory=list[dict[str, Any]]
    )
    key: Annotated[str | None, MaxLen(150), doc("the same key again changes nothing")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBranch:
    """A branch to make."""

    workspace: Workspace
    dataset: DatasetSlug
    branch: BranchSlug
    number: NumberOrNewest = None
    description: Annotated[str, MaxLen(20_000)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBranch:
    """Which branch is meant."""

    workspace: Workspace
    dataset: DatasetSlug
    branch: BranchSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeBranch:
    """Which branch is to be brought back, and whose row counts where both changed it."""

    workspace: Workspace
    dataset: DatasetSlug
    branch: BranchSlug
    prefer: Prefer = None
