"""Pipelines, their runs and steps: the words of the service orchestrator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, doc

from aimass.kernel.errors import Invalid
from aimass.training import find_task

RunState = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
StepState = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"]
ENDED: frozenset[str] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


_CAUSES = {
    "monitoring.alert.fired": "an alert on {}",
    "messaging.schedule.fired": "the schedule {}",
    "lake.version.created": "a new version of {}",
    "models.version.approved": "the approved version {}",
}


def cause_of(event: str, subject: str | None) -> str:
    """Say what starts a run when an event does.

    Examples
    --------
    >>> cause_of("monitoring.alert.fired", "endpoint:churn"), cause_of("shop.order.placed", "order:7")
    ('an alert on churn', 'shop.order.placed of order:7')
    """
    known = _CAUSES.get(event)
    if known and subject:
        return known.format(subject.partition(":")[2])
    return f"{event} of {subject}" if subject else event


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts a pipeline by itself: an event of a type, about a subject when one is given.

    Attributes
    ----------
    rest_s
        Seconds after the end of a run in which this trigger starts no other one. An alert about a model that was
        retrained a minute ago says little about the new model, and would retrain it for ever.

    Examples
    --------
    >>> Trigger(event="monitoring.alert.fired", subject="endpoint:churn").matches("monitoring.alert.fired", "endpoint:churn")
    True
    """

    event: str
    subject: str | None = None
    rest_s: Annotated[int, Ge(0), doc("seconds after a run in which it starts no other one")] = 0

    @property
    def cause(self) -> str:
        """What it is, in words."""
        return cause_of(self.event, self.subject)

    def matches(self, type_: str, subject: str) -> bool:
        """Tell whether an event starts the pipeline."""
        return self.event == type_ and self.subject in (None, subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named way from data to a service: a template, its parameters and its triggers."""

    id: str
    workspace: str
    slug: str
    name: str
    template: str
    parameters: dict[str, Any]
    triggers: list[Trigger]
    paused: bool
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it did, how long it took, what it found out."""

    name: str
    title: str
    state: StepState = "PENDING"
    fraction: float = 0.0
    note: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    output: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline, with its steps in order; ``trace`` is that of the request that set it in motion."""

    id: str
    workspace: str
    pipeline: str
    number: int
    state: RunState
    cause: str
    parameters: dict[str, Any]
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    attempt: int
    error: str
    steps: list[Step] = field(default_factory=list[Step])
    trace: str = ""

    @property
    def outputs(self) -> dict[str, Any]:
        """Return what the finished steps found out, later ones over earlier ones."""
        found: dict[str, Any] = {}
        for step in self.steps:
            found |= step.output
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """A step of a template: ``run`` is ``module:function(ctx) -> JSON object``."""

    name: str
    title: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A sequence of steps with the parameters that it understands."""

    name: str
    title: str
    steps: tuple[StepPlan, ...]
    required: tuple[str, ...]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePipeline:
    """Create a pipeline."""

    workspace: str
    name: Annotated[str, doc("what it is called")]
    template: Annotated[str, doc("'release' or 'retrain'")] = "release"
    parameters: Annotated[dict[str, Any], doc("dataset, target, model, endpoint and what the template adds")] = field(
        default_factory=dict[str, Any]
    )
    triggers: Annotated[list[Trigger], doc("events that start it")] = field(default_factory=list[Trigger])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePipeline:
    """Change a pipeline; what is left out stays."""

    workspace: str
    pipeline: str
    parameters: dict[str, Any] | None = None
    triggers: list[Trigger] | None = None
    paused: bool | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePipeline:
    """Name one pipeline."""

    workspace: str
    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPipelines:
    """List pipelines."""

    workspace: str
    limit: Annotated[int, Interval(ge=1, le=500)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Start a run of a pipeline."""

    workspace: str
    pipeline: str
    parameters: Annotated[dict[str, Any], doc("over those of the pipeline")] = field(default_factory=dict[str, Any])
    key: Annotated[str | None, doc("the same key twice is one run")] = None
    cause: Annotated[str, doc("why it is started")] = "started by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    """List runs, newest first."""

    workspace: str
    pipeline: str | None = None
    state: RunState | None = None
    trace: Annotated[str | None, doc("only runs of this trace: 32 hexadecimal digits")] = None
    limit: Annotated[int, Interval(ge=1, le=500)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRun:
    """Name one run."""

    workspace: str
    run: str


def merged(template: Template, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay parameters over the defaults of the template; what is missing is named by :func:`missing`."""
    values = dict(template.defaults)
    for layer in layers:
        values |= layer
    return values


def missing(template: Template, parameters: Mapping[str, Any]) -> list[str]:
    """Return the required parameters that have no value; the task tells whether it needs a target, and a group."""
    named = parameters.get("task") if "task" in template.defaults else None
    task = None if named is None else find_task(named)
    knows_split = "group_column" not in template.defaults  # that of the champion tells what the target is
    is_free = task is not None and (not task.needs_target or (knows_split and task.grows_by_rows))
    free = {"target"} if is_free else set[str]()
    more = ("group_column",) if task is not None and task.needs_group else ()
    more += ("action_column",) if task is not None and task.needs_action else ()
    more = tuple(name for name in more if name in template.defaults)  # where the split of the champion does not tell it
    wanted = [name for name in (*template.required, *more) if name not in free]
    return [name for name in wanted if parameters.get(name) in (None, "")]


def not_trained(recipe: str, recipes: Sequence[str]) -> Invalid:
    """Return the error of parameters for a recipe that a pipeline does not train."""
    return Invalid(
        f"there are parameters for {recipe!r}, which the pipeline does not train",
        field="params",
        value=recipe,
        allowed=list(recipes),
        hint="name the recipe in 'recipes' too",
    )
