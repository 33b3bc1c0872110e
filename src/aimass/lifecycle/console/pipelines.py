"""Pages of the service orchestrator: pipelines, one pipeline with its run matrix, runs, one run step by step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.access import Access
from aimass.infra.search import Document
from aimass.kernel.errors import Invalid
from aimass.lifecycle.domain import (
    ChangePipeline,
    CreatePipeline,
    ListPipelines,
    ListRuns,
    NamePipeline,
    NameRun,
    PipelineRun,
    RunState,
    StartRun,
    Step,
    Trigger,
)
from aimass.lifecycle.plans import TEMPLATES, template_of
from aimass.lifecycle.service import Lifecycle
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/pipelines"
RUNS = "/{workspace}/work/runs"
HISTORY = 10
_REST = re.compile(r"rest:\d{1,9}")
MATRIX = 20
NEEDED = ("dataset", "target", "model", "endpoint")


class Wish(BaseModel):
    """The form for a new pipeline."""

    name: str
    template: str = "release"
    dataset: str = ""
    target: str = ""
    model: str = ""
    endpoint: str = ""
    more: str = ""


@router.get(PATH)
def pipelines(visit: Visit, cursor: str | None = None) -> Response:
    """List the pipelines.

    The question: which pipelines are there, did their last runs go well, and what starts them?
    """
    page = visit.get(Lifecycle).list_pipelines(visit.who, ListPipelines(workspace=visit.workspace, cursor=cursor))
    found = [(one, _runs_of(visit, one.slug, HISTORY)) for one in page.items]
    titles = {template.name: template.title for template in TEMPLATES.values()}
    more = {"templates": list(TEMPLATES.values()), "titles": titles}
    parts = {"pipelines": "lifecycle/_pipelines.html"}
    return visit.render("lifecycle/pipelines.html", parts=parts, found=found, next=page.next, **more)


@router.post(PATH)
def create(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Create a pipeline, then open it."""
    given = {name: getattr(wish, name).strip() for name in NEEDED}
    parameters = {**{name: value for name, value in given.items() if value}, **_object(visit, "more", wish.more)}
    command = CreatePipeline(workspace=visit.workspace, name=wish.name, template=wish.template, parameters=parameters)
    made = visit.get(Lifecycle).create_pipeline(visit.who, command)
    toast = visit.say("%(name)s was created", name=made.name)
    return visit.go(f"/{visit.workspace}/work/pipelines/{made.slug}", toast=toast)


@router.get(f"{PATH}/{{pipeline}}")
def pipeline(visit: Visit, pipeline: str) -> Response:
    """Show one pipeline.

    The question: did the last runs go well, at which step did they break, and what starts the next one?
    """
    name = NamePipeline(workspace=visit.workspace, pipeline=pipeline)
    found = visit.get(Lifecycle).get_pipeline(visit.who, name)
    template, runs = template_of(found.template), _runs_of(visit, found.slug, MATRIX)
    knobs = {**dict.fromkeys(template.required), **template.defaults}
    parameters = [
        (name, found.parameters.get(name, default), name in found.parameters) for name, default in knobs.items()
    ]
    people = visit.get(Access).names_of([found.created_by, *(run.started_by for run in runs)])
    more = {"plan": template, "parameters": parameters, "people": people, "live": _topics(visit, runs)}
    parts = {"runs": "lifecycle/_pipeline_runs.html", "pipeline-head": "lifecycle/_pipeline_head.html"}
    return visit.render("lifecycle/pipeline.html", parts=parts, pipeline=found, runs=runs, **more)


@router.post(f"{PATH}/{{pipeline}}/runs")
def start(visit: Visit, pipeline: str, parameters: Annotated[str, Form()] = "") -> Response:
    """Start a run, then open it."""
    command = StartRun(
        workspace=visit.workspace, pipeline=pipeline, parameters=_object(visit, "parameters", parameters)
    )
    run = visit.get(Lifecycle).start_run(visit.who, command)
    return visit.go(f"/{visit.workspace}/work/runs/{run.id}", toast=visit.say("Run %(n)d has started", n=run.number))


@router.post(f"{PATH}/{{pipeline}}/settings")
def change(
    visit: Visit,
    pipeline: str,
    version: Annotated[int, Form()],
    parameters: Annotated[str, Form()] = "",
    triggers: Annotated[str, Form()] = "",
) -> Response:
    """Change parameters and triggers."""
    command = ChangePipeline(
        workspace=visit.workspace,
        pipeline=pipeline,
        parameters=_object(visit, "parameters", parameters),
        triggers=list(triggers_of(triggers)),
        expected_version=version,
    )
    visit.get(Lifecycle).change_pipeline(visit.who, command)
    return visit.go(f"/{visit.workspace}/work/pipelines/{pipeline}", toast=visit.say("The pipeline was changed"))


@router.post(f"{PATH}/{{pipeline}}/{{deed}}")
def pause(visit: Visit, pipeline: str, deed: Literal["pause", "resume"]) -> Response:
    """Let triggers start nothing any more, or let them start it again."""
    command = ChangePipeline(workspace=visit.workspace, pipeline=pipeline, paused=deed == "pause")
    visit.get(Lifecycle).change_pipeline(visit.who, command)
    address = f"/{visit.workspace}/work/pipelines/{pipeline}"
    if deed == "pause":
        return visit.done(visit.say("Triggers start nothing until you resume"), undo=f"{address}/resume")
    return visit.done(visit.say("Triggers start runs again"), undo=f"{address}/pause")


@router.delete(f"{PATH}/{{pipeline}}")
def delete(visit: Visit, pipeline: str) -> Response:
    """Delete a pipeline; its runs stay."""
    visit.get(Lifecycle).delete_pipeline(visit.who, NamePipeline(workspace=visit.workspace, pipeline=pipeline))
    return visit.go(f"/{visit.workspace}/work/pipelines", toast=visit.say("%(name)s was deleted", name=pipeline))


@router.get(RUNS)
def runs(
    visit: Visit, state: RunState | Literal[""] = "", pipeline: str = "", trace: str = "", cursor: str | None = None
) -> Response:
    """List the runs of all pipelines.

    The question: what ran lately, what started it, and how did it end?
    """
    wish = ListRuns(
        workspace=visit.workspace,
        state=state or None,
        pipeline=pipeline or None,
        trace=trace or None,
        cursor=cursor,
    )
    found = visit.get(Lifecycle).list_runs(visit.who, wish)
    more = {"state": state, "pipeline": pipeline, "trace": trace, "live": _topics(visit, found.items)}
    people = visit.get(Access).names_of(run.started_by for run in found.items)
    return visit.render(
        "lifecycle/runs.html", parts={"runs": "lifecycle/_runs.html"}, found=found, people=people, **more
    )


@router.get(f"{RUNS}/{{run}}")
def run(visit: Visit, run: str) -> Response:
    """Show one run.

    The question: which step is it at, what did each find out, and if it stopped: why, and what can I do?
    """
    found = visit.get(Lifecycle).get_run(visit.who, NameRun(workspace=visit.workspace, run=run))
    steps = [(step, _documents(visit, step), plain_output(step)) for step in found.steps]
    people = visit.get(Access).names_of([found.started_by])
    broken = next((step for step in found.steps if step.state == "FAILED"), None)
    parts = {"run": "lifecycle/_run.html"}
    return visit.render("lifecycle/run.html", parts=parts, run=found, steps=steps, broken=broken, people=people)


@router.post(f"{RUNS}/{{run}}/cancel")
def cancel(visit: Visit, run: str) -> Response:
    """Stop a run."""
    visit.get(Lifecycle).cancel_run(visit.who, NameRun(workspace=visit.workspace, run=run))
    return visit.done(visit.say("The run is stopped"))


@router.post(f"{RUNS}/{{run}}/retry")
def retry(visit: Visit, run: str) -> Response:
    """Go on with the step that did not finish."""
    visit.get(Lifecycle).retry_run(visit.who, NameRun(workspace=visit.workspace, run=run))
    return visit.done(visit.say("The run goes on where it stopped"))


def _runs_of(visit: PageVisit, pipeline: str, limit: int) -> list[PipelineRun]:
    wish = ListRuns(workspace=visit.workspace, pipeline=pipeline, limit=limit)
    return visit.get(Lifecycle).list_runs(visit.who, wish).items


def _topics(visit: PageVisit, runs: Iterable[PipelineRun]) -> str:
    """Return the live topics of a page: of pipelines as a whole, and of each run that runs."""
    running = (f"{visit.workspace}/run:{run.id}" for run in runs if run.state == "RUNNING")
    return " ".join([f"{visit.workspace}/pipelines", *running])


def _documents(visit: PageVisit, step: Step) -> list[tuple[str, Document]]:
    """Return what a step made or used, with its page, where a room knows one."""
    named = ((label, visit.document(subject)) for label, subject in subjects(step))
    return [(label, found) for label, found in named if found is not None]


def subjects(step: Step) -> Iterator[tuple[str, str]]:
    """Yield a label and the subject of each thing that a step's output names.

    Examples
    --------
    >>> list(subjects(Step(name="register", title="Register", output={"model": "churn", "model_version": 2})))
    [('', 'model_version:churn/2')]
    """
    out = step.output
    if "dataset" in out:
        yield "", f"dataset:{out['dataset']}"
    for recipe, id_ in (out.get("runs") or {}).items():
        yield recipe, f"run:{id_}"
    if "chosen" in out:
        yield "", f"run:{out['chosen']}"
    if "model_version" in out:
        yield "", f"model_version:{out['model']}/{out['model_version']}"


def plain_output(step: Step) -> list[tuple[str, Any]]:
    """Return the output of a step as facts: values, and objects of values as ``(name, value)`` pairs.

    Examples
    --------
    >>> plain_output(Step(name="split", title="Split", output={"counts": {"train": 9}, "seed": 42, "why": None}))
    [('counts', [('train', 9)]), ('seed', 42)]
    """
    found = ((name, value) for name, value in step.output.items() if value not in (None, "", [], {}))
    return [(name, list(value.items()) if isinstance(value, dict) else value) for name, value in found]


def triggers_of(text: str) -> Iterator[Trigger]:
    """Read triggers from lines of an event type and, optionally, a subject and the seconds of rest after a run.

    Examples
    --------
    >>> list(triggers_of("monitoring.alert.fired endpoint:churn rest:3600"))
    [Trigger(event='monitoring.alert.fired', subject='endpoint:churn', rest_s=3600)]
    """
    for line in text.splitlines():
        rests = [word for word in line.split() if _REST.fullmatch(word)]
        words = [word for word in line.split() if word not in rests]
        if words:
            subject = " ".join(words[1:]) or None
            yield Trigger(event=words[0], subject=subject, rest_s=int(rests[-1].removeprefix("rest:")) if rests else 0)


def _object(visit: PageVisit, field: str, text: str) -> dict[str, Any]:
    """Read a JSON object that a person wrote; empty is an empty one."""
    try:
        value = json.loads(text or "{}")
    except ValueError as reason:
        raise Invalid(visit.say("This is no JSON: %(reason)s", reason=reason), field=field) from reason
    if not isinstance(value, dict):
        raise Invalid(visit.say('Write an object, for example {"seed": 7}'), field=field)
    return value
