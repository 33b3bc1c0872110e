"""Erasing a person: records, feedback, references, findings, and segments that could not be read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from aimass.infra.database import Change, scrub
from aimass.infra.scrubbing import names_in
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.monitoring.events import subject
from aimass.monitoring.service.ground import Part
from aimass.monitoring.store import feedback, recorded
from aimass.monitoring.store.tables import alerts, drifts, monitors, qualities, references, series_names

_FILES = ("_references", "_labelled")


class Erasing(Part):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Erase the records of a person and their feedback; what is still on its way has to be taken over before."""
        with self._database.read() as conn:
            rows = [row for row in recorded.all_endpoints(conn) if person.looks_at(row.workspace)]
        told = [self._erase(person, row) for row in rows]
        with self._ground.computing:
            files = self._call("records:erase_files", {"files": self._files(person), **_asked(person)})["deleted"]
        return [
            Erased(what="inference records", count=sum(records for records, _, _ in told)),
            Erased(what="names of consumers", count=sum(unnamed for _, unnamed, _ in told)),
            Erased(what="feedback", count=sum(labels for _, _, labels in told)),
            Erased(what="rows of monitors and trainings", count=files),
            Erased(what="findings of monitors", count=self._scrub(person)),
            Erased(what="segments", count=self._bad_segments(person)),
        ]

    def _erase(self, person: Person, row: Row[Any]) -> tuple[int, int, int]:
        """Erase from one endpoint; return how many records, consumers of others and labels that were."""
        tables = self._tables(row.workspace, row.endpoint)
        with self._database.read() as conn:
            rows = feedback.of_person(conn, row.workspace, row.endpoint, person)
        with self._ground.computing:
            asked = {**_asked(person), "rows": rows}
            records = self._call("records:erase", {"path": tables["records"], "key": "id", **asked})
            asked["rows"] = rows = [list(pair) for pair in {tuple(pair) for pair in (*rows, *records["rows"])}]
            told = self._call("records:erase", {"path": tables["feedback"], "key": "request_id", **asked})
        with self._database.change(SYSTEM, row.workspace) as change:
            labels = feedback.forget_rows(change, row.endpoint, [*rows, *told["rows"]])
            if records["deleted"] or labels:
                detail = {"erasure": person.erasure, "records": records["deleted"], "feedback": labels}
                change.audit("monitoring.records.erase", object_=subject(row.endpoint), detail=detail)
        return records["deleted"], records["unnamed"], labels

    def _files(self, person: Person) -> list[str]:
        folders = (folder for folder in self._ground.layout.lake.glob("*") if person.looks_at(folder.name))
        return [str(path) for folder in folders for name in _FILES for path in (folder / name).glob("*.parquet")]

    def _scrub(self, person: Person) -> int:
        with self._database.change(SYSTEM, person.workspace) as change:
            return len(_scrubbed(change, person))

    def _bad_segments(self, person: Person) -> int:
        """Remove the segments that could not be read and name the person; their records were never taken over."""
        layout = self._ground.layout
        found = [path for path in layout.records.glob("*/*.bad") if names_in(path, person)]
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)


def _asked(person: Person) -> dict[str, Any]:
    return {"values": list(person.values), "column": person.column}


def _scrubbed(change: Change, person: Person) -> list[Row[Any]]:
    """Scrub what was found out about inputs: the values that are frequent stand in it."""
    here = person.workspace != ANYWHERE
    mine = select(monitors.c.id).where(*([monitors.c.workspace == person.workspace] if here else []))
    found: list[Row[Any]] = []
    for table, columns in ((drifts, ["found"]), (qualities, ["found"])):
        found += scrub(change, table, columns, person, table.c.monitor.in_(mine))
    for table, columns in (
        (monitors, ["reference", "baseline"]),
        (references, ["source", "baseline"]),
        (alerts, ["summary", "detail", "note"]),
        (series_names, ["labels"]),
    ):
        found += scrub(change, table, columns, person, *([table.c.workspace == person.workspace] if here else []))
    return found
