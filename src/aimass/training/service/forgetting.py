"""What an erasure takes out of learners: the rows that they keep to learn again, and those that they are judged on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Row, select, update

from aimass.infra.blobs import Blob
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import SYSTEM
from aimass.training.domain.learners import LEARNER
from aimass.training.learnstore import state_hashes
from aimass.training.service.kept import Kept
from aimass.training.tables import artifacts, learners, snapshots

WINDOW = "window.parquet"
_STATE = "aimass.training.children.forgetting:forget_state"
_ROWS = "aimass.training.children.forgetting:forget_window"
_LONG_S = 600.0


class Forgetting(Kept):
    """Learners and a person."""

    def forget_person(self, person: Person) -> Erased:
        """Take a person's rows out of what learners keep; one that is at work is asked again when it is not."""
        with self._database.read() as conn:
            known = [row for row in conn.execute(select(learners)) if person.looks_at(row.workspace)]
        counts = {row.slug: self._forget(person, row) if row.job is None else None for row in known}
        later = tuple(f"learner {slug} is at work" for slug, count in counts.items() if count is None)
        return Erased(what="rows that learners keep", count=sum(filter(None, counts.values())), later=later)

    def _forget(self, person: Person, row: Row[Any]) -> int | None:
        """Return how many rows went; None for a learner that began to work meanwhile."""
        with self._database.read() as conn:
            made = list(conn.execute(select(snapshots).where(snapshots.c.learner == row.id)))
            shown = select(artifacts).where(artifacts.c.run.in_([one.run for one in made]), artifacts.c.name == WINDOW)
            windows = {one.sha256 for one in conn.execute(shown)}
        states = {one.sha256 for one in (row, *made) if one.sha256 is not None}
        news: dict[str, Blob] = {}
        rows = sum(self._without(_STATE, old, {"spec": {"memory_mb": row.memory_mb}}, person, news) for old in states)
        rows += sum(self._without(_ROWS, old, {}, person, news) for old in windows)
        if not news:
            return 0
        with self._database.change(SYSTEM, row.workspace) as change:
            still = (learners.c.id == row.id, learners.c.seq == row.seq, learners.c.job.is_(None))
            values: dict[str, Any] = {"version": learners.c.version + 1}
            if row.sha256 in news:
                values |= {"sha256": news[row.sha256].sha256, "size": news[row.sha256].size}
            if not change.execute(update(learners).where(*still).values(**values)).rowcount:
                return None
            for old, new in news.items():
                mine = (snapshots.c.learner == row.id, snapshots.c.sha256 == old)
                change.execute(update(snapshots).where(*mine).values(sha256=new.sha256))
                where = (artifacts.c.sha256 == old, artifacts.c.name == WINDOW)
                change.execute(update(artifacts).where(*where).values(sha256=new.sha256, size=new.size))
            detail = {"erasure": person.erasure, "rows": rows}
            change.audit("training.learner.erase", object_=f"{LEARNER}:{row.id}", detail=detail)
        self._let_go(set(news))
        return rows

    def _without(self, child: str, old: str, args: Mapping[str, Any], person: Person, news: dict[str, Blob]) -> int:
        """Keep a file without the person's rows, if it has any, under its new hash; return how many it had."""
        if not self._ground.blobs.exists(old):
            return 0
        with TemporaryDirectory() as folder:
            out = Path(folder, "left")
            told = {**args, "file": str(self._ground.blobs.path(old)), "values": list(person.values), "out": str(out)}
            gone = int(self._ground.warm.call(child, told, timeout_s=_LONG_S)["rows"])
            if gone:
                news[old] = self._ground.blobs.put(out.read_bytes())
        return gone

    def _let_go(self, old: set[str]) -> None:
        with self._database.read() as conn:
            needed = {*state_hashes(conn), *self.artifact_blobs()}
        for sha256 in old - needed:
            self._ground.blobs.remove(sha256)
