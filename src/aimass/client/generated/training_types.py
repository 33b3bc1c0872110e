"""Objects of training. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training of one recipe on one split."""

    id: str
    workspace: str
    experiment: str
    name: str
    recipe: str
    recipe_version: str
    params: dict[str, Any]
    dataset: str
    dataset_version: int
    split: str
    target: str
    task: Literal[
        "classification",
        "regression",
        "anomaly",
        "clustering",
        "ranking",
        "forecasting",
        "multilabel",
        "policy",
        "tagging",
        "language",
        "summary",
        "detection",
    ]
    features: list[str] | None
    unseen: dict[str, str]
    seed: int
    folds: int
    state: Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]
    job: str | None
    metrics: dict[str, float]
    tags: dict[str, str]
    package: RunPackage | None
    notes: list[str]
    error: dict[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: int
    progress: RunProgress | None = None


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
    metrics: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoRun:
    """An automatic training: the best few recipes, a blend of what they learned, and the best of all."""

    id: str
    workspace: str
    name: str
    experiment: str
    dataset: str
    target: str
    split: str
    task: str | None
    objective: str | None
    constraints: Constraints
    most: int
    is_blended: bool
    seed: int
    folds: int
    state: Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
    recommended: list[Recommendation]
    runs: list[str]
    blend: str | None
    best: str | None
    notes: list[str]
    error: dict[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    deadline: datetime
    ended_at: datetime | None
    version: int
    progress: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a model may cost."""

    row_us: float | None = None
    size: int | None = None
    explainable: bool = False
    budget_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One recipe as the selector sees it."""

    recipe: str
    variant: str
    params: dict[str, Any]
    title: str
    score: float
    seconds: float
    row_us: float
    size: int
    reasons: list[str]
    left_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search for the best parameters of a recipe on a split."""

    id: str
    workspace: str
    name: str
    slug: str
    recipe: str
    recipe_version: str
    source: str | None
    split: str
    experiment: str
    params: dict[str, Any]
    features: list[str] | None
    space: dict[str, Any]
    sampler: Literal["grid", "random", "tpe", "gp", "cmaes", "nsga2"]
    pruner: Literal["none", "median", "hyperband", "halving"]
    objectives: list[Objective]
    trials: int
    parallel: int
    budget_s: float | None
    spent_s: float
    seed: int
    folds: int
    state: Literal["RUNNING", "PAUSED", "FINISHED", "FAILED", "KILLED"]
    reason: str
    counts: dict[str, int]
    best: list[int]
    fraction: float
    stage: str
    created_by: str
    created_by_name: str
    created_at: datetime
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric of a run, and which way is better."""

    metric: str
    direction: Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Runs side by side: metrics, and the parameters and data in which they differ; values in the order of the runs."""

    runs: list[Run]
    metrics: dict[str, list[float | None]]
    differences: dict[str, list[Any]]


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
class Learner:
    """A model that goes on learning while rows arrive."""

    id: str
    workspace: str
    slug: str
    name: str
    model: Literal[
        "logistic_regression",
        "naive_bayes",
        "hoeffding_adaptive_tree",
        "adwin_bagging",
        "leveraging_bagging",
        "adaptive_random_forest",
        "sklearn_sgd",
        "sklearn_naive_bayes",
        "sklearn_mlp",
        "linear_regression",
        "hoeffding_adaptive_tree_regressor",
        "adaptive_random_forest_regressor",
        "sklearn_sgd_regressor",
        "sklearn_mlp_regressor",
        "lin_ucb",
        "lin_thompson",
        "lin_epsilon",
    ]
    task: str
    params: dict[str, Any]
    dataset: str
    target: str
    split: str
    experiment: str
    time_column: str | None
    detector: Literal["adwin", "page_hinkley", "none"]
    replay: int
    replay_times: int
    window: int
    snapshot_every: int | None
    snapshot_on_drift: bool
    memory_mb: int
    seed: int
    start_from: str | None
    start_snapshot: int | None
    transfer: Literal["plain", "weighted"]
    state: Literal["ACTIVE", "PAUSED", "FAILED"]
    is_at_work: bool
    done_version: int | None
    rows: int
    seq: int
    size: int
    classes: list[str]
    counted: dict[str, int]
    metrics: dict[str, float]
    drifts: list[int]
    snapshots: int
    notes: list[str]
    error: dict[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    learned_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which row of a dataset version belongs to which part, by a stored seed, by groups, by time, or by both."""

    id: str
    workspace: str
    dataset: str
    dataset_version: int
    target: str
    task: (
        Literal[
            "classification",
            "regression",
            "anomaly",
            "clustering",
            "ranking",
            "forecasting",
            "multilabel",
            "policy",
            "tagging",
            "language",
            "summary",
            "detection",
        ]
        | None
    )
    key_column: str | None
    group_column: str | None
    time_column: str | None
    horizon: int | None
    label_separator: str | None
    action_column: str | None
    propensity_column: str | None
    episode_column: str | None
    step_column: str | None
    discount: float
    known_ahead: list[str]
    past: list[str]
    fractions: dict[str, float]
    seed: int
    stratify: bool
    base: str | None
    state: Literal["PENDING", "READY", "FAILED"]
    counts: dict[str, int]
    classes: dict[str, dict[str, int]]
    sha256: str | None
    notes: list[str]
    texts: list[str]
    lists: dict[str, int]
    error: dict[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the exported file of a run scores on one part of the data."""

    id: str
    workspace: str
    run: str
    part: Literal["train", "validation", "test", "future"]
    state: Literal["PENDING", "READY", "FAILED"]
    rows: int | None
    metrics: dict[str, float]
    auc: dict[str, Any]
    interval: dict[str, Any]
    notes: list[str]
    error: dict[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What came of a compression."""

    run: str
    base: str
    policy: Policy
    rows: int
    batch: int
    baseline: Figures
    candidates: list[CompressionCandidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a compressed model has to meet."""

    metric: str
    max_drop: float = 0.005
    min_speedup: float = 0.9
    timed: Literal["row", "batch"] = "row"
    min_ratio: float = 1.0
    max_bytes: int | None = None
    prefer: Literal["size", "speed"] = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one file."""

    score: float
    row_us: float
    batch_us: float
    row_median_us: float
    batch_median_us: float
    size: int
    encoded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionCandidate:
    """One technique, and what came of it."""

    technique: str
    figures: Figures | None = None
    drop: float | None = None
    row_speedup: float | None = None
    batch_speedup: float | None = None
    ratio: float | None = None
    encoded_ratio: float | None = None
    alone: float | None = None
    accepted: bool = False
    reasons: list[str] = field(default_factory=list)
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much of the spread of an objective each parameter explains; the shares sum to 1."""

    objective: str
    method: str
    trials: int
    shares: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerPoint:
    """The prequential measures of a learner after some rows."""

    rows: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeInfo:
    """A recipe as people see it."""

    name: str
    version: str
    title: str
    summary: str
    tasks: list[str]
    slots: int
    memory_mb: int
    capabilities: list[str]
    parameters: dict[str, Any]
    space: dict[str, Any]
    install: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run left."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration that a study tries: an ordinary run."""

    number: int
    params: dict[str, Any]
    state: Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]
    values: list[float] | None
    steps: list[list[int]]
    pruned_at: int | None
    same_as: int | None
    run: str | None
    error: dict[str, Any] | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a learner knew after some rows, as a run with a package."""

    number: int
    run: str
    rows: int
    cause: Literal["asked", "rows", "drift"]
    is_kept: bool
    metrics: dict[str, float]
    created_at: datetime
