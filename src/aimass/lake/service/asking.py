"""The one query service: what is asked runs in a data child, within limits, under the policies of who asks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.infra.compute import Stop
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import AimassError, Conflict, Failed, Forbidden, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.asking import Ask, FileQuery, ListQueryRuns, OneQuery, QueryRun, RunningQuery
from aimass.lake.commands import OneWorkspace, QueryRows
from aimass.lake.domain import Field, Rows
from aimass.lake.events import QUERY_RAN
from aimass.lake.query_store import add_run, drop_runs, drop_runs_before, runs_in, runs_page
from aimass.lake.service.reading import Reading

_MB = 2**20
_SPARE_S = 10.0
_PATH = "/workspaces/{workspace}/queries"


@dataclass(slots=True)
class _Run:
    """A query on its way, and what is known of it."""

    who: Principal
    wish: Ask
    began: datetime
    stop: Stop
    id: str = field(default_factory=new_id)
    clock: float = field(default_factory=time.monotonic)
    datasets: list[str] = field(default_factory=list[str])
    told: dict[str, Any] = field(default_factory=dict[str, Any])


class Asking(Reading):
    """Use cases of queries."""

    @use_case("POST /workspaces/{workspace}/query", permission="lake.use", cli="data query")
    def query(
        self, who: Principal, command: QueryRows, *, stop: Stop | None = None, via: str = "query", tag: str = ""
    ) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach.

        Rows and columns that a policy hides are not there, whatever the statement says. It ends when its time is over, when
        it is cancelled, and when who sent it has gone.
        """
        names = ("workspace", "sql", "parameters", "versions", "timeout_s")
        wish = Ask(**{name: getattr(command, name) for name in names}, via=via, tag=tag)
        settings = self._ground.settings
        more = {"limit": min(command.limit, settings.query_rows), "max_bytes": settings.query_answer_mb * _MB}
        told = self.answer(who, wish, "query:query", more, stop or Stop())
        columns = [Field.read(c) for c in told["columns"]]
        return Rows(columns=columns, rows=told["rows"], truncated=told["truncated"])

    def query_file(self, who: Principal, command: FileQuery, target: Path, *, stop: Stop | None = None) -> Path:
        """Write the whole answer of a query to a file, batch by batch."""
        who.need("lake.use", command.workspace)
        names = ("workspace", "sql", "parameters", "versions", "timeout_s")
        wish = Ask(**{name: getattr(command, name) for name in names}, via=command.format)
        more = {"format": command.format, "target": str(target), "max_bytes": self._ground.settings.query_file_mb * _MB}
        self.answer(who, wish, "answers:write", more, stop or Stop())
        return target

    @use_case(f"GET {_PATH}/running", permission="lake.use", cli="queries running")
    def list_running_queries(self, who: Principal, command: OneWorkspace) -> list[RunningQuery]:
        """List the queries that run or wait now: your own, and with lake.manage those of everybody."""
        found = self._ground.running.of(command.workspace)
        sees_all = who.allows("lake.manage", command.workspace)
        return [query for query in found if sees_all or query.by == who.id]

    @use_case(f"DELETE {_PATH}/running/{{query}}", permission="lake.use", cli="queries cancel")
    def cancel_query(self, who: Principal, command: OneQuery) -> None:
        """Stop a query that runs: your own, or with lake.manage that of somebody else."""
        query, stop = self._ground.running.find(command.workspace, command.query)
        if query.by != who.id and not who.allows("lake.manage", command.workspace):
            raise NotFound(f"query {command.query!r} does not run", field="query", value=command.query)
        stop.stop()
        with self._database.change(who, command.workspace) as change:
            change.audit("lake.query.cancel", object_=f"query:{query.id}", detail={"by": query.by})

    @use_case(f"GET {_PATH}/runs", permission="lake.use", cli="queries history")
    def list_query_runs(self, who: Principal, command: ListQueryRuns) -> Page[QueryRun]:
        """List the queries that have ended, newest first: your own, or those of everybody."""
        if command.everybody and not who.allows("lake.manage", command.workspace):
            raise Forbidden("the queries of others need lake.manage", field="everybody", value=True)
        by = None if command.everybody else who.id
        with self._database.read() as conn:
            rows = runs_page(conn, command.workspace, by, command.cursor, command.limit)
        return page_of([_told(row) for row in rows], command.limit, lambda run: run.id)

    def answer(self, who: Principal, wish: Ask, function: str, more: dict[str, Any], stop: Stop) -> dict[str, Any]:
        """Run a query by a function of the data child, and remember how it ended."""
        run = _Run(who=who, wish=wish, began=self._database.clock.now(), stop=stop)
        try:
            with self._ground.running.turn(_listed(run), stop, self._ground.settings.query_wait_s):
                self._prepare(run)
                run.told = self._answered(run, function, more)
        except AimassError as reason:
            error = Conflict("the query was cancelled", hint="run it again") if stop.is_stopped else reason
            self._remember(run, "CANCELLED" if stop.is_stopped else "FAILED", error)
            raise error from reason
        except Exception:
            self._remember(run, "FAILED", Failed("the query failed", hint="see the log of the platform"))
            raise
        self._remember(run, "SUCCEEDED", None)
        return run.told

    def _answered(self, run: _Run, function: str, more: dict[str, Any]) -> dict[str, Any]:
        """Run a query within the limits; what does not fit into memory goes to the disk, and from it with the query."""
        settings, wish = self._ground.settings, run.wish
        seconds = min(wish.timeout_s, settings.query_timeout_s)
        args = {"sql": wish.sql, "known": run.datasets, "parameters": wish.parameters, "timeout_s": seconds, **more}
        args |= {"memory_mb": settings.query_memory_mb, "spill_mb": settings.query_disk_mb, "keep": True}
        args |= self.tables_of(run.who, wish.workspace, {slug: wish.versions.get(slug) for slug in run.datasets})
        return self._call(function, args, seconds + _SPARE_S, run.stop)

    def _prepare(self, run: _Run) -> None:
        """Find which datasets a query reads."""
        readable = self.readable(run.who, run.wish.workspace, "lake.use")
        strange = sorted(set(run.wish.versions) - set(readable))
        if strange:
            raise NotFound(f"there is no dataset {strange[0]!r} to query", field="versions", value=strange[0])
        run.datasets = self.used_in(run.wish.sql, readable)
        self._ground.running.reads(run.id, run.datasets)

    def _remember(self, run: _Run, state: str, error: AimassError | None) -> None:
        """Keep what was asked; audit log and event get its digest alone, because the text may hold personal data."""
        wish, digest, seconds = run.wish, sha256(run.wish.sql.encode()).hexdigest(), time.monotonic() - run.clock
        rows = run.told.get("rows")
        count = len(rows) if isinstance(rows, list) else rows
        values = {"id": run.id, "workspace": wish.workspace, "sql": wish.sql, "sha256": digest, "state": state}
        values |= {"datasets": run.datasets, "error": error.message if error else None, "rows": count}
        values |= {"bytes": run.told.get("bytes"), "seconds": seconds, "by": run.who.id, "by_name": run.who.name}
        facts = {"sql_sha256": digest, "datasets": run.datasets, "rows": count, "state": state, "via": wish.via}
        facts["ms"] = round(seconds * 1000)
        self._ground.counters.add("lake_queries", state=state.lower())
        with self._database.change(run.who, wish.workspace) as change:
            add_run(change, {**values, "via": wish.via, "started_at": run.began})
            change.event(QUERY_RAN, subject=f"query:{run.id}", data=facts)
            change.audit("lake.query.run", object_=f"workspace:{wish.workspace}", detail=facts)

    @property
    def history_days(self) -> int:
        """Return for how many days is remembered what was asked."""
        return self._ground.settings.query_history_days

    def forget_queries(self) -> int:
        """Forget what was asked longer ago than it is remembered; return how much that was."""
        end = self._database.clock.now() - timedelta(days=self._ground.settings.query_history_days)
        with self._database.change(SYSTEM, "*") as change:
            return drop_runs_before(change, end)

    def erase_queries(self, person: Person) -> list[Erased]:
        """Forget the queries of a person, and those that name him."""
        with self._database.read() as conn:
            found = runs_in(conn)
        gone = [row.id for row in found if row.by in person.accounts or _names(person, row)]
        with self._database.change(SYSTEM, person.workspace) as change:
            drop_runs(change, gone)
        return [Erased(what="remembered queries", count=len(gone))]


def _listed(run: _Run) -> RunningQuery:
    return RunningQuery(
        id=run.id,
        workspace=run.wish.workspace,
        state="WAITING",
        sql=run.wish.sql,
        datasets=[],
        by=run.who.id,
        by_name=run.who.name,
        via=run.wish.via,
        started_at=run.began,
        tag=run.wish.tag,
    )


def _names(person: Person, row: Row[Any]) -> bool:
    return person.looks_at(row.workspace) and person.is_in(f"{row.sql} {row.error}")


def _told(row: Row[Any]) -> QueryRun:
    return QueryRun(**{name: getattr(row, name) for name in QueryRun.__dataclass_fields__})
