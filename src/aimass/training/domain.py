"""Experiments, runs, splits and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.pages import MAX_LIMIT

RunState = Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]
WorkState = Literal["PENDING", "READY", "FAILED"]
Part = Literal["train", "validation", "test", "future"]
ENDED: tuple[RunState, ...] = ("FINISHED", "FAILED", "KILLED")
FIT, SPLIT, EVALUATE, GATE = "training.fit", "training.split", "training.evaluate", "training.metric_gate"
FRACTIONS: Mapping[str, float] = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
DEFAULT = "default"

Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
RunId = Annotated[str, MaxLen(26), doc("id of the run")]
SplitId = Annotated[str, MaxLen(26), doc("id of the split")]
ExperimentSlug = Annotated[str, MaxLen(63), doc("slug of the experiment")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")]
Cursor = Annotated[str | None, doc("where the page before ended")]
Key = Annotated[str | None, MaxLen(120), doc("makes it happen once, however often it is asked")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeInfo:
    """A recipe as people see it; ``parameters`` is the JSON schema of its parameters."""

    name: str
    version: str
    title: str
    summary: str
    task: str
    slots: int
    memory_mb: int
    capabilities: tuple[str, ...]
    parameters: Mapping[str, Any]


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
class Split:
    """Which row of a dataset version belongs to which part, by a stored seed.

    Attributes
    ----------
    key_column
        The column that names a row; rows keep their part in the splits of later versions by it.
    base
        The split of an earlier version, whose parts were kept.
    classes
        Rows by part and class.
    """

    id: str
    workspace: str
    dataset: str
    dataset_version: int
    target: str
    key_column: str | None
    fractions: Mapping[str, float]
    seed: int
    stratify: bool
    base: str | None
    state: WorkState
    counts: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    sha256: str | None
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


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
    metrics
        The last value of each metric: validation scores, ``cv_roc_auc`` and its deviation, times.
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
class Evaluation:
    """What the exported file of a run scores on one part of the data.

    Attributes
    ----------
    auc
        ROC AUC as ``value`` with its interval ``low`` to ``high``, ``level`` and ``method``.
    """

    id: str
    workspace: str
    run: str
    part: Part
    state: WorkState
    rows: int | None
    metrics: Mapping[str, float]
    auc: Mapping[str, Any]
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Runs side by side: metrics, and the parameters and data in which they differ; values in the order of the runs."""

    runs: tuple[Run, ...]
    metrics: Mapping[str, tuple[float | None, ...]]
    differences: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRecipe:
    """Name one recipe."""

    recipe: Annotated[str, MaxLen(63), doc("name of the recipe, for example lightgbm")]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSplit:
    """Split a dataset version.

    With ``base`` the rows of an earlier split keep their part, so that a test set stays untouched when the dataset
    grows; new rows go to ``new_rows``.
    """

    workspace: Workspace
    dataset: Annotated[str, MaxLen(63), doc("slug of the dataset")]
    target: Annotated[str, MaxLen(255), doc("column to predict")]
    dataset_version: Annotated[int | None, Ge(1), doc("number of the version; the newest if absent")] = None
    key_column: Annotated[str | None, MaxLen(255), doc("column that names a row; never learned from")] = None
    fractions: Annotated[Mapping[str, float], doc("share of train, validation, test and future")] = field(
        default_factory=lambda: dict(FRACTIONS)
    )
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed gives the same split")] = 0
    stratify: Annotated[bool, doc("give every part its share of each class")] = True
    base: Annotated[str | None, doc("id of an earlier split whose parts are kept")] = None
    new_rows: Annotated[Part, doc("part of rows that the base does not know")] = "train"
    key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSplits:
    """List splits, newest first."""

    workspace: Workspace
    dataset: Annotated[str | None, doc("only splits of this dataset")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSplit:
    """Name one split."""

    workspace: Workspace
    split: SplitId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSplitRows:
    """Name the part of a split whose rows are wanted."""

    workspace: Workspace
    split: SplitId
    part: Annotated[Part, doc("train, validation, test or future")]
    limit: Limit = 500
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Train a recipe on a split."""

    workspace: Workspace
    recipe: Annotated[str, MaxLen(63), doc("name of the recipe")]
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
    folds: Annotated[int, Ge(2), Le(20), doc("folds of the cross-validation")] = 5
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    """List runs, newest first, or sorted by a metric; then only runs that have it."""

    workspace: Workspace
    experiment: Annotated[str | None, doc("only runs of this experiment")] = None
    recipe: Annotated[str | None, doc("only runs of this recipe")] = None
    state: Annotated[RunState | None, doc("only runs in this state")] = None
    split: Annotated[str | None, doc("only runs on this split")] = None
    dataset: Annotated[str | None, doc("only runs on this dataset")] = None
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
class EvaluateRun:
    """Evaluate the exported file of a run on one part; a part is evaluated once."""

    workspace: Workspace
    run: RunId
    part: Annotated[Part, doc("part of the split")] = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRun:
    """Register the package of a run as the next version of a model."""

    workspace: Workspace
    run: RunId
    model: Annotated[str, MaxLen(63), doc("slug of the model; created when missing")]
    name: Annotated[str | None, MaxLen(255), doc("name of a model that is created")] = None
    description: Annotated[str, MaxLen(5000), doc("what is new in this version")] = ""
