"""What stores the online values that a job has computed: in parts, so that nobody waits long for the database.

A full renewal is stored beside the values of before, and takes their place at once when it is whole. An incremental one
changes the values that are there; a value that is newer than the one to be stored stays. So two renewals at a time, and one
that is begun again after a crash, leave the same values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM
from aimass.lake.feature_tables import note_view, view_of, views_of
from aimass.lake.features import SourceVersion, definition_of, digest_of
from aimass.lake.online import is_behind
from aimass.lake.online_store import (
    count_values,
    drop_generations,
    drop_old_materialisations,
    drop_values,
    generations_of,
    materialisation_row,
    put_materialisation,
    put_values,
    running,
    unfinished,
    values_of,
)
from aimass.lake.service.online import Online, Plan

PART = 2_000
KEEP = 50
VALUES = "values.ndjson"
_WHAT = "online values of features"


class Storing(Online):
    """What the loop ``lake.online`` does, and what erases a person from the values."""

    def store_values(self) -> int:
        """Store the values that are computed; return how many renewals came to their end."""
        with self._database.read() as conn:
            open_ = running(conn)
        ended, broken = 0, list[Exception]()
        for row in open_:
            try:
                ended += self._store(row)
            except Exception as reason:  # noqa: BLE001 raised below: no renewal waits for another one
                broken.append(reason)
        if broken:
            raise broken[0]
        return ended

    def _store(self, row: Row[Any]) -> bool:
        file = self._ground.jobs.outputs(self._ground.jobs.job(row.workspace, row.job)) / VALUES
        if not file.exists():
            with self._database.change(SYSTEM, row.workspace) as change:
                error = {"code": "not_found", "detail": "the computed values are gone", "hint": "renew them again"}
                self._end(change, row, "FAILED", error=error)
            return True
        for position, part in _parts(file, row.position):
            if not self._put_part(row, position, part):
                return False
        if is_settled := self._settle(row):
            file.unlink(missing_ok=True)
        return is_settled

    def _put_part(self, row: Row[Any], position: int, part: list[list[Any]]) -> bool:
        """Store some values, and how far that is; False when somebody ended the renewal meanwhile."""
        with self._database.change(SYSTEM, row.workspace) as change:
            now = materialisation_row(change.conn, row.id)
            if now is None or now.state != "RUNNING":
                return False
            kept = {"view_id": row.view_id, "generation": row.generation, "workspace": row.workspace}
            names = ("entity", "event_us", "created_us", "content")
            put_values(change, [{**kept, **dict(zip(names, line, strict=True))} for line in part])
            put_materialisation(change, row.id, position=position)
        return True

    def _settle(self, row: Row[Any]) -> bool:
        """Let look-ups see the values, unless newer ones were there first; remove what nobody reads any more.

        False when the view was changed at this very moment: then the next run of the loop sees to it.
        """
        again = self._again(row)
        with self._database.change(SYSTEM, row.workspace) as change:
            view = self._row_of(change.conn, row)
            now = materialisation_row(change.conn, row.id)
            if now is None or now.state != "RUNNING" or view is None:
                return True
            sources = [SourceVersion(**one) for one in row.sources]
            if is_behind(sources, view_of(view).online_from):
                self._end(change, now, "SUPERSEDED")
            elif not _is_astray(row, view):
                self._show(change, now, view, sources)
            elif again is None:
                return False
            else:
                is_error = isinstance(again, AimassError)
                self._end(change, now, "SUPERSEDED", error=again.problem() if is_error else None)
                if not isinstance(again, AimassError):
                    self._begin(change, view_of(view), again, by=SYSTEM.id, full=True)
            drop_old_materialisations(change, row.view_id, KEEP)
        self._sweep(row)
        return True

    def _again(self, row: Row[Any]) -> Plan | AimassError | None:
        """Plan the renewal that follows one whose view was changed under way; the reason when that cannot be."""
        with self._database.read() as conn:
            view = self._row_of(conn, row)
        if view is None or not _is_astray(row, view):
            return None
        shown = view_of(view)
        try:
            return self._plan(shown, self._sources(SYSTEM, row.workspace, [definition_of(shown)], {}))
        except AimassError as reason:
            return reason

    def _row_of(self, conn: Connection, row: Row[Any]) -> Row[Any] | None:
        return next((view for view in views_of(conn, row.workspace) if view.id == row.view_id), None)

    def _show(self, change: Any, row: Row[Any], view: Row[Any], sources: list[SourceVersion]) -> None:
        before = view.online_rows
        rows = count_values(change.conn, row.view_id, row.generation)
        digest = None if row.definition["later"] else row.definition["digest"]
        removed = max(0, before - rows) if row.mode == "full" else 0
        values: dict[str, Any] = {"generation": row.generation, "online_rows": rows, "online_at": change.now}
        values |= {"online_digest": digest, "online_seen": row.definition.get("seen", "")}
        note_view(change, row.view_id, **values, online_from=[asdict(s) for s in sources])
        self._end(change, row, "SUCCEEDED", rows=row.definition["values"], removed=removed)

    def _sweep(self, row: Row[Any]) -> None:
        """Remove the values of generations that are over, in parts."""
        while True:
            with self._database.change(SYSTEM, row.workspace) as change:
                view = self._row_of(change.conn, row)
                keep = view.generation if view is not None else row.generation + 1
                if not drop_generations(change, row.view_id, keep):
                    return

    def erase_online(self, person: Person) -> list[Erased]:
        """Erase a person from the online values, and end the renewals that were computed with him."""
        with self._database.read() as conn:
            rows = [row for row in views_of(conn) if person.looks_at(row.workspace)]
        return [Erased(what=_WHAT, count=sum(self._erase_view(person, row) for row in rows))]

    def _erase_view(self, person: Person, row: Row[Any]) -> int:
        with self._database.read() as conn:
            found = [
                value.entity
                for generation in generations_of(conn, row.id)
                for value in values_of(conn, row.id, generation)
                if _names(person, row.entity, value.content)
            ]
            open_ = unfinished(conn, row.id)
        with self._database.change(SYSTEM, row.workspace) as change:
            for begin in range(0, len(found), 500):
                drop_values(change, row.id, found[begin : begin + 500])
            for one in open_:
                self._end(change, one, "SUPERSEDED")
            if found:
                rows = count_values(change.conn, row.id, row.generation)
                note_view(change, row.id, online_rows=rows, online_digest=None)
        return len(set(found))


def _is_astray(row: Row[Any], view: Row[Any]) -> bool:
    """Tell whether the ground of a renewal was replaced meanwhile, or its definition was changed."""
    return row.generation < view.generation or row.definition["digest"] != digest_of(definition_of(view_of(view)))


def _names(person: Person, entity: list[str], content: str) -> bool:
    """Tell whether kept values are those of a person, or mention him."""
    kept = orjson.loads(content)
    cells = {**dict(zip(entity, kept["keys"], strict=True)), **kept["values"]}
    looked = cells if person.column is None else {n: v for n, v in cells.items() if n == person.column}
    if any(str(value) in person.values for name, value in looked.items() if name in entity or person.column):
        return True
    return any(person.scrubbed(value) != value for value in looked.values() if isinstance(value, str))


def _parts(file: Path, position: int) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield the lines of a file from a place on, in parts, each with the place behind it."""
    with file.open("rb") as reader:
        reader.seek(position)
        while lines := list(islice(iter(reader.readline, b""), PART)):
            yield reader.tell(), [orjson.loads(line) for line in lines]
