"""Durable workflows: steps that survive kill -9, on DBOS behind a thin interface of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.workflows.executor import executor_identity
    from aimass.infra.workflows.runs import Flow, Runs, RunsConfig, RunState, StepRecord
    from aimass.infra.workflows.tables import make_workflow_tables, workflow_tables

__getattr__, __dir__ = door(
    __name__,
    {
        "Flow": "aimass.infra.workflows.runs",
        "RunState": "aimass.infra.workflows.runs",
        "Runs": "aimass.infra.workflows.runs",
        "RunsConfig": "aimass.infra.workflows.runs",
        "StepRecord": "aimass.infra.workflows.runs",
        "executor_identity": "aimass.infra.workflows.executor",
        "make_workflow_tables": "aimass.infra.workflows.tables",
        "workflow_tables": "aimass.infra.workflows.tables",
    },
)
__all__ = [
    "Flow",
    "RunState",
    "Runs",
    "RunsConfig",
    "StepRecord",
    "executor_identity",
    "make_workflow_tables",
    "workflow_tables",
]
