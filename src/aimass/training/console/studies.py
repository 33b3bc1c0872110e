"""Studies: the list with the form that begins one, and one with its history, its trials and what mattered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response, UploadFile
from pydantic import BaseModel

from aimass.kernel.errors import AimassError, Conflict, MissingExtra
from aimass.kernel.pages import every
from aimass.training.console.own import text_of
from aimass.training.console.runs import object_of
from aimass.training.domain.splits import ListSplits
from aimass.training.domain.studies import (
    AskImportance,
    CreateStudy,
    ExtendStudy,
    ListStudies,
    ListTrials,
    OneStudy,
    Pruner,
    Sampler,
    Study,
    StudyState,
    Trial,
)
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/studies"
ONE = f"{PATH}/{{study}}"
PARTS = {"study-head": "training/_study_head.html", "study-body": "training/_study_body.html"}
MOST = 200
MOST_LINES = 500
MOST_CURVES = 24
Tab = Literal["", "trials", "importance"]


class Filter(BaseModel):
    """What the address of the list asks for."""

    recipe: str = ""
    state: StudyState | Literal[""] = ""
    cursor: str | None = None


class Wish(BaseModel):
    """The form for a new study; a file stands for the recipe."""

    recipe: str = ""
    file: UploadFile | None = None
    split: str = ""
    name: str = ""
    experiment: str = "default"
    space: str = ""
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"
    objectives: str = ""
    trials: int = 30
    parallel: int = 2
    seed: int = 0


@router.get(PATH)
def studies(visit: Visit, wanted: Annotated[Filter, Query()]) -> Response:
    """List the studies.

    The question: which searches run, and what is the best that each has found?
    """
    training = visit.get(Training)
    wish = ListStudies(
        workspace=visit.workspace,
        recipe=wanted.recipe or None,
        state=wanted.state or None,
        cursor=wanted.cursor,
    )
    page = training.list_studies(visit.who, wish)
    splits = training.list_splits(visit.who, ListSplits(workspace=visit.workspace, limit=MOST))
    recipes = training.list_recipes(visit.who)
    return visit.render(
        "training/studies.html",
        parts={"studies": "training/_studies.html"},
        found=[(one, training.list_best_trials(visit.who, _named(one))) for one in page.items],
        next=page.next,
        wanted=wanted,
        recipes=recipes,
        spaces={recipe.name: json.dumps(recipe.space, indent=1, ensure_ascii=False) for recipe in recipes},
        splits=[one for one in splits.items if one.state == "READY"],
    )


@router.post(PATH)
def create(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Begin a study, then open it."""
    visit.who.need("training.edit", visit.workspace)
    file = wish.file if wish.file is not None and wish.file.filename else None
    command = CreateStudy(
        workspace=visit.workspace,
        recipe=wish.recipe if file is None else str(file.filename),
        source=None if file is None else text_of(visit, file),
        split=wish.split,
        name=wish.name or None,
        experiment=wish.experiment or "default",
        space=object_of(visit, wish.space, "space") if wish.space.strip() else None,
        sampler=wish.sampler,
        pruner=wish.pruner,
        objectives=wish.objectives.replace(",", " ").split() or None,
        trials=wish.trials,
        parallel=wish.parallel,
        seed=wish.seed,
    )
    made = visit.get(Training).create_study(visit.who, command)
    return visit.go(_address(made), toast=visit.say("%(name)s is searching", name=made.name))


@router.get(ONE)
def study(visit: Visit, study: str, tab: Tab = "", sort: str = "number") -> Response:
    """Show one study.

    The question: how good is the best, does the search still find better ones, and which parameters matter?
    """
    training, one = visit.get(Training), OneStudy(workspace=visit.workspace, study=study)
    found = training.get_study(visit.who, one)
    trials = every(
        lambda cursor: training.list_trials(
            visit.who, ListTrials(workspace=visit.workspace, study=study, cursor=cursor)
        )
    )
    more: dict[str, Any] = {}
    if tab == "trials":
        more = {"rows": sorted_trials(trials, sort), "names": list(found.space)}
    elif tab == "importance":
        more = {"importance": importance_of(visit, found)}
    else:
        more = {"history": history_of(visit, found, trials), "lines": parallel_of(found, trials)}
        more |= {"curves": None if found.pruner == "none" else curves_of(visit, trials)}
    best = [trial for trial in trials if trial.number in found.best]
    return visit.render("training/study.html", parts=PARTS, study=found, tab=tab, best=best, sort=sort, **more)


@router.post(f"{ONE}/pause")
def pause(visit: Visit, study: str) -> Response:
    """Begin no new trial."""
    visit.get(Training).pause_study(visit.who, OneStudy(workspace=visit.workspace, study=study))
    return visit.done(visit.say("No new trial begins; those that run go on"))


@router.post(f"{ONE}/resume")
def resume(visit: Visit, study: str) -> Response:
    """Go on."""
    visit.get(Training).resume_study(visit.who, OneStudy(workspace=visit.workspace, study=study))
    return visit.done(visit.say("The study goes on"))


@router.post(f"{ONE}/cancel")
def cancel(visit: Visit, study: str) -> Response:
    """Stop a study and its trials."""
    visit.get(Training).cancel_study(visit.who, OneStudy(workspace=visit.workspace, study=study))
    return visit.done(visit.say("Its trials are asked to stop"))


@router.post(f"{ONE}/extend")
def extend(visit: Visit, study: str, trials: Annotated[int, Form()] = 0) -> Response:
    """Give a study more trials."""
    visit.get(Training).extend_study(visit.who, ExtendStudy(workspace=visit.workspace, study=study, trials=trials))
    return visit.done(visit.say("%(n)d trials more", n=trials))


@router.delete(ONE)
def delete(visit: Visit, study: str) -> Response:
    """Delete a study that has ended."""
    visit.get(Training).delete_study(visit.who, OneStudy(workspace=visit.workspace, study=study))
    return visit.go(f"/{visit.workspace}/work/studies", toast=visit.say("The study was deleted; its runs stay"))


def _named(study: Study) -> OneStudy:
    return OneStudy(workspace=study.workspace, study=study.slug)


def _address(study: Study) -> str:
    return f"/{study.workspace}/work/studies/{study.slug}"


def sorted_trials(trials: Sequence[Trial], sort: str) -> list[Trial]:
    """Return trials in the order of a column: ``number`` or ``value``, backwards with a minus; those without one last."""
    column, is_backwards = sort.removeprefix("-"), sort.startswith("-")
    if column != "value":
        return sorted(trials, key=lambda trial: trial.number, reverse=is_backwards)
    known = [trial for trial in trials if trial.values]
    rest = [trial for trial in trials if not trial.values]
    return sorted(known, key=lambda trial: (trial.values or (0.0,))[0], reverse=is_backwards) + rest


def history_of(visit: PageVisit, study: Study, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the first objective of each trial, and the best so far, over the trials."""
    is_less = study.objectives[0].direction == "minimize"
    points: list[list[float]] = []
    best: list[list[float]] = []
    for trial in trials:
        if trial.state == "COMPLETE" and trial.values:
            value = trial.values[0]
            points.append([trial.number, value])
            so_far = best[-1][1] if best else value
            best.append([trial.number, min(value, so_far) if is_less else max(value, so_far)])
    series = [{"name": visit.say("Best so far"), "points": best}]
    series.append({"name": study.objectives[0].metric, "points": points, "dashed": True})
    top = (min if is_less else max)(points, key=lambda point: point[1]) if points else None
    return {"x": "step", "x_name": visit.say("Trial"), "series": series} | ({"best": top} if top else {})


def curves_of(visit: PageVisit, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """Return how the newest trials came to their values, step by step; None where no trial was watched on its way."""
    seen = [trial for trial in trials if len(trial.steps) > 1 and trial.same_as is None][-MOST_CURVES:]
    series = [
        {"name": f"#{trial.number}", "points": [list(step) for step in trial.steps], "dashed": trial.state == "PRUNED"}
        for trial in seen
    ]
    return {"x": "step", "x_name": visit.say("Step"), "series": series} if series else None


def parallel_of(study: Study, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the complete trials as lines over an axis for each parameter, the last axis being the first objective."""
    done = [trial for trial in trials if trial.state == "COMPLETE" and trial.values and trial.same_as is None]
    axes: list[dict[str, Any]] = []
    for name, wish in study.space.items():
        if wish["type"] == "categorical":
            axes.append({"name": name, "choices": [_text(choice) for choice in wish["choices"]]})
        else:
            axes.append({"name": name, "low": wish["low"], "high": wish["high"], "log": bool(wish.get("log"))})
    lines = [
        {
            "name": f"#{trial.number}",
            "values": [_shown(study, name, trial) for name in study.space] + [(trial.values or (0.0,))[0]],
        }
        for trial in done[-MOST_LINES:]
    ]
    return {
        "axes": [*axes, {"name": study.objectives[0].metric}],
        "lines": lines,
        "lower": study.objectives[0].direction == "minimize",
    }


def _shown(study: Study, name: str, trial: Trial) -> Any:
    """Return the value of a parameter as its axis shows it; None where it did not count."""
    if name not in trial.params:
        return None
    value = trial.params[name]
    return _text(value) if study.space[name]["type"] == "categorical" else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def importance_of(visit: PageVisit, study: Study) -> dict[str, Any]:
    """Return the bars of importance, or why there are none."""
    try:
        found = visit.get(Training).get_importance(
            visit.who, AskImportance(workspace=study.workspace, study=study.slug)
        )
    except (Conflict, MissingExtra) as reason:
        return {"items": [], "why": _why(reason)}
    return {"items": [{"name": name, "value": value} for name, value in found.shares.items()], "trials": found.trials}


def _why(reason: AimassError) -> str:
    return f"{reason.message}: {reason.hint}" if isinstance(reason, MissingExtra) else ""
