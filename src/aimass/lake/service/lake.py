"""The service of the room: all parts, with upkeep, erasing and export."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake import events, store
from aimass.lake.commands import EraseSubject, ExportRows, MaintainDataset
from aimass.lake.domain import Erasure, Upkeep
from aimass.lake.service.ground import tell
from aimass.lake.service.reading import Reading

_LONG_S = 600.0


class Lake(Reading):
    """Datasets with versions, profiles, rules, quality reports, classification and queries."""

    @use_case(
        "POST /workspaces/{workspace}/datasets/{dataset}/upkeep",
        permission="lake.manage",
        cli="data upkeep",
        on="dataset",
    )
    def maintain_dataset(self, who: Principal, command: MaintainDataset) -> Upkeep:
        """Put small files together, and remove files that no kept version needs."""
        with self._database.read() as conn:
            row = store.dataset_row(conn, command.workspace, command.dataset)
            kept = [version.delta_version for version in store.kept_versions(conn, row.id)]
        if not kept:
            raise Conflict(f"dataset {row.slug!r} has no version yet", field="dataset", value=row.slug)
        args = {"path": str(self.table_path(command.workspace, row.slug)), "pinned": kept, "dry_run": command.dry_run}
        told = self._call("maintain:maintain", {**args, "retain_hours": command.retain_hours}, _LONG_S)
        with self._database.change(who, command.workspace) as change:
            facts = {"compacted": told["compacted"], "removed": told["removed"], "dry_run": command.dry_run}
            change.audit("lake.dataset.maintain", object_=f"dataset:{row.slug}", detail=facts)
        return Upkeep(dataset=row.slug, compacted=told["compacted"], removed=told["removed"], size_bytes=told["bytes"])

    @use_case("POST /workspaces/{workspace}/erasures", permission="lake.manage", cli="data erase", status=201)
    def erase_subject(self, who: Principal, command: EraseSubject) -> Erasure:
        """Erase the rows of a person from every version; earlier versions can no longer be read."""
        erasure, told = new_id(), dict[str, dict[str, Any]]()
        with self._database.read() as conn:
            found = [r for r in store.datasets_of(conn, command.workspace) if command.dataset in (None, r.slug)]
        for row in found:
            private = [f["column"] for f in row.classification if f["private"]]
            for column in [command.column] if command.column else dict.fromkeys([*row.keys, *private]):
                one = self._erase(command, row.slug, column, erasure)
                known = told.setdefault(row.slug, {"dataset": row.slug, "deleted": 0, "traces": 0})
                known["deleted"] += one["deleted"]
                known["traces"] += len(one["found"])
        with self._database.change(who, command.workspace) as change:
            for slug, facts in told.items():
                tell(change, events.SUBJECT_ERASED, slug, {"erasure": erasure, "rows": facts["deleted"]})
        return Erasure(
            subject_hash=sha256(command.value.encode()).hexdigest(),
            deleted=sum(facts["deleted"] for facts in told.values()),
            datasets=list(told.values()),
            clean=not any(facts["traces"] for facts in told.values()),
        )

    def _erase(self, command: EraseSubject, slug: str, column: str, erasure: str) -> dict[str, Any]:
        args = {"path": str(self.table_path(command.workspace, slug)), "column": column, "value": command.value}
        return self._call("erase:erase", {**args, "app_id": f"erasure:{erasure}:{column}"}, _LONG_S)

    def export_rows(self, who: Principal, command: ExportRows, target: Path) -> Path:
        """Write a version to a file; personal data is exported only to those who may use the dataset."""
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        with self._database.read() as conn:
            _, found = self._row(conn, command.workspace, command.dataset, command.number)
        self._call("preview:export", {**self._at(found), "format": command.format, "target": str(target)}, _LONG_S)
        with self._database.change(who, command.workspace) as change:
            facts = {"number": found.number, "format": command.format}
            change.audit("lake.version.export", object_=f"dataset:{found.dataset}", detail=facts)
        return target


__all__ = ["Lake"]
