"""What an origin has besides what was confirmed: proposed by a collection, decided by somebody, kept in the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from aimass.collector.commands import WIDER, LoadedColumn
from aimass.collector.domain import Source
from aimass.collector.events import DRIFT_DECIDED
from aimass.collector.proposals import (
    DECIDED,
    OVER,
    DecideDrift,
    DriftProposal,
    Examples,
    ListProposals,
    ShowExamples,
)
from aimass.collector.service.ground import Part, tell
from aimass.collector.service.reading import check_columns
from aimass.collector.store import need_source, put_source
from aimass.collector.store.links import add_drift
from aimass.collector.store.proposals import (
    proposal_of,
    proposals_in,
    proposals_page,
    put_proposal,
    waiting_sources,
)
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case

_PROPOSALS = "/workspaces/{workspace}/sources/{source}/proposals"
_NOTED = {"accept": "accepted", "reject": "rejected", "reopen": "reopened"}
_LOOK_S = 60.0


class Deciding(Part):
    """Use cases of proposals."""

    @use_case(f"GET {_PROPOSALS}", permission="collector.read", cli="sources proposals", on="source")
    def list_proposals(self, who: Principal, command: ListProposals) -> Page[DriftProposal]:
        """List the columns and types of an origin that wait for an approval, or got one; the newest first."""
        source = self._source(command.workspace, command.source)
        with self._database.read() as conn:
            rows = proposals_page(conn, source.id, command)
        return page_of(rows, command.limit, lambda one: one.id)

    @use_case(f"POST {_PROPOSALS}", permission="collector.edit", cli="sources decide", on="source")
    def decide_drift(self, who: Principal, command: DecideDrift) -> list[DriftProposal]:
        """Accept or reject what is proposed, all of it or some columns; later collections obey.

        An accepted column is stored from the next collection on, and an accepted type widens the column. A rejected column is left
        out, and not proposed again until it is reopened. Rows that wait in quarantine for an accepted type can be replayed.
        """
        with self._database.change(who, command.workspace) as change:
            source = need_source(change.conn, command.workspace, command.source)
            chosen = _chosen(proposals_in(change.conn, source.id, OVER[command.decision]), command)
            if command.decision == "accept":
                self._accept(change, source, chosen, command.types)
            for row in chosen:
                _decide(change, row, command)
            facts = {"decision": command.decision, "columns": sorted({row.column for row in chosen})[:20]}
            tell(change, DRIFT_DECIDED, f"source:{source.slug}", {**facts, "count": len(chosen)})
            ids = {row.id for row in chosen}
            return [
                proposal_of(row)
                for row in proposals_in(change.conn, source.id, list(DECIDED.values()))
                if row.id in ids
            ]

    def _accept(self, change: Change, source: Source, chosen: Sequence[Row[Any]], types: Mapping[str, Any]) -> None:
        """Confirm the columns; what somebody named meanwhile stays as he named it."""
        columns = [LoadedColumn(**column) for column in source.plan["columns"]]
        for row in chosen:
            columns = _with(columns, LoadedColumn(**row.spec), row.kind, types.get(row.column))
        plan = {**source.plan, "columns": check_columns(columns)}
        if plan != source.plan and not put_source(change, source, plan=plan):
            raise Stale(f"source {source.slug!r} changed meanwhile", hint="decide once more")

    @use_case(f"GET {_PROPOSALS}/{{column}}/examples", permission="collector.read", cli="sources examples", on="source")
    def show_examples(self, who: Principal, command: ShowExamples) -> Examples:
        """Show values of a proposed column as they came; for those who see the whole dataset alone."""
        source = self._source(command.workspace, command.source)
        with self._database.read() as conn:
            known = {row.column for row in proposals_in(conn, source.id, list(DECIDED.values()))}
        if command.column not in known:
            raise _absent(command.column, sorted(known))
        who.need("lake.use", command.workspace, f"dataset:{source.dataset}")
        lake = self._ground.lake
        lake.need_whole(who, command.workspace, source.dataset, "what a collection put aside")
        args = {
            "target": str(lake.table_path(command.workspace, source.dataset)),
            "quarantine": str(lake.quarantine_path(command.workspace, source.dataset)),
            "source": source.id,
            "column": command.column,
            "limit": command.limit,
        }
        told = self._ground.warm.call("aimass.collector.children.examples:examples", args, timeout_s=_LOOK_S)
        return Examples(column=command.column, values=told["values"], waiting=told["waiting"])

    def proposed(self) -> list[dict[str, Any]]:
        """Return the sources with proposals that wait, of all workspaces: how many, and since when."""
        with self._database.read() as conn:
            rows = waiting_sources(conn)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            told = {"workspace": row.workspace, "source": row.source, "since": row.created_at, "count": 0}
            found.setdefault((row.workspace, row.source), told)["count"] += 1
        return list(found.values())


def _chosen(rows: Sequence[Row[Any]], command: DecideDrift) -> list[Row[Any]]:
    """Return the proposals that are meant: those that are named, else all that wait (or, to be reopened, were rejected)."""
    known = {row.column for row in rows}
    absent = sorted({*command.columns, *command.types} - known)
    if absent:
        raise _absent(absent[0], sorted(known))
    state = "REJECTED" if command.decision == "reopen" else "WAITING"
    chosen = [row for row in rows if row.column in command.columns or (not command.columns and row.state == state)]
    if not chosen:
        raise Conflict(f"nothing of source {command.source!r} is {state.lower()}", field="columns", value=[])
    odd = [row.column for row in chosen if row.kind != "new" and row.column in command.types]
    if odd:
        raise Invalid(f"column {odd[0]!r} is there already, and only widens", field="types", value=odd[0])
    return chosen


def _absent(column: str, known: list[str]) -> NotFound:
    return NotFound(f"no column {column!r} is proposed", field="columns", value=column, allowed=known[:50])


def _with(columns: list[LoadedColumn], proposed: LoadedColumn, kind: str, wanted: str | None) -> list[LoadedColumn]:
    """Return the columns with a proposed one, or with the wider type of one that is there.

    Examples
    --------
    >>> there = [LoadedColumn(name="a", type="integer", nullable=False)]
    >>> [column] = _with(there, LoadedColumn(name="a", type="float"), "type", None)
    >>> column.type, column.nullable, len(_with(there, LoadedColumn(name="b", type="date"), "new", "string"))
    ('float', False, 2)
    """
    if kind == "new":
        typed = proposed if wanted in (None, proposed.type) else LoadedColumn(name=proposed.name, type=wanted)  # pyright: ignore[reportArgumentType] checked by the command
        is_there = any(column.name.lower() == proposed.name.lower() for column in columns)
        return columns if is_there else [*columns, replace(typed, nullable=True)]
    return [
        replace(proposed, nullable=column.nullable)
        if column.name == proposed.name and proposed.type in WIDER.get(column.type, ())
        else column
        for column in columns
    ]


def _decide(change: Change, row: Row[Any], command: DecideDrift) -> None:
    """Keep a decision, and note it in the history of what changed at the origin."""
    is_open = command.decision == "reopen"
    told = {"decided_by": None if is_open else change.who.id, "decided_at": None if is_open else change.now}
    put_proposal(change, row.id, state=DECIDED[command.decision], **told)
    about = {name: getattr(row, name) for name in ("workspace", "source_id", "source", "collection", "column", "kind")}
    after = command.types.get(row.column) or row.spec["type"]
    about |= {"before": row.before, "after": after, "done": _NOTED[command.decision], "decided_by": change.who.id}
    add_drift(change, {"id": new_id(), **about, "created_at": change.now})
