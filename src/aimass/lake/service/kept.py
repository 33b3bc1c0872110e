"""What is kept of datasets: versions within their retention, deleted datasets until their end, and no table that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.cluster import SubmitJob
from aimass.infra.tables import tables_of
from aimass.kernel.errors import Conflict, NotFound, Stale
from aimass.kernel.keeping import KEEP_DELETED_DAYS, Going, Holding
from aimass.kernel.names import check_slug
from aimass.kernel.principal import SYSTEM
from aimass.lake.commands import DeleteDataset
from aimass.lake.domain import DatasetVersion
from aimass.lake.events import VERSION_COLLECTED
from aimass.lake.held_store import let_go_of
from aimass.lake.service.erasing import Erasing
from aimass.lake.service.ground import tell
from aimass.lake.service.guarding import COPIES
from aimass.lake.service.upkeep import UPKEEP, size_of
from aimass.lake.store import datasets_of, kept_versions, mark_collected, version_of

_READERS_HOURS = 1
_ORPHAN_DAYS = 1
_COPY_DAYS = 7
_COPY = f"a copy of what a policy leaves goes {_COPY_DAYS} days after it was last used"
_DELETED = f"a deleted dataset is kept for {KEEP_DELETED_DAYS} days"
_ORPHAN = "a table that no dataset names goes after a day"


class Kept(Erasing):
    """What takes room, what goes for good, and when."""

    def holdings(self) -> list[Holding]:
        """Return how much room each dataset takes, deleted ones included."""
        with self._database.read() as conn:
            rows = datasets_of(conn, deleted=True)
            counts = {row.id: len(kept_versions(conn, row.id)) for row in rows}
        return [
            Holding(
                part="datasets",
                name=row.name,
                workspace=row.workspace,
                size_bytes=self._size(row.workspace, row.slug),
                count=counts[row.id],
                rule=_rule(row),
                path="" if row.deleted_at else f"/{row.workspace}/data/{row.slug}",
            )
            for row in rows
        ]

    def going(self) -> list[Going]:
        """Return the deleted datasets, the versions that grow too old, and tables that no dataset names."""
        with self._database.read() as conn:
            rows = datasets_of(conn, deleted=True)
            ageing = [(row, version) for row in rows for version in _ageing(row, kept_versions(conn, row.id))]
        deleted = [self._going(row) for row in rows if row.deleted_at is not None]
        found = [*deleted, *(_old(row, version) for row, version in ageing)]
        return [*found, *(going for going, _ in (*self._orphans(), *self._copies()))]

    def purge(self) -> list[Going]:
        """Remove for good what was deleted long ago, versions that are too old, and tables that no dataset names."""
        return [*self._purge_deleted(), *self._collect_old(), *self._remove_orphans()]

    def leave(self, workspace: str) -> None:
        """Remove the folder of a workspace that is gone."""
        folder = self._ground.folder / check_slug(workspace)
        tables_of(folder).drop(folder)

    def _purge_deleted(self) -> list[Going]:
        now = self._database.clock.now()
        with self._database.read() as conn:
            rows = [row for row in datasets_of(conn, deleted=True) if row.deleted_at is not None]
        gone: list[Going] = []
        for row in rows:
            going = self._going(row)
            order = DeleteDataset(workspace=row.workspace, dataset=row.slug, purge=True, expected_version=row.version)
            if going.goes_at <= now:
                with suppress(NotFound, Stale, Conflict):  # somebody restored it, or purged it, at this moment
                    self.delete_dataset(SYSTEM, order)
                    gone.append(going)
        return gone

    def _collect_old(self) -> list[Going]:
        """Give up versions that are older than their dataset keeps them; a job removes the files that only they need."""
        now = self._database.clock.now()
        with self._database.read() as conn:
            rows = datasets_of(conn)
        gone: list[Going] = []
        for row in rows:
            with self._database.read() as conn:
                found = [_old(row, version) for version in _ageing(row, kept_versions(conn, row.id))]
            if any(old.goes_at <= now for old in found):
                gone += self._give_up(row, now)
        return gone

    def _give_up(self, row: Row[Any], now: datetime) -> list[Going]:
        with self._database.change(SYSTEM, row.workspace) as change:
            kept = [version_of(version) for version in kept_versions(change.conn, row.id)]
            due = [version for version in _ageing(row, kept) if _old(row, version).goes_at <= now]
            mark_collected(change, [version.id for version in due], change.now)
            let_go_of(change, row.workspace, row.slug, [version.number for version in due])
            for version in due:
                tell(change, VERSION_COLLECTED, row.slug, {"number": version.number})
            gone = {version.id for version in due}
            wish = SubmitJob(
                workspace=row.workspace,
                kind=UPKEEP,
                title=f"Remove old files of {row.slug}",
                payload={
                    "path": str(self.table_path(row.workspace, row.slug)),
                    "pinned": [version.delta_version for version in kept if version.id not in gone],
                    "retain_hours": _READERS_HOURS,
                },
                subject=f"dataset:{row.slug}",
            )
            self._ground.jobs.enqueue(change, wish)
        return [_old(row, version) for version in due]

    def _remove_orphans(self) -> list[Going]:
        now = self._database.clock.now()
        due = [(going, table) for going, table in (*self._orphans(), *self._copies()) if going.goes_at <= now]
        for _, table in due:
            tables_of(table).drop(table)
        return [going for going, _ in due]

    def _orphans(self) -> Iterator[tuple[Going, Path]]:
        """Yield the tables that a crash left: a dataset is forgotten before its files are."""
        with self._database.read() as conn:
            known = {(row.workspace, row.slug) for row in datasets_of(conn, deleted=True)}
        tables = tables_of(self._ground.folder)
        for workspace in tables.folders(self._ground.folder):
            own = (table for table in tables.folders(workspace) if not table.name.startswith("_"))
            for table in (*own, *tables.folders(workspace / "_quarantine")):
                if (workspace.name, table.name) not in known and (since := tables.used_at(table)) is not None:
                    yield _orphan(table, workspace.name, since), table

    def _copies(self) -> Iterator[tuple[Going, Path]]:
        """Yield the copies that were made for people who see only a part of a dataset."""
        tables = tables_of(self._ground.folder)
        for workspace in tables.folders(self._ground.folder):
            for table in (copy for dataset in tables.folders(workspace / COPIES) for copy in tables.folders(dataset)):
                since = tables.used_at(table)
                if since is not None:
                    yield _copy(table, workspace.name, since), table

    def _size(self, workspace: str, dataset: str) -> int:
        places = (self.table_path, self.quarantine_path, self.copies_path)
        return sum(size_of(place(workspace, dataset)) for place in places)

    def _going(self, row: Row[Any]) -> Going:
        return Going(
            kind="dataset",
            name=row.name,
            workspace=row.workspace,
            since=row.deleted_at,
            goes_at=row.deleted_at + timedelta(days=KEEP_DELETED_DAYS),
            rule=_DELETED,
            size_bytes=self._size(row.workspace, row.slug),
        )


def _rule(row: Row[Any]) -> str:
    if row.deleted_at is not None:
        return _DELETED
    if row.retain_days is None:
        return "every version is kept"
    return f"versions are kept for {row.retain_days} days; the newest, pinned and tagged ones for ever"


def _ageing(row: Row[Any], versions: Any) -> list[DatasetVersion]:
    """Return the versions that retention takes one day: not the newest, no pinned or tagged one."""
    if row.retain_days is None or row.deleted_at is not None:
        return []
    found = [version if isinstance(version, DatasetVersion) else version_of(version) for version in versions]
    return [v for v in found if v.number not in (row.latest, row.base) and not v.pinned and v.tag is None]


def _old(row: Row[Any], version: DatasetVersion) -> Going:
    return Going(
        kind="dataset version",
        name=f"{row.name} version {version.number}",
        workspace=row.workspace,
        since=version.created_at,
        goes_at=version.created_at + timedelta(days=row.retain_days),
        rule=_rule(row),
        size_bytes=version.bytes,
    )


def _copy(table: Path, workspace: str, since: datetime) -> Going:
    return Going(
        kind="copy",
        name=table.parent.name,
        workspace=workspace,
        since=since,
        goes_at=since + timedelta(days=_COPY_DAYS),
        rule=_COPY,
        size_bytes=size_of(table),
    )


def _orphan(table: Path, workspace: str, since: datetime) -> Going:
    return Going(
        kind="table",
        name=table.name,
        workspace=workspace,
        since=since,
        goes_at=since + timedelta(days=_ORPHAN_DAYS),
        rule=_ORPHAN,
        size_bytes=size_of(table),
    )
