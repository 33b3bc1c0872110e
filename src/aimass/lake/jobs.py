"""What the platform calls: the end of a job, what needs somebody, erasing."""

from __future__ import annotations

from typing import Any

from aimass.cluster import Job
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.events import Event
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.lake.commands import NewVersion
from aimass.lake.service.lake import Lake


def made(registry: Registry, job: Job) -> None:
    """Note the version that a job has made."""
    result, order = dict(job.result or {}), job.payload
    new = NewVersion(
        workspace=job.workspace,
        dataset=order["dataset"],
        described=result["version"],
        origin=order["origin"] or f"job:{job.id}",
        sources=tuple((kind, id_) for kind, id_ in order["sources"]),
        created_by=job.created_by,
    )
    registry.get(Lake).add_version(new)


def joined(registry: Registry, job: Job) -> None:
    """Note the training set that a job has built."""
    registry.get(Lake).training_set_built(job)


def not_joined(registry: Registry, job: Job) -> None:
    """Note that a training set was not built."""
    registry.get(Lake).training_set_failed(job)


def on_workspace_purged(registry: Registry, event: Event) -> None:
    """Remove every table of a workspace that is gone, those of other rooms too."""
    registry.get(Lake).leave(event.workspace)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the datasets whose newest version breaks a rule."""
    return [
        {
            "kind": "quality",
            "title": f"{dataset.name} version {dataset.latest} breaks its rules (score {dataset.score:g})",
            "subject": f"dataset:{dataset.slug}",
            "workspace": dataset.workspace,
            "since": dataset.changed_at,
            "path": f"/{dataset.workspace}/data/{dataset.slug}/quality",
        }
        for dataset in registry.get(Lake).failing()
        if workspace in (ANYWHERE, dataset.workspace)
        and who.allows("lake.read", dataset.workspace, f"dataset:{dataset.slug}")
    ]


def doctor(registry: Registry) -> list[Finding]:
    """Look whether the tables hold the versions that are noted."""
    looked, lost = registry.get(Lake).lost_versions()
    faults = [f"{name} is not on the disk" for name in lost]
    return [finding_of("datasets", f"{looked} tables hold what is noted", faults, "restore the last backup")]


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from the datasets."""
    return registry.get(Lake).erase_person(person)
