"""What the origin has that was not confirmed: new, lost and changed columns, and what the policy makes of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from aimass.collector.children.casting import Bad, row_text
from aimass.collector.children.order import EXTRA
from aimass.collector.commands import WIDER
from aimass.collector.connectors.port import StreamColumn
from aimass.lake import type_name

EVOLVE, PROPOSE, FREEZE = "evolve", "propose", "freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One difference between what was confirmed and what is there; ``done`` says what was made of it."""

    column: str
    kind: str
    before: str = ""
    after: str = ""
    done: str = ""

    def told(self) -> dict[str, str]:
        """Write it as JSON."""
        return {name: getattr(self, name) for name in Note.__slots__}


class Drift:
    """Holds the confirmed columns against what comes.

    Attributes
    ----------
    columns
        What is stored: the confirmed columns, and those that the policy added.
    notes
        The differences, each once.
    proposed
        What waits for somebody's word under the policy ``propose``: ``column``, ``kind``, ``before`` and ``spec`` (the column as
        it would be stored). Only what widens is proposed.

    Examples
    --------
    >>> drift = Drift([StreamColumn(name="a", type="integer")], "evolve")
    >>> drift.seen([StreamColumn(name="A", type="integer"), StreamColumn(name="b", type="string")])
    >>> [(note.column, note.kind) for note in drift.notes], [column.name for column in drift.asked]
    ([('a', 'renamed'), ('b', 'new')], ['A', 'b'])
    """

    def __init__(self, pinned: Sequence[StreamColumn], policy: str, left_out: Collection[str] = ()) -> None:
        self.policy = policy
        self._left_out = frozenset(left_out) if policy != FREEZE else frozenset[str]()
        self.proposed: list[dict[str, Any]] = []
        self.columns: list[StreamColumn] = [column for column in pinned if column.name != EXTRA]
        self.asked: list[StreamColumn] = list(self.columns)
        self.notes: list[Note] = []
        self._confirmed = frozenset(column.name for column in self.columns)
        self._lower = frozenset(name.lower() for name in self._confirmed)
        self._numbered = {theirs: name for name in self._confirmed if (theirs := self._before_number(name))}
        self._names: dict[str, str] = {}  # of the origin to ours
        self._held: set[str] = set()
        if any(column.name == EXTRA for column in pinned):
            self._hold()

    def seen(self, there: Sequence[StreamColumn]) -> None:
        """Compare with the columns that the origin declares; ``asked`` is what to read from it."""
        found = {column.name: column for column in there}
        self.asked = []
        for column in list(self.columns):
            if column.name == EXTRA:
                continue
            match = found.get(column.name) or self._by_case(column.name, found)
            match = match or found.get(self._before_number(column.name))
            if match is None:
                self._note(column=column.name, kind="dropped", before=column.type, done="nulls")
                continue
            if match.name != column.name:
                self._names[match.name] = column.name
                if match.name.lower() == column.name.lower():
                    self._note(column=column.name, kind="renamed", before=column.name, after=match.name, done="same")
            self._compare(column, match)
            self.asked.append(replace(column, name=match.name))
        taken = {column.name for column in self.asked}
        for column in there:
            if column.name not in taken and column.name not in self._left_out:
                self.asked.append(column)
                self._new(column)

    def align(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series | None, list[Bad]]:
        """Bring a frame under our names; return it, which rows the policy lets through (None: all), and the others."""
        if self._names:
            frame = frame.rename({theirs: ours for theirs, ours in self._names.items() if theirs in frame.columns})
        ours = {column.name for column in self.columns}
        frame = frame.drop([name for name in frame.columns if name in self._left_out and name not in ours])
        for name in [name for name in frame.columns if name not in ours and name not in self._held]:
            if name in self._numbered:
                self._names[name] = self._numbered[name]
                continue
            clash = next((one for one in ours if one.lower() == name.lower()), None)
            if clash is not None and clash not in frame.columns:
                frame = frame.rename({name: clash})
                self._names[name] = clash
                self._note(column=clash, kind="renamed", before=clash, after=name, done="same")
                continue
            self._new(StreamColumn(name=name, type=type_name(frame[name].dtype)))
        frame = frame.rename({theirs: name for theirs, name in self._names.items() if theirs in frame.columns})
        held = [name for name in frame.columns if name in self._held]
        if not held:
            return frame, None, []
        return self._without(frame, held)

    def _without(self, frame: pl.DataFrame, held: list[str]) -> tuple[pl.DataFrame, pl.Series | None, list[Bad]]:
        """Take the columns out that were not confirmed: into ``_extra``, or the rows into quarantine."""
        if self.policy == FREEZE:
            filled = frame.select(pl.any_horizontal(pl.col(name).is_not_null() for name in held)).to_series()
            odd = frame.filter(filled)
            reason = f"the column {held[0]!r} is not confirmed"
            bad = [Bad(raw=row_text(row), column=held[0], reason=reason, kind="DRIFT") for row in odd.to_dicts()]
            return frame.filter(~filled).drop(held), ~filled, bad
        texts = [row_text(row) for row in frame.select(held).iter_rows(named=True)]
        extra = pl.Series(EXTRA, [None if text == "{}" else text for text in texts], pl.String)
        return frame.drop(held).with_columns(extra), None, []

    def _by_case(self, name: str, found: dict[str, StreamColumn]) -> StreamColumn | None:
        there = {other: column for other, column in found.items() if other not in self._numbered}
        alike = [column for other, column in there.items() if other.lower() == name.lower()]
        return alike[0] if len(alike) == 1 and alike[0].name not in self._confirmed else None

    def _before_number(self, ours: str) -> str:
        """Return what a column is called in the origin that :meth:`_free` numbered in an earlier load; nothing where it did not."""
        name, mark, number = ours.rpartition("_")
        is_ours = bool(mark) and number.isdecimal() and name.lower() in self._lower and name not in self._confirmed
        return name if is_ours else ""

    def _compare(self, ours: StreamColumn, theirs: StreamColumn) -> None:
        if not ours.native or not theirs.native or ours.native == theirs.native:
            return
        done = "cast"
        wide = replace(theirs, name=ours.name, nullable=ours.nullable)
        is_wider = theirs.type in WIDER.get(ours.type, ())
        if self.policy == EVOLVE and is_wider:
            self.columns[self.columns.index(ours)] = wide
            done = "widened"
        elif self.policy == PROPOSE and is_wider:
            self._propose("type", wide, ours.type)
        self._note(column=ours.name, kind="type", before=ours.native, after=theirs.native, done=done)

    def _new(self, column: StreamColumn) -> None:
        """Decide on a column that is not confirmed."""
        name = self._free(column.name)
        if self.policy == EVOLVE:
            if name != column.name:
                self._names[column.name] = name
            self.columns.append(replace(column, name=name, nullable=True))
            self._note(column=name, kind="new", after=column.type, done="added")
            return
        self._held.add(column.name)
        if self.policy == PROPOSE:
            self._hold()
            if name == column.name:
                self._propose("new", replace(column, nullable=True))
        done = "held" if self.policy == PROPOSE else "refused"
        self._note(column=column.name, kind="new", after=column.type, done=done)

    def _propose(self, kind: str, spec: StreamColumn, before: str = "") -> None:
        self.proposed.append({"column": spec.name, "kind": kind, "before": before, "spec": asdict(spec)})

    def _free(self, name: str) -> str:
        """Return a name that differs from all others in more than case."""
        taken, count, free = {column.name.lower() for column in self.columns}, 1, name
        while free.lower() in taken:
            count += 1
            free = f"{name}_{count}"
        return free

    def _hold(self) -> None:
        if all(column.name != EXTRA for column in self.columns):
            self.columns.append(StreamColumn(name=EXTRA, type="json"))

    def _note(self, **told: Any) -> None:
        note = Note(**told)
        if note not in self.notes:
            self.notes.append(note)
