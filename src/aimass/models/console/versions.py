"""What is done with versions: aliases, cards, comparing, deleting."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Query, Response

from aimass.models.console.shown import headline
from aimass.models.domain import CompareVersions, EditCard, OneAlias, OneModel, OneVersion, SetAlias
from aimass.models.service.models import Models
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/models/{model}"
PAIR = 2


@router.get(f"{PATH}/compare")
def compare(visit: Visit, model: str, version: Annotated[list[int], Query()] = []) -> Response:  # noqa: B006 the empty list of the address
    """Show two versions side by side.

    The question: what changed between them, and did it get better?
    """
    found = visit.get(Models).get_model(visit.who, OneModel(workspace=visit.workspace, model=model))
    compared = None
    if len(version) == PAIR:
        first, second = sorted(version)
        wish = CompareVersions(workspace=visit.workspace, model=model, first=first, second=second)
        compared = visit.get(Models).compare_versions(visit.who, wish)
    more = {"count": len(version), "headline": headline}
    return visit.render("models/compare.html", model=found, compared=compared, **more)


@router.post(f"{PATH}/aliases")
def set_alias(
    visit: Visit, model: str, number: Annotated[int, Form()], alias: Annotated[str, Form()] = "champion"
) -> Response:
    """Point an alias to a version."""
    wish = SetAlias(workspace=visit.workspace, model=model, alias=alias, number=number)
    made = visit.get(Models).set_alias(visit.who, wish)
    toast = visit.say("%(alias)s is version %(n)d now", alias=made.alias, n=made.number)
    return visit.go(f"/{visit.workspace}/models/{model}/versions/{made.number}", toast=toast)


@router.delete(f"{PATH}/aliases/{{alias}}")
def remove_alias(visit: Visit, model: str, alias: str) -> Response:
    """Take an alias away."""
    visit.get(Models).remove_alias(visit.who, OneAlias(workspace=visit.workspace, model=model, alias=alias))
    return visit.go(f"/{visit.workspace}/models/{model}", toast=visit.say("The alias %(alias)s is gone", alias=alias))


@router.post(f"{PATH}/versions/{{number}}/card/{{section}}")
def edit_card(
    visit: Visit,
    model: str,
    number: int,
    section: str,
    version: Annotated[int, Form()],
    text: Annotated[str, Form()] = "",
) -> Response:
    """Write a section of the card; an empty text gives the facts their word back."""
    where = {"workspace": visit.workspace, "model": model, "number": number}
    wish = EditCard(**where, section=section, text=text, expected_version=version)
    visit.get(Models).edit_card(visit.who, wish)
    return visit.go(f"/{visit.workspace}/models/{model}/versions/{number}", toast=visit.say("The card was changed"))


@router.delete(f"{PATH}/versions/{{number}}")
def delete(visit: Visit, model: str, number: int) -> Response:
    """Delete a version."""
    visit.get(Models).delete_version(visit.who, OneVersion(workspace=visit.workspace, model=model, number=number))
    toast = visit.say("Version %(n)d was deleted", n=number)
    return visit.go(f"/{visit.workspace}/models/{model}?tab=versions", toast=toast)
