"""Erasing a person: samples in packages, cards and reviews. A package without a sample is another package: it takes the place."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, insert, select, update

from aimass.infra.database import scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.models.events import REPACKAGED
from aimass.models.service.ground import Part
from aimass.models.store import cards, reviews, successors, versions

_RETRAIN = "train it again without that column"


class Erasing(Part):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Drop the samples that name a person, and scrub cards and reviews."""
        here = [] if person.workspace == ANYWHERE else [versions.c.workspace == person.workspace]
        with self._database.read() as conn:
            rows = conn.execute(select(versions).where(*here)).all()
        dropped = 0
        for digest in sorted({row.digest for row in rows}):
            named = self._named_samples(digest, person)
            if named and self.drop_samples(digest, named, person) is not None:
                dropped += len(named)
        left = tuple(sentence for row in rows for sentence in _knows(row, person))
        with self._database.change(SYSTEM, person.workspace) as change:
            told = scrub(change, cards, ["sections"], person, *_in(cards, person))
            told += scrub(change, reviews, ["checks", "comment"], person, *_in(reviews, person))
            told += scrub(change, versions, ["description", "facts"], person, *_in(versions, person))
        return [
            Erased(what="samples of models", count=dropped, left=left),
            Erased(what="cards and reviews", count=len(told)),
        ]

    def _named_samples(self, digest: str, person: Person) -> list[int]:
        samples = self._packages.samples(digest)
        columns: Mapping[str, list[Any]] = samples.get("inputs") or {}
        places = range(max((len(values) for values in columns.values()), default=0))
        rows = [[values[place] for values in columns.values()] for place in places]
        return [place for place, row in enumerate(rows) if person.scrubbed(row) != row]

    def drop_samples(self, digest: str, places: Collection[int], person: Person) -> str | None:
        """Let another package take the place of one that carries samples of a person; return its digest.

        Versions name the new one from now on, and so does whoever asks :meth:`successor`; where the old one lies unpacked the new
        one lies instead. None when the package carries no such sample.
        """
        samples = self._packages.samples(digest)
        kept = _without(samples, set(places))
        if kept == samples:
            return None
        text = json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()
        new = self._packages.replace_samples(digest, text)
        with self._database.change(SYSTEM, person.workspace) as change:
            where = [versions.c.digest == digest, *_in(versions, person)]
            for row in change.execute(select(versions).where(*where)).all():
                subject = f"model_version:{row.model}/{row.number}"
                detail = {"erasure": person.erasure, "digest": digest, "new_digest": new}
                change.audit(REPACKAGED, object_=subject, detail=detail)
                change.event(REPACKAGED, subject=subject, data=detail)
            change.execute(update(versions).where(*where).values(digest=new, version=versions.c.version + 1))
            if change.execute(select(successors.c.digest).where(successors.c.digest == digest)).first() is None:
                change.execute(insert(successors).values(digest=digest, successor=new, at=change.now))
            others = change.execute(select(versions.c.id).where(versions.c.digest == digest)).first()
        self._packages.supersede(digest, new)
        if others is None:
            self._packages.forget(digest, but=new)
        return new

    def successor(self, digest: str) -> str | None:
        """Return the package that took the place of another one, the last in a row; None when none did."""
        found: str | None = None
        with self._database.read() as conn:
            query = select(successors.c.successor)
            while (row := conn.execute(query.where(successors.c.digest == (found or digest))).first()) is not None:
                found = row.successor
        return found


def _in(table: Any, person: Person) -> list[Any]:
    return [] if person.workspace == ANYWHERE else [table.c.workspace == person.workspace]


def _without(samples: Mapping[str, Any], places: set[int]) -> dict[str, Any]:
    """Return samples without some rows; every list counts rows."""
    sides = {side: dict(samples.get(side) or {}) for side in ("inputs", "outputs")}
    for columns in sides.values():
        for name, values in columns.items():
            columns[name] = [value for place, value in enumerate(values) if place not in places]
    return {**samples, **sides}


def _knows(row: Row[Any], person: Person) -> list[str]:
    """Say which inputs of a version list a value of the person as a category: the model itself knows it."""
    inputs: list[Mapping[str, Any]] = row.signature.get("inputs") or []
    known = [i["name"] for i in inputs if set(person.values) & set(map(str, i.get("categories") or ()))]
    return [f"{row.model} version {row.number} knows it as a category of input {name!r}: {_RETRAIN}" for name in known]
