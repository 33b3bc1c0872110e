"""What the room tells: facts for the event log, and news for open pages."""

from __future__ import annotations

from typing import Any

from aimass.cluster.domain import Job
from aimass.infra.live import LiveHub

SUBMITTED = "cluster.job.submitted"
RETRIED = "cluster.job.retried"
ENDS = {"SUCCEEDED": "cluster.job.succeeded", "FAILED": "cluster.job.failed", "CANCELLED": "cluster.job.cancelled"}
ALL = (SUBMITTED, RETRIED, *ENDS.values())


def fact(job: Job) -> dict[str, Any]:
    """Return the data of an event about a job."""
    data: dict[str, Any] = {"job": job.id, "kind": job.kind, "subject": job.subject, "attempts": job.attempts}
    if job.error:
        data["error"] = job.error.get("code", "job_failed")
    return data


def tell(live: LiveHub, job: Job) -> None:
    """Show a job's state and progress on the pages that follow the job, or the list of jobs."""
    news: dict[str, Any] = {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "subject": job.subject,
        "state": job.state,
        "reason": job.reason,
        "fraction": job.progress.fraction,
        "stage": job.progress.stage,
        "metrics": dict(job.progress.metrics),
        "attempts": job.attempts,
    }
    live.publish(f"{job.workspace}/job:{job.id}", news)
    live.publish(f"{job.workspace}/jobs", news)
