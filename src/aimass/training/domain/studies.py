"""Studies: searches for the best parameters of a recipe, one run a trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.training.domain.runs import MAX_SOURCE
from aimass.training.domain.words import DEFAULT, Cursor, ExperimentSlug, Limit, RecipeName, SplitId, Workspace
from aimass.training.tasks import Task

StudyState = Literal["RUNNING", "PAUSED", "FINISHED", "FAILED", "KILLED"]
TrialState = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]
Sampler = Literal["grid", "random", "tpe", "gp", "cmaes", "nsga2"]
Pruner = Literal["none", "median", "hyperband", "halving"]
Direction = Literal["maximize", "minimize"]
DIRECTIONS: tuple[Direction, ...] = ("maximize", "minimize")
OPEN: tuple[TrialState, ...] = ("WAITING", "RUNNING")
MAX_OBJECTIVES = 4
MAX_FAILURES = 5
StudySlug = Annotated[str, MaxLen(63), doc("slug of the study")]
Trials = Annotated[int, Ge(1), Le(10_000), doc("configurations to try")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric of a run, and which way is better."""

    metric: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search for the best parameters of a recipe on a split.

    Attributes
    ----------
    source
        Hash of the text where the recipe is a file of one's own.
    params
        Parameters that every trial has.
    space
        The values to try, by parameter.
    counts
        Trials by state.
    best
        Numbers of the best trials: one for one objective, else all that no other trial beats in everything.
    fraction, stage
        How far it is.
    spent_s
        How long it ran so far, without pauses.
    """

    id: str
    workspace: str
    name: str
    slug: str
    recipe: str
    recipe_version: str
    source: str | None
    split: str
    experiment: str
    params: Mapping[str, Any]
    features: tuple[str, ...] | None
    space: Mapping[str, Any]
    sampler: Sampler
    pruner: Pruner
    objectives: tuple[Objective, ...]
    trials: int
    parallel: int
    budget_s: float | None
    spent_s: float
    seed: int
    folds: int
    state: StudyState
    reason: str
    counts: Mapping[str, int]
    best: tuple[int, ...]
    fraction: float
    stage: str
    created_by: str
    created_by_name: str
    created_at: datetime
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration that a study tries: an ordinary run.

    Attributes
    ----------
    values
        What each objective came to.
    steps
        The first objective as it stood after each fold, and at the looks between: step and value.
    pruned_at
        The step at which it was given up.
    same_as
        The earlier trial with the same configuration, whose run and values it shares.
    """

    number: int
    params: Mapping[str, Any]
    state: TrialState
    values: tuple[float, ...] | None
    steps: tuple[tuple[int, float], ...]
    pruned_at: int | None
    same_as: int | None
    run: str | None
    error: Mapping[str, Any] | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much of the spread of an objective each parameter explains; the shares sum to 1."""

    objective: str
    method: str
    trials: int
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStudy:
    """Search for the best parameters of a recipe."""

    workspace: Workspace
    recipe: RecipeName
    split: SplitId
    source: Annotated[
        str | None, MaxLen(MAX_SOURCE), doc("text of a recipe of your own; recipe is then what its file is called")
    ] = None
    name: Annotated[str | None, MaxLen(255), doc("any name; made of recipe and dataset if absent")] = None
    slug: Annotated[str | None, doc("short name for addresses; made from the name when absent")] = None
    experiment: ExperimentSlug = DEFAULT
    space: Annotated[Mapping[str, Any] | None, doc("by parameter its values; the recipe's own space if absent")] = None
    params: Annotated[Mapping[str, Any], doc("parameters that every trial has")] = field(default_factory=dict[str, Any])
    features: Annotated[list[str] | None, doc("columns to learn from; all but target and key if absent")] = None
    sampler: Annotated[Sampler, doc("how the next configuration is chosen")] = "tpe"
    pruner: Annotated[Pruner, doc("how trials that fall behind are given up")] = "none"
    objectives: Annotated[
        list[str] | None, doc("metric, or metric:minimize; up to 4; the number that the task is judged by if absent")
    ] = None
    trials: Trials = 30
    parallel: Annotated[int, Ge(1), Le(256), doc("trials at once; job slots limit them too")] = 2
    budget_s: Annotated[float | None, Gt(0), doc("seconds after which no new trial begins")] = None
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed and results give the same search")] = 0
    folds: Annotated[int, Ge(1), Le(20), doc("folds of the cross-validation; 1: a fifth is held out")] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStudies:
    """List studies, newest first."""

    workspace: Workspace
    state: Annotated[StudyState | None, doc("only studies in this state")] = None
    recipe: Annotated[str | None, doc("only studies of this recipe")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStudy:
    """Name one study."""

    workspace: Workspace
    study: StudySlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendStudy:
    """Give a study more trials, or more time; one that has ended goes on."""

    workspace: Workspace
    study: StudySlug
    trials: Annotated[int, Ge(0), Le(10_000), doc("trials more than now")] = 0
    budget_s: Annotated[float, Ge(0), doc("seconds more than now")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTrials:
    """List the trials of a study, in their order."""

    workspace: Workspace
    study: StudySlug
    state: Annotated[TrialState | None, doc("only trials in this state")] = None
    limit: Limit = 500
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskImportance:
    """Name the objective whose spread is to be explained."""

    workspace: Workspace
    study: StudySlug
    objective: Annotated[str | None, MaxLen(120), doc("one of the study's metrics; the first if absent")] = None


def objectives_of(wished: Sequence[str] | None, task: Task) -> tuple[Objective, ...]:
    """Return the objectives that somebody wrote down; without any the number that the task is judged by.

    Examples
    --------
    >>> from aimass.training.tasks import find_task
    >>> objectives_of(["cv_roc_auc", "fit_s:minimize"], find_task("classification"))[1]
    Objective(metric='fit_s', direction='minimize')
    """
    if wished is not None and not 1 <= len(wished) <= MAX_OBJECTIVES:
        allowed = f"1 to {MAX_OBJECTIVES}"
        raise Invalid(f"there are {len(wished)} objectives", field="objectives", value=list(wished), allowed=allowed)
    found = tuple(_objective(text, task) for text in (wished or [task.objective]))
    if len({one.metric for one in found}) < len(found):
        raise Invalid(
            "an objective stands there twice", field="objectives", value=list(wished or ()), allowed="each once"
        )
    return found


def _objective(text: str, task: Task) -> Objective:
    metric, _, direction = text.strip().partition(":")
    if not direction and metric in (task.metric, task.objective):
        direction = "minimize" if task.is_lower_better else "maximize"
    if not metric or direction not in DIRECTIONS:
        raise Invalid(
            f"objective {text!r} does not say which way is better",
            field="objectives",
            value=text,
            allowed=[f"{metric or task.objective}:{way}" for way in DIRECTIONS],
        )
    return Objective(metric=metric, direction="minimize" if direction == "minimize" else "maximize")


def best_of(trials: Iterable[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return the trials that no other beats in every objective; the earliest of equals."""
    done = [
        trial for trial in trials if trial.state == "COMPLETE" and trial.values is not None and trial.same_as is None
    ]
    if len(objectives) == 1:
        return [min(done, key=lambda trial: _costs(trial, objectives))] if done else []
    costs = {trial.number: _costs(trial, objectives) for trial in done}
    best: list[Trial] = []
    for trial in done:
        mine = costs[trial.number]
        others = ((costs[other.number], other.number) for other in done if other is not trial)
        if not any(_beats(theirs, mine) or (theirs == mine and number < trial.number) for theirs, number in others):
            best.append(trial)
    return best


def _costs(trial: Trial, objectives: Sequence[Objective]) -> tuple[float, ...]:
    pairs = zip(trial.values or (), objectives, strict=True)
    return tuple(value if objective.direction == "minimize" else -value for value, objective in pairs)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
