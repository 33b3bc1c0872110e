"""Evaluations: what the exported file of a run scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from annotated_types import doc

from aimass.training.domain.words import Part, RunId, Workspace, WorkState


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the exported file of a run scores on one part of the data.

    Attributes
    ----------
    interval
        The ``metric`` of the task as ``value`` with its interval ``low`` to ``high``, ``level`` and ``method``.
    auc
        The same for a classifier, whose metric is ROC AUC; empty for other tasks.
    """

    id: str
    workspace: str
    run: str
    part: Part
    state: WorkState
    rows: int | None
    metrics: Mapping[str, float]
    auc: Mapping[str, Any]
    interval: Mapping[str, Any]
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRun:
    """Evaluate the exported file of a run on one part; a part is evaluated once."""

    workspace: Workspace
    run: RunId
    part: Annotated[Part, doc("part of the split")] = "test"
