"""What takes room, what goes, and collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, doc

from aimass.kernel.erasing import Erased
from aimass.kernel.errors import Invalid
from aimass.kernel.keeping import Going, Holding
from aimass.kernel.pages import MAX_LIMIT
from aimass.kernel.usecase import AnyWorkspace

Cause = Literal["schedule", "person"]
CollectionState = Literal["RUNNING", "DONE", "INTERRUPTED"]
LARGEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUse:
    """How much one part of the storage holds, of how many things, and how long these are kept."""

    part: str
    size_bytes: int
    count: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReport:
    """What takes how much room.

    Attributes
    ----------
    disk_bytes, free_bytes
        Size and free bytes of the disk that the data directory lies on.
    largest
        The largest things that have a name: datasets, records of endpoints, topics.
    missing
        Files that a room names and that are not there; 0 when all is well.
    """

    total_bytes: int
    disk_bytes: int
    free_bytes: int
    parts: list[PartUse]
    largest: list[Holding]
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListGoing:
    """Which things are wanted that go for good, the next ones first."""

    workspace: Annotated[str, doc("only things of this workspace; * for all of them")] = "*"
    is_due: Annotated[bool, doc("only what a collection would remove now")] = False
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items")] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingReport:
    """What goes for good: how much of it now, how much in all, and the next ones by name."""

    due: int
    due_bytes: int
    waiting: int
    waiting_bytes: int
    items: list[Going]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectNow:
    """Remove for good what has had its time."""

    dry_run: Annotated[bool, doc("only tell what would go")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCollections:
    """Which collections are wanted, the newest first."""

    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection: when, for whom, what went.

    Attributes
    ----------
    kinds
        By kind of thing how many went, and how many bytes they took.
    error
        The rooms that failed; the others went on.
    """

    id: str
    state: CollectionState
    cause: Cause
    by: str
    by_name: str
    started_at: datetime
    ended_at: datetime | None
    things: int
    size_bytes: int
    kinds: Mapping[str, list[int]]
    error: str


def by_part(holdings: Iterable[Holding]) -> list[PartUse]:
    """Add up what rooms hold by part, the largest first; a part whose things have different rules tells none.

    Examples
    --------
    >>> one = Holding(part="datasets", size_bytes=2, count=1, rule="every version is kept")
    >>> by_part([one, one])
    [PartUse(part='datasets', size_bytes=4, count=2, rule='every version is kept')]
    """
    sizes: dict[str, list[Holding]] = {}
    for holding in holdings:
        sizes.setdefault(holding.part, []).append(holding)
    found = [
        PartUse(
            part=part,
            size_bytes=sum(h.size_bytes for h in held),
            count=sum(h.count for h in held),
            rule=held[0].rule if len({h.rule for h in held}) == 1 else "",
        )
        for part, held in sizes.items()
    ]
    return sorted(found, key=lambda use: -use.size_bytes)


def by_kind(gone: Iterable[Going]) -> dict[str, list[int]]:
    """Count things and bytes by kind.

    Examples
    --------
    >>> by_kind([])
    {}
    """
    found: dict[str, list[int]] = {}
    for going in gone:
        counted = found.setdefault(going.kind, [0, 0])
        counted[0] += going.count
        counted[1] += going.size_bytes
    return found


def report_of(found: Iterable[Going], now: datetime, command: ListGoing) -> GoingReport:
    """Sort what goes by when it does, and say how much is due."""
    mine = [going for going in found if command.workspace in ("*", going.workspace)]
    due = [going for going in mine if going.goes_at <= now]
    shown = sorted(due if command.is_due else mine, key=lambda going: (going.goes_at, going.kind, going.name))
    return GoingReport(
        due=sum(going.count for going in due),
        due_bytes=sum(going.size_bytes for going in due),
        waiting=sum(going.count for going in mine) - sum(going.count for going in due),
        waiting_bytes=sum(going.size_bytes for going in mine) - sum(going.size_bytes for going in due),
        items=shown[: command.limit],
    )


ErasureState = Literal["ASKED", "RUNNING", "SETTLING", "DONE", "INCOMPLETE"]
Origin = Literal["person", "restore", "account"]
_MAX_VALUES, _MAX_VALUE = 100, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AskErasure:
    """Whom to erase; in every workspace the account of that name or address goes as well."""

    workspace: AnyWorkspace
    values: Annotated[
        list[str], doc("what names the person: customer number, mail address; repeated, or @file with one a line")
    ]
    column: Annotated[str | None, doc("only in this column of tables; else where people are named")] = None

    def __post_init__(self) -> None:
        if not 0 < len(self.values) <= _MAX_VALUES:
            found = len(self.values)
            raise Invalid(f"there are {found} values", field="values", value=found, allowed=f"1 to {_MAX_VALUES}")
        if not all(value.strip() == value and 0 < len(value) <= _MAX_VALUE for value in self.values):
            raise Invalid(
                "a value is empty, too long, or begins or ends with a space",
                field="values",
                allowed=f"1 to {_MAX_VALUE} characters",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListErasures:
    """Whose erasures are wanted, the newest first."""

    workspace: AnyWorkspace
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneErasure:
    """Which erasure is meant."""

    workspace: AnyWorkspace
    erasure: Annotated[str, doc("id of the erasure")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitErasure:
    """Which erasure is waited for, and how long."""

    workspace: AnyWorkspace
    erasure: Annotated[str, doc("id of the erasure")]
    timeout_s: Annotated[float, Ge(0), Le(300), doc("longest time to wait")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure: who asked and when, how far it is, what was erased, and what is left; never whom it is about.

    Attributes
    ----------
    values
        How many values name the person.
    origin
        ``restore`` when a restored database had forgotten it, and the ledger had not; ``account`` when an account was erased
        among the people, which is kept so that no restore brings it back.
    erased
        How many things of each kind were erased.
    left
        What still holds a value, and what a person has to do about it.
    later
        What is erased once something has ended.
    error
        The rooms that failed; they are asked again.
    """

    id: str
    workspace: str
    column: str | None
    by: str
    by_name: str
    asked_at: datetime
    state: ErasureState
    origin: Origin
    passes: int
    next_at: datetime | None
    ended_at: datetime | None
    erased: Mapping[str, int]
    left: list[str]
    later: list[str]
    error: str

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more is done by itself."""
        return self.state in ("DONE", "INCOMPLETE")


def add_counts(before: Mapping[str, int], erased: Iterable[tuple[str, Erased]]) -> dict[str, int]:
    """Add what was erased now to what was erased before, by kind; a kind of which nothing was there is left out.

    Examples
    --------
    >>> add_counts({"logs": 1}, [("lake", Erased(what="rows of datasets", count=2)), ("x", Erased(what="logs", count=0))])
    {'logs': 1, 'rows of datasets': 2}
    """
    found = dict(before)
    for _, one in erased:
        if one.count:
            found[one.what] = found.get(one.what, 0) + one.count
    return found
