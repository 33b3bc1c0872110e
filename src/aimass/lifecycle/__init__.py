"""The service orchestrator: select, train, test, evaluate, review, deploy, watch and retrain, by durable pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.lifecycle.capability import CAPABILITY
    from aimass.lifecycle.domain import ListRuns, Pipeline, PipelineRun, Step, Trigger
    from aimass.lifecycle.service import Lifecycle

__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.lifecycle.capability",
        "Lifecycle": "aimass.lifecycle.service",
        "ListRuns": "aimass.lifecycle.domain",
        "Pipeline": "aimass.lifecycle.domain",
        "PipelineRun": "aimass.lifecycle.domain",
        "Step": "aimass.lifecycle.domain",
        "Trigger": "aimass.lifecycle.domain",
    },
)
__all__ = ["CAPABILITY", "Lifecycle", "ListRuns", "Pipeline", "PipelineRun", "Step", "Trigger"]
