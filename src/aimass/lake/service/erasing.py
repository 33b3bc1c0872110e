"""Erasing a person: rows, the versions that hold them, quarantine, and what was told about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from aimass.infra.tables import tables_of
from aimass.kernel.clock import instant
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import SYSTEM
from aimass.lake.commands import NewVersion
from aimass.lake.events import SUBJECT_ERASED
from aimass.lake.service.ground import LONG_S, tell
from aimass.lake.service.upkeep import Upkeeping
from aimass.lake.store import (
    ERASURE,
    datasets_of,
    kept_versions,
    mark_collected,
    put_dataset,
    scrub_reports,
    version_of_delta,
)

_QUARANTINE = ("raw", "reason")
_ROWS, _ASIDE, _VERSIONS = "rows of datasets", "rows in quarantine", "versions of datasets"


@dataclass(slots=True)
class _Found:
    """What an erasure has found so far."""

    rows: int = 0
    aside: int = 0
    versions: int = 0
    left: list[str] = field(default_factory=list[str])


class Erasing(Upkeeping):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Erase the rows of a person from every version of every dataset, deleted ones too; the same again changes nothing."""
        with self._database.read() as conn:
            rows = [row for row in datasets_of(conn, deleted=True) if person.looks_at(row.workspace)]
        naming = self._naming(rows)
        found = _Found()
        for row in rows:
            self._erase(person, row, [person.column] if person.column else sorted(naming[row.workspace]), found)
        return [
            Erased(what=_ROWS, count=found.rows, left=tuple(found.left)),
            Erased(what=_ASIDE, count=found.aside),
            Erased(what=_VERSIONS, count=found.versions),
        ]

    def _naming(self, rows: list[Row[Any]]) -> dict[str, set[str]]:
        """Return by workspace the columns that name people: what is a key or personal in one dataset is so in each."""
        naming: dict[str, set[str]] = {}
        for row in rows:
            classified = [f["column"] for f in row.classification if f["private"] or f["kind"] == "person_id"]
            naming.setdefault(row.workspace, set()).update([*row.keys, *classified])
        return naming

    def _erase(self, person: Person, row: Row[Any], columns: list[str], found: _Found) -> None:
        """Erase in one dataset, and let its newest version be the one without the person."""
        path, aside = (str(p(row.workspace, row.slug)) for p in (self.table_path, self.quarantine_path))
        with self._database.read() as conn:
            kept = [version.delta_version for version in kept_versions(conn, row.id)]
        texts = [person.column] if person.column else []  # whoever names a column means what is said in it too
        told = self._erase_in(path, person, {"columns": columns, "texts": texts, "kept": kept})
        # copies are made again when they are asked for; one of a version that is gone may be the last that names the person
        copies = self.copies_path(row.workspace, row.slug)
        tables_of(copies).drop(copies)
        apart = self._erase_in(aside, person, {"texts": _QUARANTINE})
        found.rows += told["deleted"]
        found.aside += apart["deleted"]
        found.versions += len(told["lost"])
        found.left += [f"a file of dataset {row.slug!r} still holds it" for _ in (*told["found"], *apart["found"])]
        found.left += self._mentions(path, person, row, columns)
        self._note(person, row, told, apart["deleted"])

    def _erase_in(self, path: str, person: Person, where: dict[str, Any]) -> dict[str, Any]:
        args = {"path": path, "values": list(person.values), "app_id": f"erasure:{person.erasure}"}
        return self._call("erase:erase", {**args, **where}, LONG_S)

    def _mentions(self, path: str, person: Person, row: Row[Any], columns: list[str]) -> list[str]:
        args = {"path": path, "values": list(person.values), "but": columns}
        found: dict[str, int] = self._call("erase:mentions", args, LONG_S)["columns"]
        hint = "erase once more in that column, or mend the rows"
        return [f"{n} rows of dataset {row.slug!r} mention it in column {name!r}: {hint}" for name, n in found.items()]

    def _note(self, person: Person, row: Row[Any], told: dict[str, Any], aside: int) -> None:
        """Note the version that is left, if it is not known yet, which versions are gone, and forget what was told of them."""
        delta: int | None = told["version"]
        with self._database.read() as conn:
            known = delta is None or version_of_delta(conn, row.id, delta) is not None
        if delta is not None and not known:
            self._renew(row, delta, person)
        with self._database.change(SYSTEM, row.workspace) as change:
            gone = [v.id for v in kept_versions(change.conn, row.id) if v.delta_version in told["lost"]]
            mark_collected(change, gone, change.now)
            scrub_reports(change, gone)
            if (rules := person.scrubbed(row.rules or [])) != (row.rules or []):
                put_dataset(change, row.id, rules=rules)
            if told["deleted"] or aside or gone:
                facts = {
                    "erasure": person.erasure,
                    "rows": told["deleted"],
                    "quarantined": aside,
                    "versions": len(gone),
                }
                tell(change, SUBJECT_ERASED, row.slug, facts)

    def _renew(self, row: Row[Any], delta: int, person: Person) -> None:
        given = {"path": str(self.table_path(row.workspace, row.slug)), "version": delta, "keys": row.keys}
        given |= {"rules": row.rules, "classification": row.classification, "now": instant(self._database.clock.now())}
        described = self._call("describe:describe_version", given, LONG_S)
        origin = f"{ERASURE}{person.erasure}"
        new = NewVersion(workspace=row.workspace, dataset=row.slug, described=described, origin=origin)
        self.add_version(new)
