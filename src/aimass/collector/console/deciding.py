"""What an origin has that waits for a word: values of it, and the decision."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Query, Response

from aimass.collector.proposals import DecideDrift, Decision, ShowExamples
from aimass.collector.service.collector import Collector
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/sources/{source}/proposals"


@router.post(PATH)
def decide(
    visit: Visit,
    source: str,
    decision: Annotated[Decision, Form()],
    column: Annotated[str, Form()] = "",
) -> Response:
    """Accept or reject a column, or all that wait."""
    columns = [column] if column else []
    wish = DecideDrift(workspace=visit.workspace, source=source, decision=decision, columns=columns)
    visit.get(Collector).decide_drift(visit.who, wish)
    said = {
        "accept": visit.say("The next collection stores it"),
        "reject": visit.say("It is left out, and not proposed again"),
        "reopen": visit.say("It is proposed again"),
    }
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=said[decision])


@router.get(f"{PATH}/examples")
def examples(visit: Visit, source: str, column: Annotated[str, Query(max_length=500)]) -> Response:
    """Which values does it hold?"""
    wish = ShowExamples(workspace=visit.workspace, source=source, column=column)
    found = visit.get(Collector).show_examples(visit.who, wish)
    return visit.render("collector/_examples.html", found=found)
