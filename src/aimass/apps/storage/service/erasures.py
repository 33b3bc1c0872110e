"""Erasures: asked for once, carried out by every room, kept, and carried out again after a restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Row, select

from aimass.access import Access
from aimass.apps.storage.domain import (
    AskErasure,
    Erasure,
    ErasureState,
    ListErasures,
    OneErasure,
    WaitErasure,
    add_counts,
)
from aimass.apps.storage.events import ERASED, ERASURE_ASKED
from aimass.apps.storage.ledger import Asked, Ledger, person_of, seal
from aimass.apps.storage.settings import StorageSettings
from aimass.apps.storage.store import (
    add_erasure,
    due_erasures,
    erasure_of,
    erasures_page,
    forget_authors,
    known_erasures,
    need_erasure,
    put_erasure,
)
from aimass.infra.database import Database, audit_log, events_log, mentioning, scrub
from aimass.infra.events import events_dead
from aimass.infra.scrubbing import scrub_text
from aimass.infra.secrets import Secrets
from aimass.infra.series import count
from aimass.kernel.capability import Capabilities, load
from aimass.kernel.erasing import ACCOUNT, Erased, Person
from aimass.kernel.errors import AimassError, Conflict, Failed
from aimass.kernel.events import Event
from aimass.kernel.ids import new_id
from aimass.kernel.layout import DataDir
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case

_PATH = "/workspaces/{workspace}/erasures"
_AGAIN = timedelta(minutes=10)
_MOST_PASSES = 7 * 24 * 6  # a week, every ten minutes
_SLOWEST_S = 3600.0
_AUDIT = "{n} entries of the audit log mention it: they cannot be changed without breaking the chain"
_log = structlog.get_logger("aimass.storage")


class Erasures:
    """Use cases of erasing."""

    def __init__(self, registry: Registry, settings: StorageSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._database = registry.get(Database)
        self._secrets = registry.get(Secrets)
        self._layout = registry.get(DataDir)
        self._ledger = Ledger(self._layout.erasures, settings.ledger_copy)

    @use_case(f"POST {_PATH}", permission="storage.manage", cli="erasures ask", status=201)
    def ask_erasure(self, who: Principal, command: AskErasure) -> Erasure:
        """Erase a person everywhere: datasets with every version, records, samples, splits, messages, jobs, files, logs.

        The values are kept sealed, and never stand in events, in the audit log or in a log.
        """
        id_ = new_id()
        with self._database.change(who, command.workspace) as change:
            asked = Asked(
                id=id_,
                workspace=command.workspace,
                column=command.column,
                by=who.id,
                by_name=who.name,
                asked_at=change.now,
                sealed=seal(self._secrets, id_, command.values),
            )
            add_erasure(change, asked, origin="person")
            detail = {"values": len(command.values), "column": command.column}
            change.audit("storage.erasure.ask", object_=f"erasure:{id_}", detail=detail)
            change.event(ERASURE_ASKED, subject=f"erasure:{id_}", data={"values": len(command.values)})
        self._ledger.add([asked])
        return self.get_erasure(who, OneErasure(workspace=command.workspace, erasure=id_))

    @use_case(f"GET {_PATH}", permission="storage.manage", cli="erasures list")
    def list_erasures(self, who: Principal, command: ListErasures) -> Page[Erasure]:
        """List the erasures of a workspace, newest first; what was erased is told, never whom."""
        del who
        with self._database.read() as conn:
            rows = erasures_page(conn, command.workspace, command.cursor, command.limit)
        return page_of(rows, command.limit, lambda one: one.id)

    @use_case(f"GET {_PATH}/{{erasure}}", permission="storage.manage", cli="erasures show")
    def get_erasure(self, who: Principal, command: OneErasure) -> Erasure:
        """Show how far an erasure is, and what every room erased."""
        del who
        with self._database.read() as conn:
            return need_erasure(conn, command.workspace, command.erasure)

    @use_case(f"GET {_PATH}/{{erasure}}/wait", permission="storage.manage", cli="erasures wait")
    def wait_erasure(self, who: Principal, command: WaitErasure) -> Erasure:
        """Wait until an erasure has come to its end, at most as long as asked."""
        end, seen = time.monotonic() + command.timeout_s, self._database.commits
        one = OneErasure(workspace=command.workspace, erasure=command.erasure)
        while not (found := self.get_erasure(who, one)).has_ended and time.monotonic() < end:
            seen = self._database.wait(seen, min(1.0, end - time.monotonic()))
        return found

    @use_case(f"POST {_PATH}/{{erasure}}/repeat", permission="storage.manage", cli="erasures repeat")
    def repeat_erasure(self, who: Principal, command: OneErasure) -> Erasure:
        """Carry an erasure out once more, for example when what it could not erase was mended."""
        asked = next((one for one in self._ledger.entries() if one.id == command.erasure), None)
        with self._database.change(who, command.workspace) as change:
            found = need_erasure(change.conn, command.workspace, command.erasure)
            if not found.has_ended:
                raise Conflict(f"erasure {found.id!r} is under way", value=found.state)
            if asked is None:
                raise Failed(f"the ledger does not have erasure {found.id!r}", hint="ask for it anew")
            again = {"state": "ASKED", "next_at": change.now, "passes": 0, "ended_at": None, "sealed": asked.sealed}
            put_erasure(change, found.id, **again)
            change.audit("storage.erasure.repeat", object_=f"erasure:{found.id}")
        return self.get_erasure(who, command)

    def keep_account(self, event: Event) -> None:
        """Note an account that was erased among the people, by its id, so that no restore brings it back.

        The event gives the erasure its id: told twice, it is noted once.
        """
        account = event.subject.partition(":")[2]
        asked = Asked(
            id=event.id,
            workspace=ANYWHERE,
            column=None,
            by=event.actor,
            by_name=self._registry.get(Access).names_of([event.actor]).get(event.actor, event.actor),
            asked_at=event.time,
            sealed=seal(self._secrets, event.id, [f"{ACCOUNT}{account}"]),
        )
        with self._database.change(SYSTEM, ANYWHERE) as change:
            if event.id not in known_erasures(change.conn):
                add_erasure(change, asked, origin="account", erased={"accounts": 1})
        self._ledger.add([asked])

    def faults(self) -> tuple[int, list[str]]:
        """Return how many erasures are kept, and what is wrong: the ledger lacks one, its values cannot be read, or a room fails."""
        with self._database.read() as conn:
            known, under_way = known_erasures(conn), due_erasures(conn, None)
        try:
            kept = {asked.id: asked for asked in self._ledger.entries()}
        except Failed as reason:
            return 0, [reason.message]
        faults = [f"{self._layout.erasures.name} lacks erasure {id_}" for id_ in sorted(known.keys() - kept.keys())]
        for asked in kept.values():
            try:
                person_of(self._secrets, asked)
            except AimassError:
                faults.append(f"the values of erasure {asked.id} cannot be read")
        return len(kept), [*faults, *(f"erasure {row.id} goes on: {row.error}" for row in under_way if row.error)]

    # -- carrying out

    def erase_due(self) -> int:
        """Take up what the ledger has and the database does not, then carry out what is due; return how many."""
        try:
            self.take_up()
        except (AimassError, OSError) as reason:  # what the database has is carried out all the same
            _log.error("the ledger of erasures is out of reach", reason=str(reason))
        with self._database.read() as conn:
            due = due_erasures(conn, self._database.clock.now())
        for row in due:
            self._carry_out(row)
        return len(due)

    def take_up(self, more: Sequence[Asked] = ()) -> list[str]:
        """Bring ledger and database together; return the erasures that a restored database had forgotten."""
        with self._database.read() as conn:
            known = known_erasures(conn)
        self._ledger.add([*(asked for asked in known.values() if asked is not None), *more])
        missing = [asked for asked in self._ledger.entries() if asked.id not in known]
        for asked in missing:
            with self._database.change(SYSTEM, asked.workspace) as change:
                add_erasure(change, asked, origin="restore")
                change.audit("storage.erasure.replay", object_=f"erasure:{asked.id}", detail={"by": asked.by})
        return [asked.id for asked in missing]

    def replay(self, more: Sequence[Asked] = ()) -> int:
        """Carry out every erasure that is open at once, as a restore does before anybody sees its data.

        The platform looks once more after its start, for records that were on their way in the backup.

        Raises
        ------
        Failed
            A room could not erase.
        """
        self.take_up(more)
        with self._database.read() as conn:
            rows = due_erasures(conn, None)
        for row in rows:
            self._carry_out(row)
            with self._database.read() as conn:
                found = need_erasure(conn, row.workspace, row.id)
            if found.error:
                raise Failed(
                    f"erasure {row.id} could not be carried out again: {found.error}", hint="see its cause, then repeat"
                )
        return len(rows)

    def _carry_out(self, row: Row[Any]) -> None:
        asked = erasure_of(row)
        try:
            person = person_of(self._secrets, _asked(row))
        except AimassError as reason:
            self._note(row, [], error=reason.message)
            return
        erased: list[tuple[str, Erased]] = []
        failed: list[str] = []
        for name, erase in self._erasing():
            try:
                erased += [(name, one) for one in erase(person)]
            except Exception as fault:  # noqa: BLE001 one room never keeps the others from erasing; it is asked again
                _log.error("a room could not erase", room=name, erasure=asked.id, fault=type(fault).__name__)
                failed.append(f"{name}: {type(fault).__name__}")
        self._database.overwrite_deleted()
        self._note(row, erased, error="; ".join(failed))

    def _erasing(self) -> list[tuple[str, Callable[[Person], list[Erased]]]]:
        """Return what the rooms do, and last what belongs to none of them."""
        rooms = [(room.name, room.erase) for room in self._registry.get(Capabilities) if room.erase]
        return [*((name, partial(load(face), self._registry)) for name, face in rooms), ("apps.storage", self._own)]

    def _own(self, person: Person) -> list[Erased]:
        """Erase from what belongs to no room: the event log, and the logs of processes."""
        here = [] if person.workspace == ANYWHERE else [events_log.c.workspace == person.workspace]
        with self._database.change(SYSTEM, person.workspace) as change:
            told = scrub(change, events_log, ["data"], person, *here)
            scrub(change, events_dead, ["error"], person)
            authors = forget_authors(change, person)
            mine = [] if person.workspace == ANYWHERE else [audit_log.c.workspace == person.workspace]
            entries = change.execute(select(audit_log.c.detail).where(mentioning([audit_log.c.detail], person), *mine))
            n = sum(person.scrubbed(detail) != detail for detail in entries.scalars())
        logs = [file for file in self._layout.logs.rglob("*") if file.is_file()]
        scrubbed = sum(scrub_text(file, person) for file in logs)
        left = (_AUDIT.format(n=n),) if n else ()
        return [
            Erased(what="events", count=len(told), left=left),
            Erased(what="logs", count=scrubbed),
            Erased(what="names of authors", count=authors),
        ]

    def _note(self, row: Row[Any], erased: list[tuple[str, Erased]], *, error: str) -> None:
        now, passes = self._database.clock.now(), row.passes + 1
        left = sorted({text for _, one in erased for text in one.left})
        later = sorted({text for _, one in erased for text in one.later})
        state, next_at = self._after(row, now, error=error, later=later, left=left)
        has_ended = state in ("DONE", "INCOMPLETE")
        with self._database.change(SYSTEM, row.workspace) as change:
            values = {
                "state": state,
                "next_at": next_at,
                "passes": passes,
                "left": left,
                "later": later,
                "error": error,
            }
            values |= {"erased": add_counts(row.erased, erased), "ended_at": now if has_ended else None}
            put_erasure(change, row.id, **values, **({"sealed": None} if has_ended else {}))
            if has_ended:
                detail = {"state": state, "erased": sum(values["erased"].values()), "left": len(left)}
                change.audit("storage.erasure.finish", object_=f"erasure:{row.id}", detail={**detail, "by": row.by})
                change.event(ERASED, subject=f"erasure:{row.id}", data=detail)
        if has_ended:
            count(self._layout.series, now, [("storage_erasures", {"workspace": row.workspace, "state": state}, 1)])

    def _after(
        self, row: Row[Any], now: datetime, *, error: str, later: list[str], left: list[str]
    ) -> tuple[ErasureState, datetime | None]:
        """Say what comes after a pass: another one, when a room failed, when records were still on their way, or later."""
        if error:
            return "RUNNING", now + timedelta(seconds=min(_SLOWEST_S, 10.0 * 2 ** min(row.passes, 10)))
        if row.passes == 0:
            return "SETTLING", now + timedelta(seconds=self._settings.settle_s)
        if later and row.passes < _MOST_PASSES:
            return "SETTLING", now + _AGAIN
        return ("INCOMPLETE" if left or later else "DONE"), None


def _asked(row: Row[Any]) -> Asked:
    return Asked(**{name: getattr(row, name) for name in Asked.__slots__})
