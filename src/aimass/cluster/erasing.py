"""Erasing a person from jobs: what they were given, what they told, and their files."""

from __future__ import annotations

from sqlalchemy import select

from aimass.cluster.domain import ENDED
from aimass.cluster.service import Ground
from aimass.cluster.store import jobs, jobs_with_files
from aimass.infra.database import mentioning, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.kernel.registry import Registry

_COLUMNS = ("payload", "result", "error", "title", "reason", "stage")


class Erasing:
    """What erases a person; the room storage asks for it."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._compute = ground.compute

    def erase_person(self, person: Person) -> list[Erased]:
        """Erase a person from the jobs that have ended; one that has not is asked about later."""
        here = [] if person.workspace == ANYWHERE else [jobs.c.workspace == person.workspace]
        with self._database.change(SYSTEM, person.workspace) as change:
            told = scrub(change, jobs, _COLUMNS, person, jobs.c.state.in_(ENDED), *here)
        with self._database.read() as conn:
            open_ = select(jobs.c.id).where(jobs.c.state.not_in(ENDED), *here)
            open_ = open_.where(mentioning([jobs.c[name] for name in _COLUMNS], person))
            later = tuple(f"job {job} works with it and has not ended" for job in conn.execute(open_).scalars())
            rows = [row for row in jobs_with_files(conn) if person.looks_at(row.workspace)]
        files = sum(self._scrub(row.id, person) for row in rows)
        return [Erased(what="jobs", count=len(told), later=later), Erased(what="files of jobs", count=files)]

    def _scrub(self, job: str, person: Person) -> int:
        try:
            return self._compute.scrub(job, person)
        except (NotFound, Conflict):
            return 0  # its files are gone, or it began again and is asked about later


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from jobs."""
    return registry.get(Erasing).erase_person(person)
