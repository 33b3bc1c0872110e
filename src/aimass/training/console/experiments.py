"""Experiments: the list, and one with its runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Form, Response

from aimass.training.console.runs import LIST, Wanted, shown_runs
from aimass.training.domain.experiments import CreateExperiment, ListExperiments, OneExperiment
from aimass.training.domain.runs import ListRuns, Run
from aimass.training.service.training import Training
from aimass.training.tasks import TASKS
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/experiments"


@router.get(PATH)
def experiments(visit: Visit, cursor: str | None = None) -> Response:
    """List the experiments.

    The question: what is being tried here, and what is the best result so far?
    """
    wish = ListExperiments(workspace=visit.workspace, cursor=cursor)
    page = visit.get(Training).list_experiments(visit.who, wish)
    found = [(one, _best(visit, one.slug), _newest(visit, one.slug)) for one in page.items]
    parts = {"experiments": "training/_experiments.html"}
    return visit.render("training/experiments.html", parts=parts, found=found, next=page.next, tasks=TASKS)


@router.post(PATH)
def create(visit: Visit, name: Annotated[str, Form()], description: Annotated[str, Form()] = "") -> Response:
    """Create an experiment, then open it."""
    wish = CreateExperiment(workspace=visit.workspace, name=name, description=description)
    made = visit.get(Training).create_experiment(visit.who, wish)
    toast = visit.say("%(name)s was created", name=made.name)
    return visit.go(f"/{visit.workspace}/work/experiments/{made.slug}", toast=toast)


@router.get(f"{PATH}/{{experiment}}")
def experiment(visit: Visit, experiment: str, sort: str = "", cursor: str | None = None) -> Response:
    """Show one experiment.

    The question: which of its runs is best, and by how much?
    """
    wish = OneExperiment(workspace=visit.workspace, experiment=experiment)
    found = visit.get(Training).get_experiment(visit.who, wish)
    wanted = Wanted(experiment=experiment, sort=sort, cursor=cursor)
    more = shown_runs(visit, wanted)
    leaders = _scored(visit, experiment, 2)
    best = leaders[0].id if leaders else ""
    return visit.render(
        "training/experiment.html", parts=LIST, experiment=found, leaders=leaders, **{**more, "best": best}
    )


@router.delete(f"{PATH}/{{experiment}}")
def delete(visit: Visit, experiment: str) -> Response:
    """Delete an experiment with its runs."""
    wish = OneExperiment(workspace=visit.workspace, experiment=experiment)
    visit.get(Training).delete_experiment(visit.who, wish)
    toast = visit.say("%(name)s was deleted", name=experiment)
    return visit.go(f"/{visit.workspace}/work/experiments", toast=toast)


def _scored(visit: PageVisit, experiment: str, limit: int) -> list[Run]:
    """Return the best runs of an experiment, by the metric of the task of its newest one."""
    newest = _newest(visit, experiment)
    if not newest:
        return []
    task = TASKS[newest[0].task]
    wish = ListRuns(workspace=visit.workspace, experiment=experiment, task=newest[0].task, sort=task.objective)
    return visit.get(Training).list_runs(visit.who, replace(wish, ascending=task.is_lower_better, limit=limit)).items


def _best(visit: PageVisit, experiment: str) -> Run | None:
    return next(iter(_scored(visit, experiment, 1)), None)


def _newest(visit: PageVisit, experiment: str) -> list[Run]:
    wish = ListRuns(workspace=visit.workspace, experiment=experiment, limit=10)
    return visit.get(Training).list_runs(visit.who, wish).items
