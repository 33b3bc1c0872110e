"""Learners: the list with the form that creates one, and one with its measures, drifts and snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.training.domain.learners import (
    CreateLearner,
    Detector,
    Learner,
    LearnerPoint,
    LearnerState,
    ListLearners,
    OneLearner,
    OnlineModel,
    RollBackLearner,
    rows_of_a_point,
)
from aimass.training.domain.splits import ListSplits
from aimass.training.online import DEFAULTS, MODELS
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/learners"
ONE = f"{PATH}/{{learner}}"
MOST = 200
MOST_MARKS = 8
_MEASURES = {
    "classification": ("accuracy", "majority", "last_class"),
    "regression": ("rmse", "rmse_mean", "rmse_last"),
    "policy": ("dr", "logged"),
}


class Filter(BaseModel):
    """What the address of the list asks for."""

    state: LearnerState | Literal[""] = ""
    cursor: str | None = None


class Wish(BaseModel):
    """The form for a new one; what may be absent comes as text."""

    name: str
    split: str = ""
    model: OnlineModel | Literal[""] = ""
    detector: Detector = "adwin"
    time_column: str = ""
    replay: int = 0
    replay_times: int = 4
    window: int = 1000
    snapshot_every: str = ""
    snapshot_on_drift: bool = False
    memory_mb: int = 64
    start_from: str = ""
    start_snapshot: str = ""
    is_weighted: bool = False


@router.get(PATH)
def learners(visit: Visit, wanted: Annotated[Filter, Query()]) -> Response:
    """List learners.

    The question: what learns by itself, does it keep up, and is it any good?
    """
    training = visit.get(Training)
    wish = ListLearners(workspace=visit.workspace, state=wanted.state or None, cursor=wanted.cursor)
    page = training.list_learners(visit.who, wish)
    splits = training.list_splits(visit.who, ListSplits(workspace=visit.workspace, limit=MOST)).items
    return visit.render(
        "training/learners.html",
        parts={"learners": "training/_learners.html"},
        found=page.items,
        next=page.next,
        wanted=wanted,
        models=MODELS,
        measured=measured,
        others=training.list_learners(visit.who, ListLearners(workspace=visit.workspace, limit=MOST)).items,
        splits=[one for one in splits if one.state == "READY" and one.task in DEFAULTS],
    )


@router.post(PATH)
def create(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Create one, then open it."""
    command = CreateLearner(
        workspace=visit.workspace,
        name=wish.name,
        split=wish.split,
        model=wish.model or None,
        detector=wish.detector,
        time_column=wish.time_column or None,
        replay=wish.replay,
        replay_times=wish.replay_times,
        window=wish.window,
        snapshot_every=_whole(visit, wish.snapshot_every, "snapshot_every"),
        snapshot_on_drift=wish.snapshot_on_drift,
        memory_mb=wish.memory_mb,
        start_from=wish.start_from or None,
        start_snapshot=_whole(visit, wish.start_snapshot, "start_snapshot"),
        transfer="weighted" if wish.is_weighted else "plain",
    )
    made = visit.get(Training).create_learner(visit.who, command)
    return visit.go(f"/{visit.workspace}/work/learners/{made.slug}", toast=visit.say("%(name)s learns", name=made.name))


@router.get(ONE)
def learner(visit: Visit, learner: str) -> Response:
    """Show one learner.

    The question: is it better than guessing, did the world change, and which snapshot can be served?
    """
    training, one = visit.get(Training), OneLearner(workspace=visit.workspace, learner=learner)
    found = training.get_learner(visit.who, one)
    return visit.render(
        "training/learner.html",
        parts={"learner-body": "training/_learner_body.html"},
        learner=found,
        model=MODELS[found.model],
        measured=measured,
        every=rows_of_a_point(found.window),
        chart=chart_of(visit, found, training.get_learner_series(visit.who, one)),
        snapshots=training.list_snapshots(visit.who, one),
        panels=visit.panels("training.learner", learner=found),
    )


@router.post(f"{ONE}/pause")
def pause(visit: Visit, learner: str) -> Response:
    """Pause one."""
    visit.get(Training).pause_learner(visit.who, OneLearner(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("It learns nothing more until it is resumed"))


@router.post(f"{ONE}/resume")
def resume(visit: Visit, learner: str) -> Response:
    """Let one go on."""
    visit.get(Training).resume_learner(visit.who, OneLearner(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("It goes on where it was"))


@router.post(f"{ONE}/learn")
def learn(visit: Visit, learner: str) -> Response:
    """Let a paused one learn what has arrived."""
    visit.get(Training).learn_now(visit.who, OneLearner(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("It learns what has arrived"))


@router.post(f"{ONE}/snapshots")
def snapshot(visit: Visit, learner: str) -> Response:
    """Package what one knows."""
    visit.get(Training).make_snapshot(visit.who, OneLearner(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("The snapshot is being made"))


@router.post(f"{ONE}/rollback")
def roll_back(visit: Visit, learner: str, snapshot: Annotated[int, Form()]) -> Response:
    """Let one know again what it knew."""
    command = RollBackLearner(workspace=visit.workspace, learner=learner, snapshot=snapshot)
    visit.get(Training).roll_back_learner(visit.who, command)
    return visit.done(visit.say("It knows again what it knew then"))


@router.delete(ONE)
def delete(visit: Visit, learner: str) -> Response:
    """Delete one that does not learn."""
    visit.get(Training).delete_learner(visit.who, OneLearner(workspace=visit.workspace, learner=learner))
    return visit.go(
        f"/{visit.workspace}/work/learners", toast=visit.say("It was deleted; the runs of its snapshots stay")
    )


def chart_of(visit: PageVisit, learner: Learner, points: Sequence[LearnerPoint]) -> dict[str, Any]:
    """Return accuracy or error, and what guessing reaches, over the rows, with a mark where a drift was found."""
    words = {
        "accuracy": visit.say("The learner"),
        "majority": visit.say("The most frequent class"),
        "last_class": visit.say("The last class"),
        "rmse": visit.say("The learner"),
        "rmse_mean": visit.say("The mean so far"),
        "rmse_last": visit.say("The last number"),
        "dr": visit.say("The learner"),
        "logged": visit.say("As it was logged"),
    }
    series = [
        {"name": words[name], "points": [[point.rows, round(point.metrics[name], 5)] for point in points]}
        for name in _MEASURES[learner.task]
    ]
    first = points[0].rows if points else 0
    marks = [{"x": at, "text": visit.say("Drift"), "tone": "bad"} for at in learner.drifts if at >= first]
    return {"x": "step", "x_name": visit.say("Rows"), "series": series, "marks": marks[-MOST_MARKS:]}


def measured(metrics: Mapping[str, float], task: str) -> tuple[float, float] | None:
    """Return the measure of a learner, and the better one of two guesses; None before there is one.

    Examples
    --------
    >>> measured({"rmse": 2.0, "rmse_mean": 5.0, "rmse_last": 4.0}, "regression")
    (2.0, 4.0)
    """
    if not metrics:
        return None
    own, *guesses = (metrics[name] for name in _MEASURES[task])
    return own, min(guesses) if task == "regression" else max(guesses)


def _whole(visit: PageVisit, text: str, field: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError as reason:
        raise Invalid(visit.say("This is no number"), field=field, value=text) from reason
