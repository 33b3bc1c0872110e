"""Run durable workflows on DBOS, by six rules.

WAL on the SQLite file; a unique and stable executor id; an explicit version; JSON instead of pickle; an own reaper for
dead executors; heavy work in child processes (see ``docs/decisions/0003-dbos.md``).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, StepOptions
from sqlalchemy import make_url

from aimass.kernel.errors import Conflict, NotFound, Unavailable

RunState = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
_STATES: dict[str, RunState] = {
    "SUCCESS": "SUCCEEDED",
    "ERROR": "FAILED",
    "CANCELLED": "CANCELLED",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "FAILED",
}
_QUEUE = "aimass"
_WORKFLOW = "aimass.flow"
SCHEMA = "aimass-1"
_POLL_S = 0.1
_QUEUE_S = (
    0.25  # each look is two transactions: ten a second were half of what control does while nothing is asked of it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsConfig:
    """Where workflows are kept and who executes them.

    ``parallel`` workflows run at once in this process; each may block in a step, so it is a number of threads.
    """

    url: str
    executor_id: str
    parallel: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A finished step as the engine kept it."""

    number: int
    name: str
    output: Any
    error: str | None


class Flow:
    """What a workflow function works with: every outside effect goes through a step."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def step(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function once and keep its JSON result; after a crash a finished step is not run again.

        A step that was interrupted runs again, so the function has to be idempotent.
        """
        return DBOS.run_step(StepOptions(name=name), function, *args)

    def wait(self, name: str, check: Callable[[], Any], *, timeout_s: float) -> Any:
        """Wait, as a step, until ``check`` returns something; raise Unavailable after the time-out.

        A run that is cancelled stops waiting at once.
        """
        return self.step(name, _poll, self.run_id, check, timeout_s)


def _poll(run_id: str, check: Callable[[], Any], timeout_s: float) -> Any:
    end = time.monotonic() + timeout_s
    while (found := check()) is None:
        if time.monotonic() > end:
            raise Unavailable(f"nothing happened within {timeout_s:.0f} s")
        status = DBOS.get_workflow_status(run_id)
        if status is not None and status.status == "CANCELLED":
            raise Conflict("the run was cancelled")
        time.sleep(_POLL_S)
    return found


FlowFunction = Callable[[Flow, dict[str, Any]], Any]
_FUNCTIONS: dict[str, FlowFunction] = {}


@DBOS.workflow(name=_WORKFLOW)
def _flow(name: str, run_id: str, args: dict[str, Any]) -> Any:
    return _FUNCTIONS[name](Flow(run_id), args)


class Runs:
    """Start, watch and stop durable workflows."""

    def __init__(self, config: RunsConfig, functions: Mapping[str, FlowFunction]) -> None:
        self._config = config
        _FUNCTIONS.clear()
        _FUNCTIONS.update(functions)

    def launch(self) -> None:
        """Open the engine; runs that a killed process left behind go on."""
        url = make_url(self._config.url)
        if url.get_backend_name() == "sqlite":
            with sqlite3.connect(str(url.database)) as file:
                file.execute("pragma journal_mode=wal")
            file.close()
        config: DBOSConfig = {
            "name": "aimass",
            "system_database_url": self._config.url,
            "executor_id": self._config.executor_id,
            "application_version": SCHEMA,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "scheduler_polling_interval_sec": 5.0,
            "max_executor_threads": self._config.parallel + 8,
        }
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(_QUEUE, worker_concurrency=self._config.parallel, polling_interval_sec=_QUEUE_S)
        self._adopt()

    def _adopt(self) -> None:
        """Take over what executors of this database left behind that live no more.

        The executor's name is held by a lock, so whoever has another name on this SQLite file is gone.
        """
        if not self._config.url.startswith("sqlite"):
            return
        for status in DBOS.list_workflows(status="PENDING"):
            if status.executor_id != self._config.executor_id:
                DBOS.resume_workflow(status.workflow_id, queue_name=_QUEUE)

    def close(self) -> None:
        """Stop taking work; running workflows go on after the next launch."""
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def start(self, name: str, run_id: str, args: dict[str, Any]) -> None:
        """Start a workflow; the same id twice is one run.

        Parameters
        ----------
        name
            Registered function.
        run_id
            Id of the run, chosen by the caller.
        args
            JSON arguments.
        """
        if name not in _FUNCTIONS:
            raise NotFound(f"no workflow is called {name!r}", value=name, allowed=sorted(_FUNCTIONS))
        with SetWorkflowID(run_id):
            DBOS.enqueue_workflow(_QUEUE, _flow, name, run_id, args)

    def state(self, run_id: str) -> RunState | None:
        """Return the state of a run; None when the id is unknown."""
        status = DBOS.get_workflow_status(run_id)
        return None if status is None else _STATES.get(status.status, "RUNNING")

    def error(self, run_id: str) -> str | None:
        """Return what a failed run failed with."""
        status = DBOS.get_workflow_status(run_id)
        return None if status is None or status.error is None else str(status.error)

    def steps(self, run_id: str) -> list[StepRecord]:
        """Return the finished steps of a run."""
        records = DBOS.list_workflow_steps(run_id)
        return [
            StepRecord(
                number=record["function_id"],
                name=record["function_name"],
                output=record.get("output"),
                error=None if record.get("error") is None else str(record["error"]),
            )
            for record in records
        ]

    def cancel(self, run_id: str) -> None:
        """Stop a run at its next step, or at once when it waits."""
        DBOS.cancel_workflow(run_id)

    def resume(self, run_id: str) -> None:
        """Continue a cancelled or failed run after its last finished step."""
        DBOS.resume_workflow(run_id, queue_name=_QUEUE)
