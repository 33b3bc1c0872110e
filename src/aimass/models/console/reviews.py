"""Reviews: what waits for a decision, and the decision."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Response

from aimass.kernel.pages import Page
from aimass.models.console.shown import approval_obstacle, obstacle
from aimass.models.domain import Decide, ListReviews, OneVersion, ReviewState
from aimass.models.service.models import Models
from aimass.web import Visit, page_router

router = page_router()
ONE = "/{workspace}/models/{model}/versions/{number}"


@router.get("/{workspace}/reviews")
def reviews(
    visit: Visit, state: ReviewState | Literal["waiting", "all"] = "waiting", cursor: str | None = None
) -> Response:
    """List the reviews.

    The question: which versions wait for a decision, have their checks passed, and which may I decide?
    """
    models = visit.get(Models)
    wish = ListReviews(workspace=visit.workspace, state=None if state in ("waiting", "all") else state, cursor=cursor)
    page = models.list_reviews(visit.who, wish)
    if state == "waiting":
        page = Page(items=models.waiting_reviews(visit.workspace), next=None)
    found = [(one, obstacle(visit, one), approval_obstacle(visit, one)) for one in page.items]
    parts = {"reviews": "models/_reviews.html"}
    return visit.render("models/queue.html", parts=parts, found=found, next=page.next, state=state)


@router.post(f"{ONE}/review")
def submit(visit: Visit, model: str, number: int) -> Response:
    """Let a version be reviewed."""
    name = OneVersion(workspace=visit.workspace, model=model, number=number)
    visit.get(Models).submit_review(visit.who, name)
    address = f"/{visit.workspace}/models/{model}/versions/{number}?tab=reviews"
    return visit.go(address, toast=visit.say("The checks have started"))


@router.post(f"{ONE}/decision")
def decide(
    visit: Visit,
    model: str,
    number: int,
    decision: Annotated[Literal["approve", "reject"], Form()],
    comment: Annotated[str, Form()] = "",
) -> Response:
    """Approve or reject a version."""
    wish = Decide(workspace=visit.workspace, model=model, number=number, comment=comment)
    models = visit.get(Models)
    if decision == "approve":
        models.approve(visit.who, wish)
        return visit.done(visit.say("Version %(n)d is approved", n=number))
    models.reject(visit.who, wish)
    return visit.done(visit.say("Version %(n)d is rejected", n=number))
