"""Pages of the room cluster: jobs, one job, nodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import JSONResponse

from aimass.cluster.domain import (
    CancelJob,
    ChangeNode,
    GetJob,
    GetJobLog,
    GetQuota,
    Job,
    JobStatus,
    ListJobs,
    LogEntry,
    RetryJob,
)
from aimass.cluster.service import Jobs
from aimass.kernel.capability import JobKinds
from aimass.kernel.tracing import is_trace
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/work/jobs"
NODES = "/{workspace}/operate/nodes"
LIST = {"jobs": "cluster/_jobs.html"}
ONE = {
    "job-head": "cluster/_job_head.html",
    "job-facts": "cluster/_job_facts.html",
    "job-ends": "cluster/_job_ends.html",
}
LEVEL = re.compile(r"^(DEBUG|WARNING|ERROR|CRITICAL): ")
LINES = 2_000
KNOWN_FROM = 0.05
SPREAD = (0.8, 1.4)


@router.get(PATH)
def jobs(
    visit: Visit, q: str = "", state: JobStatus | Literal[""] = "", kind: str = "", cursor: str | None = None
) -> Response:
    """List the jobs.

    The question: what runs, what waits and why, and what failed?
    """
    service = visit.get(Jobs)
    trace, text = (q, None) if is_trace(q) else (None, q or None)
    wish = ListJobs(
        workspace=visit.workspace, state=state or None, kind=kind or None, text=text, trace=trace, cursor=cursor
    )
    found = service.list_jobs(visit.who, wish)
    more = {"kinds": [(name, name) for name in sorted(visit.get(JobKinds))], "states": service.states(visit.workspace)}
    return visit.render(
        "cluster/jobs.html",
        parts=LIST,
        found=found,
        q=q,
        state=state,
        kind=kind,
        nodes=service.list_nodes(visit.who),
        **more,
    )


@router.get(f"{PATH}/{{job}}")
def job(visit: Visit, job: str) -> Response:
    """Show one job.

    The question: how far is it, and if it failed, what was the cause and what can I do?
    """
    found = visit.get(Jobs).get_job(visit.who, GetJob(workspace=visit.workspace, job=job))
    left = time_left(found, visit.console.setup.clock.now())
    return visit.render("cluster/job.html", parts=ONE, job=found, left=left, about=visit.document(found.subject))


@router.get(f"{PATH}/{{job}}/log", response_class=JSONResponse)
def log(visit: Visit, job: str, after: int = 0) -> dict[str, Any]:
    """Return the lines of a job's log behind the last known one, for the log of its page."""
    wish = GetJobLog(workspace=visit.workspace, job=job, after=after, limit=LINES)
    found = visit.get(Jobs).get_job_log(visit.who, wish)
    return {"lines": shown_lines(found.lines), "done": found.is_complete}


@router.post(f"{PATH}/{{job}}/cancel")
def cancel(visit: Visit, job: str) -> Response:
    """Cancel a job."""
    visit.get(Jobs).cancel_job(visit.who, CancelJob(workspace=visit.workspace, job=job))
    return visit.done(visit.say("The job is asked to stop"))


@router.post(f"{PATH}/{{job}}/retry")
def retry(visit: Visit, job: str) -> Response:
    """Begin a failed or cancelled job again."""
    visit.get(Jobs).retry_job(visit.who, RetryJob(workspace=visit.workspace, job=job))
    return visit.done(visit.say("The job is queued again"))


@router.get(NODES)
def nodes(visit: Visit) -> Response:
    """Show the machines.

    The question: is there room for my jobs, and which machine takes no more?
    """
    service = visit.get(Jobs)
    quota = service.get_quota(visit.who, GetQuota(workspace=visit.workspace))
    waiting = service.list_jobs(visit.who, ListJobs(workspace=visit.workspace, state="QUEUED", limit=20))
    parts = {"nodes": "cluster/_nodes.html"}
    return visit.render(
        "cluster/nodes.html", parts=parts, nodes=service.list_nodes(visit.who), quota=quota, waiting=waiting.items
    )


@router.post(f"{NODES}/{{node}}/cordon")
def cordon(visit: Visit, node: str) -> Response:
    """Let a node take no new jobs."""
    visit.get(Jobs).cordon_node(visit.who, ChangeNode(node=node))
    undo = f"/{visit.workspace}/operate/nodes/{node}/uncordon"
    return visit.done(visit.say("The node takes no new jobs"), undo=undo)


@router.post(f"{NODES}/{{node}}/uncordon")
def uncordon(visit: Visit, node: str) -> Response:
    """Let a node take jobs again."""
    visit.get(Jobs).uncordon_node(visit.who, ChangeNode(node=node))
    return visit.done(visit.say("The node takes jobs again"))


def shown_lines(lines: Sequence[LogEntry]) -> list[dict[str, Any]]:
    """Return log lines with the level that each begins with; a traceback is an error down to its last line.

    Examples
    --------
    >>> texts = ("read 20 rows", "WARNING: 2 rows left out", "Traceback (most recent call last):", "  File 1", "Oops: no")
    >>> [line["level"] for line in shown_lines([LogEntry(number=1, time="", text=text) for text in texts])]
    ['info', 'warning', 'error', 'error', 'error']
    """
    shown: list[dict[str, Any]] = []
    in_trace = False
    for line in lines:
        named = LEVEL.match(line.text)
        starts, goes_on = line.text.startswith("Traceback "), line.text.startswith(" ")
        level = "error" if starts or in_trace else named.group(1).lower() if named else "info"
        in_trace = starts or (in_trace and goes_on)
        text = LEVEL.sub("", line.text)
        shown.append({"n": line.number, "at": line.time, "level": level, "text": text})
    return shown


def time_left(job: Job, now: datetime) -> tuple[float, float] | None:
    """Return between how many and how many seconds a running job still needs; None when it is too early to tell."""
    done = job.progress.fraction
    if job.state != "RUNNING" or job.started_at is None or done is None or not KNOWN_FROM <= done < 1:
        return None
    left = (now - job.started_at).total_seconds() * (1 - done) / done
    return left * SPREAD[0], left * SPREAD[1]
