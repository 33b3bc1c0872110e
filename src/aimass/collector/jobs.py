"""What control does when a collection has ended."""

from __future__ import annotations

from aimass.cluster import Job
from aimass.collector.service import Collector
from aimass.kernel.registry import Registry


def collected(registry: Registry, job: Job) -> None:
    """Take over what a collection committed."""
    registry.get(Collector).collected(job.workspace, _collection(job), dict(job.result or {}))


def not_collected(registry: Registry, job: Job) -> None:
    """Note that a collection stored nothing."""
    error = dict(job.error) if job.error else None
    registry.get(Collector).not_collected(job.workspace, _collection(job), error, is_cancelled=job.state == "CANCELLED")


def _collection(job: Job) -> str:
    return job.subject.partition(":")[2]
