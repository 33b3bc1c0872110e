"""Routes that cannot be derived: the log of a job as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from aimass.cluster.domain import GetJobLog, JobLog
from aimass.cluster.service import Jobs
from aimass.kernel.numbers import whole
from aimass.kernel.principal import Principal
from aimass.web import caller, registry_of

router = APIRouter(tags=["cluster"])
_PAUSE_S = 0.5
_LAST = 2**53


@router.get("/workspaces/{workspace}/jobs/{job}/log/stream", operation_id="cluster.stream_job_log")
async def stream_job_log(
    request: Request, workspace: str, job: str, after: Annotated[int, Query(ge=0, le=_LAST)] = 0
) -> StreamingResponse:
    """Follow the log of a job as server-sent events until the job has ended; ``Last-Event-ID`` goes on from there."""
    who, jobs = caller(request), registry_of(request).get(Jobs)
    last = whole(request.headers.get("last-event-id", ""))
    wish = GetJobLog(workspace=workspace, job=job, after=after if last is None else min(last, _LAST))
    first = await run_in_threadpool(jobs.get_job_log, who, wish)
    return StreamingResponse(_events(jobs, who, wish, first), media_type="text/event-stream")


async def _events(jobs: Jobs, who: Principal, wish: GetJobLog, log: JobLog) -> AsyncIterator[bytes]:
    while True:
        for line in log.lines:
            data = orjson.dumps({"number": line.number, "time": line.time, "text": line.text})
            yield b"id: %d\ndata: %s\n\n" % (line.number, data)
        if log.is_complete:
            yield b"event: end\ndata: {}\n\n"
            return
        if not log.lines:
            yield b": still there\n\n"
            await asyncio.sleep(_PAUSE_S)
        wish = GetJobLog(workspace=wish.workspace, job=wish.job, after=log.next)
        log = await run_in_threadpool(jobs.get_job_log, who, wish)
