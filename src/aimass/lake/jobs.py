"""What control does when a job has made a version, and the loop that tidies up."""

from __future__ import annotations

from aimass.cluster import Job
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


def tidy(registry: Registry) -> None:
    """Remove for good what was deleted long ago."""
    registry.get(Lake).purge_deleted()
