"""The service of the room: all parts, and versions as files."""

from __future__ import annotations

from pathlib import Path

from aimass.kernel.principal import Principal
from aimass.lake.commands import ExportRows
from aimass.lake.service.ground import LONG_S
from aimass.lake.service.ordering import Ordering
from aimass.lake.service.refreshing import Refreshing


class Lake(Refreshing, Ordering):
    """Datasets with versions, profiles, rules, quality reports, classification and queries; views and feature views over them."""

    def export_rows(self, who: Principal, command: ExportRows, target: Path) -> Path:
        """Write a version to a file; personal data is exported only to those who may use the dataset."""
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            policy = self.policy_of(conn, who, row)
        at = self._at(found) if policy is None else self._copied(found, self._at(found), policy)
        self._call("preview:export", {**at, "format": command.format, "target": str(target)}, LONG_S)
        with self._database.change(who, command.workspace) as change:
            facts = {"number": found.number, "format": command.format}
            change.audit("lake.version.export", object_=f"dataset:{found.dataset}", detail=facts)
        return target


__all__ = ["Lake"]
