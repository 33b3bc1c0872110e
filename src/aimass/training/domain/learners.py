"""Learners: models that learn row by row from what arrives in a dataset, and the snapshots that are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.training.domain.words import Cursor, ExperimentSlug, Limit, SplitId, Workspace

OnlineModel = Literal[
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
Detector = Literal["adwin", "page_hinkley", "none"]
LearnerState = Literal["ACTIVE", "PAUSED", "FAILED"]
Cause = Literal["asked", "rows", "drift"]
Transfer = Literal["plain", "weighted"]
LEARN = "training.learn"
LEARNER = "learner"
LearnerSlug = Annotated[str, MaxLen(63), doc("slug of the learner")]
Window = Annotated[int, Ge(50), Le(10_000), doc("newest rows that it is judged on")]


def rows_of_a_point(window: int) -> int:
    """Return after how many rows the measures of a learner are kept once more, as a point of its line.

    Examples
    --------
    >>> rows_of_a_point(1000), rows_of_a_point(50)
    (200, 10)
    """
    return max(10, window // 5)


SnapshotEvery = Annotated[
    int | None, Ge(100), Le(100_000_000), doc("fewest rows between two snapshots; none by rows if absent")
]
Memory = Annotated[int, Ge(1), Le(4096), doc("megabytes that what it keeps may take")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A model that goes on learning while rows arrive.

    Attributes
    ----------
    split
        Where it started: it learned the training part first; the other parts judge, and are never learned.
    done_version
        The newest version of the dataset that it has learned from, whole.
    rows
        Rows that it has learned, each once.
    seq
        Number of the commit that its state and its place in the data are.
    counted
        Rows and values that were counted apart: without a label, met before, late, with nothing in them ...
    metrics
        Prequential: each row was answered before it was learned. Of classes, ``accuracy`` counts the newest ``window``
        rows, ``accuracy_total`` all; ``majority`` and ``last_class`` are what guessing the most frequent class, or the
        last one, reaches on the same rows. Of a policy, ``dr`` is what it would have earned on the newest rows, ``logged`` what
        was earned, ``ess`` how many rows that rests on. Of numbers, ``rmse``, ``mae`` and ``r2`` count the newest rows, with
        ``_total`` all; ``rmse_mean`` and ``rmse_last`` are what guessing the mean so far, or the last number, reaches.
    drifts
        After how many rows a drift was found.
    start_from, start_snapshot, transfer
        The learner whose knowledge it began with, at which snapshot (none: as it was then), and whether the rows which that one kept
        were learned again, each as often as it is likely among the own ones.
    """

    id: str
    workspace: str
    slug: str
    name: str
    model: OnlineModel
    task: str
    params: Mapping[str, Any]
    dataset: str
    target: str
    split: str
    experiment: str
    time_column: str | None
    detector: Detector
    replay: int
    replay_times: int
    window: int
    snapshot_every: int | None
    snapshot_on_drift: bool
    memory_mb: int
    seed: int
    start_from: str | None
    start_snapshot: int | None
    transfer: Transfer
    state: LearnerState
    is_at_work: bool
    done_version: int | None
    rows: int
    seq: int
    size: int
    classes: tuple[str, ...]
    counted: Mapping[str, int]
    metrics: Mapping[str, float]
    drifts: tuple[int, ...]
    snapshots: int
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    learned_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerPoint:
    """The prequential measures of a learner after some rows."""

    rows: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a learner knew after some rows, as a run with a package.

    Attributes
    ----------
    is_kept
        Whether the learner can go back to it: what it knew is kept for the newest ones.
    """

    number: int
    run: str
    rows: int
    cause: Cause
    is_kept: bool
    metrics: Mapping[str, float]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLearner:
    """Let a model learn from a dataset, row by row, as rows arrive.

    It learns the training part of the split first, then every row that a later version of the dataset brings, once each.
    """

    workspace: Workspace
    name: Annotated[str, MaxLen(255), doc("any name")]
    split: SplitId
    model: Annotated[OnlineModel | None, doc("what learns; a linear model if absent")] = None
    params: Annotated[Mapping[str, Any] | None, doc("parameters of the model; its defaults if absent")] = None
    slug: Annotated[str | None, MaxLen(63), doc("made from the name if absent")] = None
    experiment: Annotated[ExperimentSlug | None, doc("where its snapshots go; the learner's slug if absent")] = None
    time_column: Annotated[str | None, MaxLen(255), doc("column that orders rows which arrive together")] = None
    detector: Annotated[Detector, doc("what watches its errors for a drift")] = "adwin"
    replay: Annotated[int, Ge(0), Le(100_000), doc("rows kept to learn again, against forgetting; 0: none")] = 0
    replay_times: Annotated[int, Ge(1), Le(20), doc("rows of those that are learned again with each new one")] = 4
    window: Window = 1000
    snapshot_every: SnapshotEvery = None
    snapshot_on_drift: Annotated[bool, doc("make a snapshot a window after a drift, when it has adapted")] = False
    memory_mb: Memory = 64
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed and rows give the same model")] = 0
    start_from: Annotated[
        str | None, MaxLen(63), doc("learner whose knowledge it begins with; nothing is known at first if absent")
    ] = None
    start_snapshot: Annotated[int | None, Ge(1), doc("snapshot of that learner; what it knows now if absent")] = None
    transfer: Annotated[
        Transfer, doc("weighted: rows which that learner keeps are learned again, as often as they are likely here")
    ] = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLearner:
    """Change how a learner works from now on."""

    workspace: Workspace
    learner: LearnerSlug
    name: Annotated[str | None, MaxLen(255), doc("any name")] = None
    snapshot_every: SnapshotEvery = None
    snapshot_on_drift: Annotated[bool | None, doc("make a snapshot a window after a drift")] = None
    memory_mb: Annotated[int | None, Gt(0), Le(4096), doc("megabytes that what it keeps may take")] = None
    expected_version: Annotated[int | None, doc("refuse when it was changed since")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneLearner:
    """Name one learner."""

    workspace: Workspace
    learner: LearnerSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackLearner:
    """Let a learner know again what it knew at a snapshot."""

    workspace: Workspace
    learner: LearnerSlug
    snapshot: Annotated[int, Ge(1), doc("number of the snapshot")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLearners:
    """List learners, newest first."""

    workspace: Workspace
    state: Annotated[LearnerState | None, doc("only those in this state")] = None
    limit: Limit = 50
    cursor: Cursor = None
