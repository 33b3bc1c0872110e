"""Compression: the list, and one with every technique, what it gave up and what for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid, NotFound
from aimass.training.domain.compression import RECIPE, Compression, CompressionCandidate, CompressRun, Prefer, Timed
from aimass.training.domain.runs import ListRuns, OneRun, Run
from aimass.training.domain.words import RunState
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/compression"
_KB = 1024


class Filter(BaseModel):
    """What the address of the list asks for."""

    state: RunState | Literal[""] = ""
    cursor: str | None = None


class Wish(BaseModel):
    """The form for a new one."""

    techniques: str = ""
    metric: str = ""
    max_drop: float = 0.005
    min_speedup: float = 0.9
    timed: Timed = "row"
    min_ratio: float = 1.0
    prefer: Prefer = "size"


@router.get(PATH)
def compressions(visit: Visit, wanted: Annotated[Filter, Query()]) -> Response:
    """List compressions.

    The question: which models became smaller or faster, and at what loss?
    """
    wish = ListRuns(workspace=visit.workspace, recipe=RECIPE, state=wanted.state or None, cursor=wanted.cursor)
    found = visit.get(Training).list_runs(visit.who, wish)
    return visit.render(
        "training/compressions.html",
        parts={"compressions": "training/_compressions.html"},
        found=found,
        wanted=wanted,
    )


@router.post("/{workspace}/work/training/{run}/compress")
def start(visit: Visit, run: str, wish: Annotated[Wish, Form()]) -> Response:
    """Compress the model of a run, then open what comes of it."""
    techniques = [line.strip() for line in wish.techniques.splitlines() if line.strip()]
    command = CompressRun(
        workspace=visit.workspace,
        run=run,
        techniques=techniques or None,
        metric=wish.metric or None,
        max_drop=_within("max_drop", wish.max_drop, 1),
        min_speedup=_within("min_speedup", wish.min_speedup, 100),
        timed=wish.timed,
        min_ratio=_within("min_ratio", wish.min_ratio, 1000),
        prefer=wish.prefer,
    )
    made = visit.get(Training).compress_run(visit.who, command)
    toast = visit.say("%(name)s has begun", name=made.name)
    return visit.go(f"/{visit.workspace}/work/compression/{made.id}", toast=toast)


@router.get(f"{PATH}/{{run}}")
def compression(visit: Visit, run: str) -> Response:
    """Show one compression.

    The question: what did each technique give up, what for, and why was it taken or not?
    """
    training, one = visit.get(Training), OneRun(workspace=visit.workspace, run=run)
    made = training.get_run(visit.who, one)
    if made.recipe != RECIPE:
        raise NotFound(f"run {made.id!r} is no compression", field="run", value=made.recipe, allowed=RECIPE)
    found = _figures(visit, one)
    return visit.render(
        "training/compression.html",
        parts={"compression-body": "training/_compression_body.html"},
        run=made,
        of=_base(visit, made),
        found=found,
        chosen=None if found is None else next((each for each in found.candidates if each.chosen), None),
        charts=None if found is None else charts_of(visit, found),
    )


def _figures(visit: PageVisit, one: OneRun) -> Compression | None:
    try:
        return visit.get(Training).get_compression(visit.who, one)
    except NotFound:
        return None


def _base(visit: PageVisit, run: Run) -> Run | None:
    """Return the run that was compressed; None when it was deleted."""
    try:
        return visit.get(Training).get_run(visit.who, OneRun(workspace=run.workspace, run=run.params["base"]))
    except NotFound:
        return None


def charts_of(visit: PageVisit, found: Compression) -> dict[str, Any]:
    """Return score against size, and score against the time of a row."""
    points = [(visit.say("base"), "base", found.baseline)]
    points += [(one.technique, _kind(one), one.figures) for one in found.candidates if one.figures is not None]
    said = {
        "size": (visit.say("size, KB"), [(name, kind, one.size / _KB, one.score) for name, kind, one in points]),
        "row": (visit.say("a row, µs"), [(name, kind, one.row_us, one.score) for name, kind, one in points]),
    }
    return {
        chart: {
            "x_name": title,
            "y_name": found.policy.metric,
            "curves": [
                {"name": name, "kind": kind, "points": [[round(x, 3), round(y, 5)]]} for name, kind, x, y in all_
            ],
        }
        for chart, (title, all_) in said.items()
    }


def _kind(one: CompressionCandidate) -> str:
    if one.chosen:
        return "chosen"
    return "met" if one.accepted else "missed"


def _within(field: str, value: float, high: float) -> float:
    if not 0 <= value <= high:
        raise Invalid(f"{field} cannot be {value:g}", field=field, value=value, allowed=f"0 to {high:g}")
    return value
