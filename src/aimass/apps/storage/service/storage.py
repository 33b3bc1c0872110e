"""What is kept, what goes for good and when, and collections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from shutil import disk_usage
from typing import Any

import structlog

from aimass.apps.storage.domain import (
    LARGEST,
    Cause,
    Collection,
    CollectNow,
    GoingReport,
    ListCollections,
    ListGoing,
    StorageReport,
    by_kind,
    by_part,
    report_of,
)
from aimass.apps.storage.events import COLLECTED
from aimass.apps.storage.service.erasures import Erasures
from aimass.apps.storage.service.files import Files
from aimass.apps.storage.settings import StorageSettings
from aimass.apps.storage.store import (
    add_collection,
    collections_page,
    drop_collection,
    forget_collections,
    interrupt_collections,
    need_collection,
    put_collection,
)
from aimass.infra.collecting import collecting
from aimass.infra.series import count
from aimass.kernel.capability import Capabilities, load
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.keeping import Going, Holding
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case

_LATELY_S, _FIRST_S = 60.0, 300.0
_log = structlog.get_logger("aimass.storage")


def build(registry: Registry) -> Storage:
    """Build the service."""
    return Storage(registry, StorageSettings())


class Storage(Erasures):
    """What looks after the disk and after what is to be forgotten, across all rooms."""

    def __init__(self, registry: Registry, settings: StorageSettings) -> None:
        super().__init__(registry, settings)
        self._files = Files(registry, settings)
        self._seen: tuple[datetime, StorageReport] | None = None
        self._next = self._database.clock.now() + timedelta(seconds=_FIRST_S)

    @use_case("GET /storage", permission="storage.read", cli="storage show")
    def show_storage(self, who: Principal) -> StorageReport:
        """Show what takes how much room on the disk, and how long it is kept."""
        del who
        own, missing = self._files.holdings()
        held: list[Holding] = [*own, *(found for hook in self._hooks("storage") for found in hook(self._registry))]
        disk = disk_usage(self._layout.root)
        largest = sorted((h for h in held if h.name), key=lambda h: -h.size_bytes)[:LARGEST]
        return StorageReport(
            total_bytes=sum(h.size_bytes for h in held),
            disk_bytes=disk.total,
            free_bytes=disk.free,
            parts=by_part(held),
            largest=largest,
            missing=missing,
        )

    def storage_lately(self, who: Principal) -> StorageReport:
        """Return what took room within the last minute, for pages that are opened often."""
        now = self._database.clock.now()
        if self._seen is None or (now - self._seen[0]).total_seconds() > _LATELY_S:
            self._seen = (now, self.show_storage(who))
        return self._seen[1]

    @use_case("GET /storage/going", permission="storage.read", cli="storage going")
    def list_going(self, who: Principal, command: ListGoing) -> GoingReport:
        """List what was deleted or has had its time, when it goes for good, and by which rule."""
        del who
        found = [*self._files.going(), *(going for hook in self._hooks("going") for going in hook(self._registry))]
        return report_of(found, self._database.clock.now(), command)

    @use_case("POST /storage/collections", permission="storage.manage", cli="storage collect", status=201)
    def collect_now(self, who: Principal, command: CollectNow) -> Collection:
        """Remove for good what has had its time and what nobody needs, or only tell what that would be."""
        if command.dry_run:
            return self._told(who)
        with collecting(self._layout.run):
            return self._collect(who, "person")

    @use_case("GET /storage/collections", permission="storage.read", cli="storage collections")
    def list_collections(self, who: Principal, command: ListCollections) -> Page[Collection]:
        """List the collections that removed something, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(collections_page(conn, command.cursor, command.limit), command.limit, lambda one: one.id)

    def collect_when_due(self) -> Collection | None:
        """Collect when the last time is long enough ago; a backup that is being written is waited for."""
        now = self._database.clock.now()
        if now < self._next:
            return None
        try:
            with collecting(self._layout.run):
                found = self._collect(SYSTEM, "schedule")
        except Conflict:
            return None
        self._next = now + timedelta(hours=self._settings.every_h)
        return found

    # -- one collection; the lock is held

    def _collect(self, who: Principal, cause: Cause) -> Collection:
        id_ = self._begin(who, cause)
        gone: list[Going] = []
        failed: list[str] = []
        for name, purge in self._purges():
            try:
                gone += purge()
            except Exception as fault:  # noqa: BLE001 the fault of one room keeps no other from collecting
                _log.error("a room could not collect", room=name, exc_info=fault)
                failed.append(f"{name}: {type(fault).__name__}")
        self._seen = None
        return self._end(who, id_, gone, failed)

    def _begin(self, who: Principal, cause: Cause) -> str:
        id_ = new_id()
        with self._database.change(who, ANYWHERE) as change:
            interrupt_collections(change, but=id_)
            forget_collections(change, change.now - timedelta(days=self._settings.history_days))
            values = {"id": id_, "state": "RUNNING", "cause": cause, "by": who.id, "by_name": who.name}
            add_collection(change, {**values, "started_at": change.now, "ended_at": None, **_counted([]), "error": ""})
        return id_

    def _end(self, who: Principal, id_: str, gone: list[Going], failed: list[str]) -> Collection:
        counted = _counted(gone)
        with self._database.change(who, ANYWHERE) as change:
            ended = {**counted, "state": "DONE", "ended_at": change.now, "error": "; ".join(failed)}
            put_collection(change, id_, **ended)
            found = need_collection(change.conn, id_)
            if found.cause == "schedule" and not gone and not failed:
                drop_collection(change, id_)
                return found
            detail = {**counted, "failed": len(failed)}
            change.audit("storage.collect", object_=f"collection:{id_}", detail=detail)
            change.event(COLLECTED, subject=f"collection:{id_}", data=detail)
        self._count(found)
        return found

    def _purges(self) -> list[tuple[str, Callable[[], list[Going]]]]:
        """Return the removals of the rooms, and last that of the files which these rooms need no more."""
        rooms = [c for c in self._registry.get(Capabilities) if c.collect]
        hooks = [(c.name, lambda face=str(c.collect): list(load(face)(self._registry))) for c in rooms]
        return [*hooks, ("files", self._files.purge)]

    def _told(self, who: Principal) -> Collection:
        """Return what a collection would remove now."""
        now = self._database.clock.now()
        due = self.list_going(who, ListGoing(is_due=True, limit=500)).items
        return Collection(
            id="",
            state="DONE",
            cause="person",
            by=who.id,
            by_name=who.name,
            started_at=now,
            ended_at=now,
            error="",
            **_counted(due),
        )

    def _hooks(self, name: str) -> list[Callable[[Registry], Any]]:
        return [load(face) for c in self._registry.get(Capabilities) if (face := getattr(c, name))]

    def _count(self, found: Collection) -> None:
        labels = {"workspace": ANYWHERE, "cause": found.cause}
        counted = {"storage_collected": found.things, "storage_collected_bytes": found.size_bytes}
        count(self._layout.series, found.started_at, [(name, labels, by) for name, by in counted.items()])


def _counted(gone: list[Going]) -> dict[str, Any]:
    things, size = sum(going.count for going in gone), sum(going.size_bytes for going in gone)
    return {"things": things, "size_bytes": size, "kinds": by_kind(gone)}
