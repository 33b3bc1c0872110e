"""Erasing a person: rows, earlier versions, quarantine, and what was told about them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from aimass.kernel.clock import instant
from aimass.kernel.ids import new_id
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import EraseSubject, NewVersion
from aimass.lake.domain import Erasure
from aimass.lake.events import SUBJECT_ERASED
from aimass.lake.service.ground import LONG_S, tell
from aimass.lake.service.upkeep import Upkeeping
from aimass.lake.store import (
    dataset_row,
    datasets_of,
    kept_versions,
    mark_collected,
    scrub_reports,
    version_of_delta,
    version_row,
)

_QUARANTINE = ("raw", "reason")


class Erasing(Upkeeping):
    """The use case of erasing."""

    @use_case("POST /workspaces/{workspace}/erasures", permission="lake.manage", cli="data erase", status=201)
    def erase_subject(self, who: Principal, command: EraseSubject) -> Erasure:
        """Erase the rows of a person from every version; earlier versions, pinned ones too, can no longer be read."""
        with self._database.read() as conn:
            rows = datasets_of(conn, command.workspace, deleted=True)
            if command.dataset is not None and command.dataset not in {row.slug for row in rows}:
                dataset_row(conn, command.workspace, command.dataset)
        erasure = new_id()
        told = [self._erase(who, command, row, erasure) for row in rows if command.dataset in (None, row.slug)]
        return Erasure(
            subject_hash=sha256(command.value.encode()).hexdigest(),
            deleted=sum(facts["deleted"] + facts["quarantined"] for facts in told),
            datasets=[facts for facts in told if facts["deleted"] or facts["quarantined"] or facts["traces"]],
            clean=not any(facts["traces"] for facts in told),
        )

    def _erase(self, who: Principal, command: EraseSubject, row: Row[Any], erasure: str) -> dict[str, Any]:
        """Erase in one dataset, and let its newest version be the one without the person."""
        path = str(self.table_path(row.workspace, row.slug))
        ends = [self._erase_in(path, column, command.value, erasure) for column in self._columns(command, row)]
        kept = str(self.quarantine_path(row.workspace, row.slug))
        aside = [self._erase_in(kept, column, command.value, erasure, contains=True) for column in _QUARANTINE]
        facts = {
            "dataset": row.slug,
            "deleted": sum(end["deleted"] for end in ends),
            "quarantined": sum(end["deleted"] for end in aside),
            "traces": sum(len(end["found"]) for end in (*ends, *aside)),
        }
        delta = max((end["version"] for end in ends if end["version"] is not None), default=None)
        if delta is not None:
            self._renew(who, row, delta, erasure)
        if facts["deleted"] or facts["quarantined"]:
            with self._database.change(who, row.workspace) as change:
                tell(change, SUBJECT_ERASED, row.slug, {"erasure": erasure, "rows": facts["deleted"]})
        return facts

    def _columns(self, command: EraseSubject, row: Row[Any]) -> list[str]:
        """Return the columns that can name a person: the wanted one, or keys and classified ones that exist."""
        if row.latest is None:
            return []
        with self._database.read() as conn:
            there = {c["name"] for c in version_row(conn, row.id, row.latest).columns}
        classified = [f["column"] for f in row.classification if f["private"] or f["kind"] == "person_id"]
        wanted = [command.column] if command.column else dict.fromkeys([*row.keys, *classified])
        return [column for column in wanted if column in there]

    def _erase_in(self, path: str, column: str, value: str, erasure: str, *, contains: bool = False) -> dict[str, Any]:
        args = {"path": path, "column": column, "value": value, "contains": contains}
        return self._call("erase:erase", {**args, "app_id": f"erasure:{erasure}:{column}"}, LONG_S)

    def _renew(self, who: Principal, row: Row[Any], delta: int, erasure: str) -> None:
        """Note the version that is left, if it is not known yet, and that the others are gone."""
        with self._database.read() as conn:
            known = version_of_delta(conn, row.id, delta)
        if known is not None:
            return
        given = {"path": str(self.table_path(row.workspace, row.slug)), "version": delta, "keys": row.keys}
        given |= {"rules": row.rules, "classification": row.classification, "now": instant(self._database.clock.now())}
        described = self._call("describe:describe_version", given, LONG_S)
        self.add_version(
            NewVersion(
                workspace=row.workspace,
                dataset=row.slug,
                described=described,
                origin=f"erasure:{erasure}",
                created_by=who.id,
            )
        )
        with self._database.change(who, row.workspace) as change:
            gone = [v.id for v in kept_versions(change.conn, row.id) if v.delta_version != delta]
            mark_collected(change, gone, change.now)
            scrub_reports(change, gone)
