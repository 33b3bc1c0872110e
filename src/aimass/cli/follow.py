"""Follow a job or a pipeline run until its end, with a progress bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aimass.cli.progress import progress
from aimass.kernel.errors import Failed

if TYPE_CHECKING:
    from aimass.client import Client

_POLL_S = 0.3
_ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "FINISHED", "KILLED", "READY", "APPROVED", "REJECTED"})
_BAD = frozenset({"FAILED", "CANCELLED", "KILLED"})


def follow(client: Client, started: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Wait for the job or run that an operation started, and return it at its end.

    Raises
    ------
    Failed
        It failed or was cancelled.
    """
    job = started.get("job")
    path = f"/api/v1/workspaces/{started.get('workspace', client.workspace)}/jobs/{quote(str(job))}"
    if not isinstance(job, str) or not job:
        return started
    with progress(str(started.get("title", "working")), quiet=quiet) as told:
        while True:
            now = client.transport.json("GET", path, query={}, body=None, headers={})
            told(now.get("fraction") or 0.0, now.get("stage") or "")
            if now["state"] in _ENDS:
                break
            time.sleep(_POLL_S)
    if now["state"] in _BAD:
        raise Failed(
            f"{now['title']}: {now['state']}: {now.get('error') or 'no reason given'}", hint=f"aimass jobs log {job}"
        )
    return started | {"job_state": now["state"]}
