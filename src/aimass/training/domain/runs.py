"""Runs: one training each, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.training.domain.words import (
    DEFAULT,
    Cursor,
    ExperimentSlug,
    Key,
    Limit,
    RecipeName,
    RunId,
    RunState,
    SplitId,
    Workspace,
)
from aimass.training.tasks import TaskName

MAX_SOURCE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPackage:
    """The package that a run made, and how it was checked."""

    digest: str
    runtime: str
    size: int
    parity: str
    why_python: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is, while it runs."""

    fraction: float | None
    stage: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training of one recipe on one split.

    Attributes
    ----------
    task
        What the target is predicted as, as its split says.
    metrics
        The last value of each metric: validation scores; the mean over the folds of the task's metric and its deviation, such as
        ``cv_roc_auc`` and ``cv_roc_auc_sd``, or ``cv_rmse`` and ``cv_rmse_sd``; times.
    progress
        Set while the run runs.
    """

    id: str
    workspace: str
    experiment: str
    name: str
    recipe: str
    recipe_version: str
    params: Mapping[str, Any]
    dataset: str
    dataset_version: int
    split: str
    target: str
    task: TaskName
    features: tuple[str, ...] | None
    unseen: Mapping[str, str]
    seed: int
    folds: int
    state: RunState
    job: str | None
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    package: RunPackage | None
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: int
    progress: RunProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run left."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Runs side by side: metrics, and the parameters and data in which they differ; values in the order of the runs."""

    runs: tuple[Run, ...]
    metrics: Mapping[str, tuple[float | None, ...]]
    differences: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Train a recipe on a split."""

    workspace: Workspace
    recipe: RecipeName
    split: SplitId
    experiment: ExperimentSlug = DEFAULT
    name: Annotated[str | None, MaxLen(255), doc("any name; the recipe's if absent")] = None
    params: Annotated[Mapping[str, Any], doc("parameters of the recipe; the rest get their defaults")] = field(
        default_factory=dict[str, Any]
    )
    features: Annotated[list[str] | None, doc("columns to learn from; all but target and key if absent")] = None
    unseen: Annotated[Mapping[str, Literal["serve", "refuse"]], doc("by text column: serve or refuse new values")] = (
        field(default_factory=dict[str, Literal["serve", "refuse"]])
    )
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed gives the same model")] = 0
    folds: Annotated[int, Ge(1), Le(20), doc("folds of the cross-validation; 1: a fifth is held out")] = 5
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOwnRun(StartRun):
    """Train a recipe of your own on a split: its text comes along and runs in a sandbox."""

    recipe: Annotated[str, MaxLen(63), doc("what the file is called, for example my_recipe.py")]
    source: Annotated[str, MaxLen(MAX_SOURCE), doc("text of the file: Python that sets RECIPE and RUN")]
    slots: Annotated[int, Ge(1), Le(256), doc("threads that it may use, each one a job slot")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    """List runs, newest first, or sorted by a metric; then only runs that have it."""

    workspace: Workspace
    experiment: Annotated[str | None, doc("only runs of this experiment")] = None
    recipe: Annotated[str | None, doc("only runs of this recipe")] = None
    task: Annotated[TaskName | None, doc("only runs of this task")] = None
    state: Annotated[RunState | None, doc("only runs in this state")] = None
    split: Annotated[str | None, doc("only runs on this split")] = None
    dataset: Annotated[str | None, doc("only runs on this dataset")] = None
    where: Annotated[
        str | None, MaxLen(2000), doc("conditions: cv_roc_auc >= 0.8 and params.trees = 200 and tags.team = 'red'")
    ] = None
    sort: Annotated[str | None, MaxLen(120), doc("metric to sort by, for example cv_roc_auc")] = None
    ascending: Annotated[bool, doc("smallest value first")] = False
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRun:
    """Name one run."""

    workspace: Workspace
    run: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRuns:
    """Name the runs to compare."""

    workspace: Workspace
    runs: Annotated[list[str], doc("ids of 2 to 20 runs")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMetric:
    """Name a metric of a run."""

    workspace: Workspace
    run: RunId
    metric: Annotated[str, MaxLen(120), doc("name of the metric")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRun:
    """Set tags of a run; an empty value takes a tag away."""

    workspace: Workspace
    run: RunId
    tags: Annotated[Mapping[str, str], doc("name to value")]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRun:
    """Register the package of a run as the next version of a model."""

    workspace: Workspace
    run: RunId
    model: Annotated[str, MaxLen(63), doc("slug of the model; created when missing")]
    name: Annotated[str | None, MaxLen(255), doc("name of a model that is created")] = None
    description: Annotated[str, MaxLen(5000), doc("what is new in this version")] = ""
