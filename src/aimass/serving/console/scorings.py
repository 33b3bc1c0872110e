"""Pages of batch inference: the list of scorings, one of them, and the form that starts one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Form, Query, Request, Response
from pydantic import BaseModel

from aimass.kernel.errors import AimassError, Invalid
from aimass.lake import AboutVersion, Lake, ListDatasets
from aimass.serving.console.deploying import models_of
from aimass.serving.domain.commands import ListEndpoints
from aimass.serving.domain.scoring import (
    RECORDED,
    ListScorings,
    Mode,
    OneScoring,
    ScoringPlan,
    ScoringState,
    StartScoring,
)
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/scorings"
FEEDS = "feeds:"
MOST = 200
STATES: tuple[ScoringState, ...] = ("RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")


class Wanted(BaseModel):
    """What the address of the list asks for."""

    q: str = ""
    state: ScoringState | Literal[""] = ""
    endpoint: str = ""
    dataset: str = ""
    cursor: str | None = None


class Wish(BaseModel):
    """The form: ``scorer`` is ``endpoint:<name>`` or ``model:<name>``."""

    scorer: str = ""
    dataset: str = ""
    to: str = ""
    keep: Literal["all", "none", "some"] = "all"
    kept: list[str] = []
    prefix: str = ""
    mode: Mode = "overwrite"
    record: int = RECORDED
    slots: int = 2


@router.get(PATH)
def scorings(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """Which datasets were scored, how far are those that run, and which failed?"""
    wish = ListScorings(
        workspace=visit.workspace,
        endpoint=wanted.endpoint or None,
        dataset=wanted.dataset or None,
        state=wanted.state or None,
        cursor=wanted.cursor,
    )
    found = visit.get(Serving).list_scorings(visit.who, wish)
    return visit.render(
        "serving/scorings.html",
        parts={"scorings": "serving/_scorings.html"},
        found=found,
        wanted=wanted,
        states=STATES,
        is_filtered=bool(wanted.endpoint or wanted.dataset or wanted.state),
    )


async def chosen(request: Request) -> dict[str, str]:
    """Return the columns that the form chose for inputs of another name; the model decides which fields there are."""
    given = request.query_params if request.method == "GET" else await request.form()
    pairs = [(name.removeprefix(FEEDS), str(value)) for name, value in given.items() if name.startswith(FEEDS)]
    return {name: value for name, value in pairs if value and value != name}


Chosen = Annotated[dict[str, str], Depends(chosen)]


@router.get(f"{PATH}/new")
def new(visit: Visit, wish: Annotated[Wish, Query()], feeds: Chosen) -> Response:
    """Which model scores which rows, and where do the predictions go?"""
    return visit.render(
        "serving/new_scoring.html", parts={"scoring-form": "serving/_scoring_form.html"}, **_form(visit, wish, feeds)
    )


@router.post(PATH)
def start(visit: Visit, wish: Annotated[Wish, Form()], feeds: Chosen) -> Response:
    """Start a scoring, then open it."""
    made = visit.get(Serving).start_scoring(visit.who, _command(visit, wish, feeds))
    toast = visit.say("%(dataset)s is being scored", dataset=made.dataset)
    return visit.go(f"/{visit.workspace}/work/scorings/{made.id}", toast=toast)


@router.get(f"{PATH}/{{scoring}}")
def scoring(visit: Visit, scoring: str) -> Response:
    """How far is it, what scores which rows, and where are the predictions?"""
    one = visit.get(Serving).get_scoring(visit.who, OneScoring(workspace=visit.workspace, scoring=scoring))
    return visit.render("serving/scoring.html", parts={"scoring": "serving/_scoring.html"}, one=one)


@router.post(f"{PATH}/{{scoring}}/cancel")
def cancel(visit: Visit, scoring: str) -> Response:
    """Stop a scoring."""
    visit.get(Serving).cancel_scoring(visit.who, OneScoring(workspace=visit.workspace, scoring=scoring))
    return visit.done(visit.say("It stops after the rows that are under way"))


def _form(visit: PageVisit, wish: Wish, feeds: dict[str, str]) -> dict[str, Any]:
    """Return the choices of the form and, where enough was chosen, the plan."""
    scorers, datasets = _scorers(visit), _datasets(visit)
    wanted = wish.model_copy(
        update={
            "scorer": wish.scorer or (scorers[0][0] if scorers else ""),
            "dataset": wish.dataset or (datasets[0][0] if datasets else ""),
        }
    )
    if not wanted.to and wanted.dataset:
        wanted.to = f"{wanted.dataset}-scores"[:63]
    plan, refusal = _plan(visit, wanted, feeds) if scorers and datasets else (None, None)
    columns = _columns(visit, wanted.dataset) if wanted.dataset else []
    return {
        "wish": wanted,
        "scorers": scorers,
        "datasets": datasets,
        "plan": plan,
        "refusal": refusal,
        "columns": columns,
        "feeds": FEEDS,
    }


def _plan(visit: PageVisit, wish: Wish, feeds: dict[str, str]) -> tuple[ScoringPlan | None, AimassError | None]:
    try:
        return visit.get(Serving).plan_scoring(visit.who, _command(visit, wish, feeds)), None
    except AimassError as reason:
        return None, reason


def _command(visit: PageVisit, wish: Wish, feeds: dict[str, str]) -> StartScoring:
    kind, _, name = wish.scorer.partition(":")
    if kind not in ("endpoint", "model") or not name:
        raise Invalid(f"{wish.scorer!r} scores nothing", field="scorer", value=wish.scorer, hint="choose one")
    keep = {"all": None, "none": list[str](), "some": wish.kept}[wish.keep]
    return StartScoring(
        workspace=visit.workspace,
        dataset=wish.dataset,
        to=wish.to,
        endpoint=name if kind == "endpoint" else None,
        model=name if kind == "model" else None,
        columns=feeds,
        keep=keep,
        prefix=wish.prefix,
        mode=wish.mode,
        record=wish.record,
        slots=wish.slots,
    )


def _scorers(visit: PageVisit) -> list[tuple[str, str]]:
    """Return what could score: endpoints that answer, then champions of models."""
    serving = visit.get(Serving)
    found: list[tuple[str, str]] = []
    if visit.allows("serving.read"):
        page = serving.list_endpoints(visit.who, ListEndpoints(workspace=visit.workspace, limit=MOST))
        for one in page.items:
            main = next((d for d in one.deployments if d.is_main and d.served_version), None)
            if main is not None:
                text = visit.say("service %(name)s", name=one.slug)
                found.append((f"endpoint:{one.slug}", f"{text} ({main.model} v{main.served_version})"))
    champions = [(f"model:{slug}", visit.say("champion of %(model)s", model=name)) for slug, name in models_of(visit)]
    return found + champions


def _datasets(visit: PageVisit) -> list[tuple[str, str]]:
    if not visit.allows("lake.read"):
        return []
    page = visit.get(Lake).list_datasets(visit.who, ListDatasets(workspace=visit.workspace, limit=MOST))
    return [(one.slug, f"{one.name} v{one.latest}") for one in page.items if one.latest is not None]


def _columns(visit: PageVisit, dataset: str) -> list[str]:
    try:
        version = visit.get(Lake).get_version(visit.who, AboutVersion(workspace=visit.workspace, dataset=dataset))
    except AimassError:
        return []
    return [column.name for column in version.columns]
