"""What the platform calls: the ends of jobs, what needs somebody, erasing."""

from __future__ import annotations

from typing import Any

from aimass.cluster import Job
from aimass.collector.domain import Collection
from aimass.collector.service.collector import Collector
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry


def collected(registry: Registry, job: Job) -> None:
    """Take over what a collection committed."""
    registry.get(Collector).collected(job.workspace, _collection(job), dict(job.result or {}))


def not_collected(registry: Registry, job: Job) -> None:
    """Note that a collection stored nothing."""
    error = dict(job.error) if job.error else None
    registry.get(Collector).not_collected(job.workspace, _collection(job), error, is_cancelled=job.state == "CANCELLED")


def confide(registry: Registry, job: Job) -> dict[str, Any]:
    """Return the secrets of the connection that a collection is about to open."""
    return registry.get(Collector).secrets_for(job.workspace, str(job.payload["connection"]))


def replayed(registry: Registry, job: Job) -> None:
    """Take over the rows that came out of quarantine."""
    registry.get(Collector).replayed(job)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the sources whose last collection failed, or put more rows aside than it should."""
    collector = registry.get(Collector)
    needs = [*map(_failed, collector.failing()), *map(_aside, collector.putting_aside())]
    return [
        need
        for need in needs
        if workspace in (ANYWHERE, need["workspace"]) and who.allows("collector.read", need["workspace"])
    ]


def _failed(found: Collection) -> dict[str, Any]:
    return {
        "kind": "collection",
        "title": f"collecting {found.filename or found.source} failed",
        "subject": f"collection:{found.id}",
        "workspace": found.workspace,
        "since": found.ended_at,
        "path": f"/{found.workspace}/collections/{found.id}",
    }


def _aside(found: Collection) -> dict[str, Any]:
    return {
        "kind": "quarantine",
        "title": f"{found.quarantined} of {found.rows + found.quarantined} rows for {found.dataset} are in quarantine",
        "subject": f"collection:{found.id}",
        "workspace": found.workspace,
        "since": found.ended_at,
        "path": f"/{found.workspace}/data/{found.dataset}/quarantine",
    }


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from uploads and collections."""
    return registry.get(Collector).erase_person(person)


def _collection(job: Job) -> str:
    return job.subject.partition(":")[2]
