"""Erasing a person: splits, samples of packages that come from his rows, and what runs told."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Row, select, update

from aimass.infra.database import Change, mentioning, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.models import SAMPLES
from aimass.training.service.forgetting import Forgetting
from aimass.training.tables import artifacts, autos, evaluations, facts, learners, runs, splits, studies, trials

_CHILD = "aimass.training.children.sources:erase_identities"
_LONG_S = 600.0
_PACKAGE = "package/"


class Erasing(Forgetting):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Erase a person from splits, from samples and from what runs told."""
        with self._database.read() as conn:
            found = [row for row in conn.execute(select(splits)) if person.looks_at(row.workspace) and row.sha256]
        rows = sum(self._erase_split(person, row) for row in found)
        kept = self.forget_person(person)
        samples = self._drop_samples(person)
        self._follow_packages(person)
        with self._database.change(SYSTEM, person.workspace) as change:
            told = scrub(change, runs, ["error", "notes", "tags", "name"], person, *_in(runs, person))
            _scrub_facts(change, person)
            told += scrub(change, autos, ["error", "notes", "name"], person, *_in(autos, person))
            told += scrub(change, learners, ["error", "notes", "name"], person, *_in(learners, person))
            told += scrub(change, splits, ["error", "notes"], person, *_in(splits, person))
            told += scrub(change, evaluations, ["error", "notes"], person, *_in(evaluations, person))
            told += scrub(change, studies, ["name", "reason"], person, *_in(studies, person))
            mine = trials.c.study.in_(select(studies.c.id).where(*_in(studies, person)))
            told += scrub(change, trials, ["error"], person, mine)
        return [
            Erased(what="rows of splits", count=rows),
            Erased(what="samples of models", count=samples),
            kept,
            Erased(what="runs", count=len(told)),
        ]

    def _erase_split(self, person: Person, row: Row[Any]) -> int:
        """Keep a split without the person's rows; the file that has them goes at once."""
        if not self._ground.blobs.exists(row.sha256):
            return 0
        with TemporaryDirectory() as folder:
            out = Path(folder, "split.parquet")
            file = str(self._ground.blobs.path(row.sha256))
            args = {"file": file, "values": list(person.values), "out": str(out)}
            gone = int(self._ground.warm.call(_CHILD, args, timeout_s=_LONG_S)["rows"])
            if not gone:
                return 0
            blob = self._ground.blobs.put(out.read_bytes())
        with self._database.change(SYSTEM, row.workspace) as change:
            change.execute(update(splits).where(splits.c.id == row.id).values(sha256=blob.sha256))
            detail = {"erasure": person.erasure, "rows": gone, "sha256": blob.sha256}
            change.audit("training.split.erase", object_=f"split:{row.id}", detail=detail)
        if row.sha256 not in self.split_blobs():
            self._ground.blobs.remove(row.sha256)
        return gone

    def _drop_samples(self, person: Person) -> int:
        """Drop the samples that a run took from the person's rows; which these are was noted when they were taken."""
        dropped = 0
        with self._database.read() as conn:
            query = select(runs).where(mentioning([runs.c.sampled], person), *_in(runs, person))
            rows = [row for row in conn.execute(query) if row.sampled and row.package]
        for row in rows:
            places = [place for place, key in enumerate(row.sampled) if key in person.values]
            if not places:
                continue
            digest = self._ground.models.successor(row.package["digest"]) or row.package["digest"]
            if self._ground.models.drop_samples(digest, places, person) is not None:
                dropped += len(places)
            left = [key for key in row.sampled if key not in person.values]
            with self._database.change(SYSTEM, row.workspace) as change:
                change.execute(update(runs).where(runs.c.id == row.id).values(sampled=left))
        return dropped

    def _follow_packages(self, person: Person) -> None:
        """Let runs name the packages that took the place of theirs."""
        with self._database.read() as conn:
            rows = [row for row in conn.execute(select(runs).where(*_in(runs, person))) if row.package]
        for row in rows:
            new = self._ground.models.successor(row.package["digest"])
            if new is not None:
                with self._database.change(SYSTEM, row.workspace) as change:
                    self._rename(change, row, new)

    def _rename(self, change: Change, row: Row[Any], new: str) -> None:
        change.execute(update(runs).where(runs.c.id == row.id).values(package={**row.package, "digest": new}))
        samples = self._ground.models.package_manifest(new).files[SAMPLES]
        for name, news in (
            (f"{_PACKAGE}manifest.json", {"sha256": new}),
            (f"{_PACKAGE}{SAMPLES}", {"sha256": samples.sha256, "size": samples.size}),
        ):
            where = (artifacts.c.run == row.id, artifacts.c.name == name)
            change.execute(update(artifacts).where(*where).values(**news))


def _scrub_facts(change: Change, person: Person) -> None:
    """Take the person out of what runs are found by: their tags and parameters, as texts and as numbers."""
    mine = facts.c.run.in_(select(runs.c.id).where(*_in(runs, person)))
    for row in scrub(change, facts, ["text"], person, mine):
        change.execute(update(facts).where(facts.c.run == row.run, facts.c.name == row.name).values(number=None))


def _in(table: Any, person: Person) -> list[Any]:
    return [] if person.workspace == ANYWHERE else [table.c.workspace == person.workspace]
