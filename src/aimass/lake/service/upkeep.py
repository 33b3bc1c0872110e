"""Upkeep: small files, old versions, room on disk, and rules checked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from aimass.cluster import SubmitJob
from aimass.infra.tables import LOG, tables_of
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict, TooMany
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import AboutVersion, MaintainDataset, OneWorkspace
from aimass.lake.domain import QualityReport, Storage, Upkeep, Usage
from aimass.lake.events import QUALITY_CHECKED, QUALITY_FAILED
from aimass.lake.service.ground import LONG_S, tell
from aimass.lake.service.saved import SavedQueries
from aimass.lake.store import (
    dataset_row,
    datasets_of,
    kept_versions,
    note_order,
    note_tended,
    put_dataset,
    put_quality,
    put_version,
    version_row,
)

_PATH = "/workspaces/{workspace}/datasets/{dataset}"
UPKEEP = "lake.upkeep"
COMMITS = 100


class Upkeeping(SavedQueries):
    """Use cases of upkeep."""

    @use_case(f"POST {_PATH}/upkeep", permission="lake.manage", cli="data upkeep", on="dataset")
    def maintain_dataset(self, who: Principal, command: MaintainDataset) -> Upkeep:
        """Put small files together, and remove files that no kept version needs."""
        wishes = {"dry_run": command.dry_run, "retain_hours": command.retain_hours}
        args = self._upkeep(command.workspace, command.dataset, wishes)
        told = self._call("maintain:maintain", args, LONG_S)
        with self._database.change(who, command.workspace) as change:
            if told["share"] is not None and told["share"] != args["share"]:
                note_order(change, dataset_row(change.conn, command.workspace, command.dataset).id, told["share"])
            facts = {"compacted": told["compacted"], "removed": told["removed"], "dry_run": command.dry_run}
            change.audit("lake.dataset.maintain", object_=f"dataset:{command.dataset}", detail=facts)
        return Upkeep(
            dataset=command.dataset, compacted=told["compacted"], removed=told["removed"], size_bytes=told["bytes"]
        )

    def _upkeep(self, workspace: str, dataset: str, wishes: dict[str, Any]) -> dict[str, Any]:
        """Return what upkeep of a dataset needs to know: above all the versions that have to stay readable."""
        with self._database.read() as conn:
            row = dataset_row(conn, workspace, dataset)
            args = self.upkeep_args(row, conn)
        if not args["pinned"]:
            raise Conflict(f"dataset {dataset!r} has no version yet", field="dataset", value=dataset)
        return {**args, **wishes}

    def upkeep_args(self, row: Row[Any], conn: Connection) -> dict[str, Any]:
        """Return what upkeep of a dataset needs to know, as its row tells."""
        kept = [version.delta_version for version in kept_versions(conn, row.id)]
        path = str(self.table_path(row.workspace, row.slug))
        return {"path": path, "pinned": kept, "order_by": list(row.ordered_by), "share": row.ordered_share}

    def tend(self) -> int:
        """Begin the upkeep of the tables that took many commits since their last one; return how many those are."""
        with self._database.read() as conn:
            rows = [row for row in datasets_of(conn) if row.latest is not None]
        return sum(self._tend(row) for row in rows)

    def _tend(self, row: Row[Any]) -> bool:
        path = self.table_path(row.workspace, row.slug)
        last = _last_commit(path)
        if last - (row.tended or 0) < COMMITS:
            return False
        with self._database.change(SYSTEM, row.workspace) as change:
            note_tended(change, row.id, last)
            wish = SubmitJob(
                workspace=row.workspace,
                kind=UPKEEP,
                title=f"Put small files of {row.slug} together",
                payload=self.upkeep_args(row, change.conn),
                subject=f"dataset:{row.slug}",
            )
            try:
                self._ground.jobs.enqueue(change, wish)
            except TooMany:  # the workspace has enough to do: next time
                note_tended(change, row.id, row.tended or 0)
                return False
        return True

    @use_case("GET /workspaces/{workspace}/storage", permission="lake.read", cli="data storage")
    def get_storage(self, who: Principal, command: OneWorkspace) -> Storage:
        """Show how much room each dataset takes: newest version, everything with old versions, quarantine."""
        with self._database.read() as conn:
            rows = datasets_of(conn, command.workspace, deleted=True)
            counts = {row.id: len(kept_versions(conn, row.id)) for row in rows}
        usages = [
            Usage(
                dataset=row.slug,
                name=row.name,
                latest_bytes=row.bytes or 0,
                total_bytes=size_of(self.table_path(command.workspace, row.slug)),
                quarantine_bytes=size_of(self.quarantine_path(command.workspace, row.slug)),
                versions=counts[row.id],
                retain_days=row.retain_days,
                deleted_at=row.deleted_at,
            )
            for row in rows
            if who.allows("lake.read", command.workspace, f"dataset:{row.slug}")
        ]
        total = sum(usage.total_bytes + usage.quarantine_bytes for usage in usages)
        return Storage(total_bytes=total, datasets=sorted(usages, key=lambda usage: -usage.total_bytes))

    @use_case(f"POST {_PATH}/quality", permission="lake.edit", cli="data check", on="dataset")
    def check_quality(self, who: Principal, command: AboutVersion) -> QualityReport:
        """Check a version against the present rules again; the newest when no number is given."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number)
        private = [f["column"] for f in row.classification if f["private"]]
        args = {**self._at(found), "rules": row.rules or [], "keys": row.keys, "masked": private}
        told = self._call("quality:quality", {**args, "now": instant(self._database.clock.now())}, LONG_S)
        with self._database.change(who, command.workspace) as change:
            put_quality(change, found.id, {**told, "quarantined": found.quarantined})
            put_version(change, found.id, score=told["score"], passed=told["passed"])
            if found.number == row.latest:
                put_dataset(change, row.id, score=told["score"], passed=told["passed"])
            facts = {"number": found.number, "score": told["score"], "passed": told["passed"]}
            tell(change, QUALITY_CHECKED, row.slug, facts)
            if found.passed and not told["passed"]:
                tell(change, QUALITY_FAILED, row.slug, {"number": found.number, "score": told["score"]})
        return self.get_quality(who, command)

    def lost_versions(self) -> tuple[int, list[str]]:
        """Return how many tables were looked at, and the newest versions whose table is not there or ends before them."""
        with self._database.read() as conn:
            rows = [row for row in datasets_of(conn) if row.latest is not None]
            newest = {row.id: version_row(conn, row.id, row.latest).delta_version for row in rows}
        lost = [row for row in rows if _last_commit(self.table_path(row.workspace, row.slug)) < newest[row.id]]
        return len(rows), [f"{row.workspace}/{row.slug} version {row.latest}" for row in lost]


def _last_commit(table: Path) -> int:
    """Return the newest version that the log of a Delta table names; -1 without a log."""
    tables_of(table).refresh(table)
    log = table / LOG
    names = [file.name.partition(".")[0] for file in log.iterdir()] if log.is_dir() else []
    return max((int(name) for name in names if name.isdigit()), default=-1)


def size_of(folder: Path) -> int:
    """Add up the bytes below a folder of tables; files that go meanwhile do not count."""
    return sum(file.size for file in tables_of(folder).files(folder))
