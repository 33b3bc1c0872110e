"""Automatic training: the list, and one with its leaderboard and the reasons of the selector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.training.domain.autos import AutoRun, AutoState, ListAutos, OneAuto, StartAuto
from aimass.training.domain.runs import Run
from aimass.training.domain.splits import ListSplits
from aimass.training.service.training import Training
from aimass.training.tasks import TASKS
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/auto"
MOST = 200
_MB = 2**20


class Filter(BaseModel):
    """What the address of the list asks for."""

    state: AutoState | Literal[""] = ""
    cursor: str | None = None


class Wish(BaseModel):
    """The form for a new one; numbers come as text, so that none may be empty."""

    split: str = ""
    dataset: str = ""
    target: str = ""
    key_column: str = ""
    name: str = ""
    minutes: float = 10.0
    most: int = 4
    row_us: str = ""
    size_mb: str = ""
    explainable: bool = False
    blend: bool = False


@router.get(PATH)
def autos(visit: Visit, wanted: Annotated[Filter, Query()]) -> Response:
    """List automatic trainings.

    The question: what was tried by itself, and which model won?
    """
    training = visit.get(Training)
    wish = ListAutos(workspace=visit.workspace, state=wanted.state or None, cursor=wanted.cursor)
    page = training.list_autos(visit.who, wish)
    splits = training.list_splits(visit.who, ListSplits(workspace=visit.workspace, limit=MOST))
    return visit.render(
        "training/autos.html",
        parts={"autos": "training/_autos.html"},
        found=[(one, _winner(one, training.runs_of(one))) for one in page.items],
        next=page.next,
        wanted=wanted,
        splits=[one for one in splits.items if one.state == "READY"],
    )


@router.post(PATH)
def start(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Start one, then open it."""
    size = _number(visit, "size_mb", wish.size_mb)
    command = StartAuto(
        workspace=visit.workspace,
        split=wish.split or None,
        dataset=None if wish.split else wish.dataset or None,
        target=None if wish.split else wish.target or None,
        key_column=None if wish.split else wish.key_column or None,
        name=wish.name or None,
        budget_s=wish.minutes * 60,
        most=wish.most,
        row_us=_number(visit, "row_us", wish.row_us),
        size=None if size is None else max(1, round(size * _MB)),
        explainable=wish.explainable,
        blend=wish.blend,
    )
    made = visit.get(Training).start_auto(visit.who, command)
    return visit.go(f"/{visit.workspace}/work/auto/{made.id}", toast=visit.say("%(name)s has begun", name=made.name))


@router.get(f"{PATH}/{{auto}}")
def auto(visit: Visit, auto: str) -> Response:
    """Show one automatic training.

    The question: which model is best, why were these recipes tried, and what did the others score?
    """
    training = visit.get(Training)
    found = training.get_auto(visit.who, OneAuto(workspace=visit.workspace, auto=auto))
    runs = _ranked(found, training.runs_of(found))
    return visit.render(
        "training/auto.html",
        parts={"auto-body": "training/_auto_body.html"},
        auto=found,
        runs=runs,
        winner=_winner(found, runs),
        weights=_weights(runs),
    )


@router.post(f"{PATH}/{{auto}}/cancel")
def cancel(visit: Visit, auto: str) -> Response:
    """Cancel one."""
    visit.get(Training).cancel_auto(visit.who, OneAuto(workspace=visit.workspace, auto=auto))
    return visit.done(visit.say("Its runs are asked to stop"))


@router.delete(f"{PATH}/{{auto}}")
def delete(visit: Visit, auto: str) -> Response:
    """Forget one that has ended."""
    visit.get(Training).delete_auto(visit.who, OneAuto(workspace=visit.workspace, auto=auto))
    return visit.go(f"/{visit.workspace}/work/auto", toast=visit.say("It was deleted; its runs stay"))


def _winner(auto: AutoRun, runs: list[Run]) -> Run | None:
    return next((run for run in runs if run.id == auto.best), None)


def _ranked(auto: AutoRun, runs: list[Run]) -> list[Run]:
    """Return the runs, the best first; those without a score last."""
    objective = auto.objective or ""
    sign = 1 if auto.task is not None and TASKS[auto.task].is_lower_better else -1
    return sorted(runs, key=lambda run: (objective not in run.metrics, sign * run.metrics.get(objective, 0.0)))


def _weights(runs: list[Run]) -> dict[str, float]:
    """Return how much each run counts in the blend."""
    blend = next((run for run in runs if run.recipe == "blend"), None)
    return dict(blend.params.get("weights", {})) if blend is not None else {}


def _number(visit: PageVisit, field: str, text: str) -> Any:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as reason:
        raise Invalid(visit.say("This is no number"), field=field, value=text) from reason
