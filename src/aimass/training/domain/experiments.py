"""Experiments: groups of runs that answer one question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import MaxLen, doc

from aimass.training.domain.words import Cursor, ExperimentSlug, Limit, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A group of runs that answer one question."""

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    runs: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateExperiment:
    """Create an experiment; starting a run creates the one it names too."""

    workspace: Workspace
    name: Annotated[str, doc("any name")]
    slug: Annotated[str | None, doc("short name for addresses; made from the name when absent")] = None
    description: Annotated[str, MaxLen(5000), doc("the question it answers")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListExperiments:
    """List experiments, newest first."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneExperiment:
    """Name one experiment."""

    workspace: Workspace
    experiment: ExperimentSlug
