"""Follow what goes on after an operation has answered, until its end, with a progress bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aimass.cli.progress import progress
from aimass.client import OPERATIONS, Operation, build
from aimass.kernel.errors import Failed

if TYPE_CHECKING:
    from aimass.client import Client

_POLL_S = 0.3
_GOING = frozenset({"QUEUED", "PENDING", "STARTING", "RUNNING", "SUBMITTED", "SCANNING", "SCHEDULED"})
_BAD = frozenset({"FAILED", "CANCELLED", "KILLED", "REJECTED"})
_JOB = "cluster.get_job"


def send(client: Client, operation: Operation, given: dict[str, Any]) -> Any:
    """Send an operation and return its reply."""
    request = build(operation, given, client.workspace)
    return client.transport.json(
        operation.method, request.path, query=request.query, body=request.body, headers=request.headers
    )


def follow(
    client: Client, operation: Operation, given: dict[str, Any], started: dict[str, Any], *, quiet: bool
) -> dict[str, Any]:
    """Wait for what an operation began, and return it as it is at its end.

    Raises
    ------
    Failed
        It failed, was cancelled or was rejected.
    """
    job = started.get("job")
    with progress(str(started.get("title") or operation.summary.rstrip(".")), quiet=quiet) as told:
        if isinstance(job, str) and job:
            _ended(client, OPERATIONS[_JOB], {"job": job}, told)
        reader = OPERATIONS[operation.progress]
        return _ended(client, reader, _named(reader, given, started), told)


def _named(reader: Operation, given: dict[str, Any], started: dict[str, Any]) -> dict[str, Any]:
    """Return what the reading operation needs to find the thing: by its own fields, by what was given, by slug or id."""
    names = [param.name for param in reader.params if param.where == "path" and param.name != "workspace"]
    found = {name: started.get(name) or given.get(name) for name in names}
    return {name: value or started.get("slug") or started.get("id") for name, value in found.items()}


def _ended(client: Client, reader: Operation, wanted: dict[str, Any], told: Any) -> dict[str, Any]:
    while True:
        now: dict[str, Any] = send(client, reader, wanted)
        told(*_progress_of(now))
        if now["state"] not in _GOING:
            break
        time.sleep(_POLL_S)
    if now["state"] in _BAD:
        raise _failure(now, now["id"] if reader.name == _JOB else now.get("job"))
    return now


def _progress_of(now: dict[str, Any]) -> tuple[float, str]:
    """Return how much is done, and what is done now: by the thing's own word, or by its steps."""
    steps: list[dict[str, Any]] = now.get("steps") or []
    if not steps:
        return float(now.get("fraction") or 0.0), str(now.get("stage") or "")
    shares = [1.0 if step["state"] == "SUCCEEDED" else float(step.get("fraction") or 0.0) for step in steps]
    running = next((step["title"] for step in steps if step["state"] == "RUNNING"), "")
    return sum(shares) / len(steps), running


def _failure(now: dict[str, Any], job: str | None) -> Failed:
    why = now.get("error") or now.get("reason") or now.get("comment") or "no reason given"
    problem: dict[str, Any] = why if isinstance(why, dict) else {"detail": why}
    name = next(str(now[field]) for field in ("title", "name", "slug", "pipeline", "model", "id") if now.get(field))
    hint = problem.get("hint") or (f"aimass jobs log {job}" if job else "")
    return Failed(f"{name}: {now['state']}: {problem.get('detail')}", hint=str(hint))
