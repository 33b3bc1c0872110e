"""The model selector and automatic training: recipes chosen, trained within a time, blended, the best one found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.training.domain.words import Cursor, ExperimentSlug, Key, Limit, SplitId, Workspace

AutoState = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Method = Literal["auto", "mean", "stack"]
AutoId = Annotated[str, MaxLen(26), doc("id of the automatic training")]
MOST_RECIPES = 10
MIN_BLENDED, MAX_BLENDED = 2, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a model may cost.

    Attributes
    ----------
    row_us
        Microseconds for one row at most.
    size
        Bytes of its package at most.
    explainable
        Its answers must be readable off its coefficients.
    budget_s
        Seconds of training at most.
    """

    row_us: float | None = None
    size: int | None = None
    explainable: bool = False
    budget_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One recipe as the selector sees it.

    Attributes
    ----------
    variant, params
        Which of its sets of parameters; "" and none for the defaults.
    score
        Its place among the others; more is better.
    seconds, row_us, size
        What it is expected to take: to train, for one row, and bytes of its package.
    reasons
        Why it stands where it stands.
    left_out
        Why it is not taken at all; None when it is.
    """

    recipe: str
    variant: str
    params: Mapping[str, Any]
    title: str
    score: float
    seconds: float
    row_us: float
    size: int
    reasons: tuple[str, ...]
    left_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoRun:
    """An automatic training: the best few recipes, a blend of what they learned, and the best of all.

    Attributes
    ----------
    recommended
        What the selector said of each recipe; empty until the split is ready.
    runs
        The runs that were started, in the order of the recommendation.
    blend
        The run that blends them, when one was started.
    best
        The run that won, by the ``objective``.
    deadline
        When runs that are still at work are stopped.
    progress
        Share of the runs that have ended; None once it has ended itself.
    """

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
    state: AutoState
    recommended: tuple[Recommendation, ...]
    runs: tuple[str, ...]
    blend: str | None
    best: str | None
    notes: tuple[str, ...]
    error: Mapping[str, Any] | None
    created_by: str
    created_by_name: str
    created_at: datetime
    deadline: datetime
    ended_at: datetime | None
    version: int
    progress: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendRecipes:
    """Ask which recipes suit a split."""

    workspace: Workspace
    split: SplitId
    budget_s: Annotated[float | None, Gt(0), doc("seconds of training at most")] = None
    row_us: Annotated[float | None, Gt(0), doc("microseconds for one row at most")] = None
    size: Annotated[int | None, Ge(1), doc("bytes of the package at most")] = None
    explainable: Annotated[bool, doc("only models whose answers can be read off their coefficients")] = False
    folds: Annotated[int, Ge(2), Le(20), doc("folds of the cross-validation")] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAuto:
    """Train the best few recipes within a time, blend them, and find the best.

    Name a ``split``, or a ``dataset`` and its ``target``: then the newest version is split first.
    """

    workspace: Workspace
    split: Annotated[str | None, MaxLen(26), doc("id of a split; or name dataset and target")] = None
    dataset: Annotated[str | None, MaxLen(63), doc("slug of the dataset, when there is no split yet")] = None
    target: Annotated[str | None, MaxLen(255), doc("column to predict, with dataset")] = None
    key_column: Annotated[str | None, MaxLen(255), doc("column that names a row, with dataset")] = None
    name: Annotated[str | None, MaxLen(255), doc("any name; made from dataset and target if absent")] = None
    experiment: Annotated[ExperimentSlug | None, doc("where its runs go; the dataset's if absent")] = None
    budget_s: Annotated[float, Ge(10), Le(604_800), doc("seconds after which unfinished runs are stopped")] = 600.0
    most: Annotated[int, Ge(1), Le(MOST_RECIPES), doc("recipes that are tried at most")] = 4
    blend: Annotated[bool, doc("blend what was trained")] = True
    row_us: Annotated[float | None, Gt(0), doc("microseconds for one row at most")] = None
    size: Annotated[int | None, Ge(1), doc("bytes of the package at most")] = None
    explainable: Annotated[bool, doc("only models whose answers can be read off their coefficients")] = False
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed gives the same models")] = 0
    folds: Annotated[int, Ge(2), Le(20), doc("folds of the cross-validation")] = 5
    key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAuto:
    """Name one automatic training."""

    workspace: Workspace
    auto: AutoId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAutos:
    """List automatic trainings, newest first."""

    workspace: Workspace
    state: Annotated[AutoState | None, doc("only those in this state")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendRuns:
    """Blend finished runs on one split into one model."""

    workspace: Workspace
    runs: Annotated[list[str], doc(f"ids of {MIN_BLENDED} to {MAX_BLENDED} finished runs on the same split")]
    method: Annotated[
        Method, doc("mean: weights; stack: a logistic regression on their answers; auto: the better one")
    ] = "auto"
    experiment: Annotated[ExperimentSlug | None, doc("that of the first run if absent")] = None
    name: Annotated[str | None, MaxLen(255), doc("any name; blend if absent")] = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key = None


def limits_of(command: RecommendRecipes | StartAuto) -> Constraints:
    """Return what a model may cost, as it was asked for."""
    return Constraints(
        row_us=command.row_us, size=command.size, explainable=command.explainable, budget_s=command.budget_s
    )
