"""Who sees what of a dataset."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Response
from pydantic import BaseModel, Field

from aimass.lake.commands import OneDataset
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.policies import EVERYONE, Mask, OnePolicy, Policy, SetPolicy
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/policies"


@router.get(PATH)
def policies(visit: Visit, dataset: str) -> Response:
    """Which rows and columns are hidden, and from whom?"""
    sheet = dataset_sheet(visit, dataset, "policies")
    found = visit.get(Lake).list_policies(visit.who, OneDataset(workspace=visit.workspace, dataset=dataset))
    columns = [column.name for column in sheet.shown.columns] if sheet.shown else []
    may_manage = visit.allows("lake.manage", f"dataset:{dataset}")
    return visit.render("lake/policies.html", sheet=sheet, found=found, columns=columns, may_manage=may_manage)


class NewPolicy(BaseModel):
    """A policy as the form writes it."""

    policy: str
    filter: str = ""
    columns: list[str] = Field(default_factory=list)
    mask: Mask | None = None
    keep: int = 4
    step: str = ""
    applies_to: str = EVERYONE
    exempt: str = ""
    granted: str = ""


@router.post(PATH)
def add(visit: Visit, dataset: str, wanted: Annotated[NewPolicy, Form()]) -> Response:
    """Set a policy."""
    wish = SetPolicy(
        workspace=visit.workspace,
        dataset=dataset,
        policy=wanted.policy,
        filter=wanted.filter.strip(),
        columns=wanted.columns,
        mask=wanted.mask,
        keep=wanted.keep,
        step=wanted.step,
        applies_to=_words(wanted.applies_to),
        exempt=_words(wanted.exempt),
        granted=_granted(wanted.granted),
        expected_version=0,
    )
    visit.get(Lake).set_policy(visit.who, wish)
    return visit.done(visit.say("The policy counts from the next query on"))


@router.post(f"{PATH}/{{policy}}")
def switch(
    visit: Visit, dataset: str, policy: str, change: Annotated[Literal["on", "off", "remove"], Form()]
) -> Response:
    """Switch a policy off or on, or take it away."""
    lake, one = visit.get(Lake), OnePolicy(workspace=visit.workspace, dataset=dataset, policy=policy)
    if change == "remove":
        lake.remove_policy(visit.who, one)
        return visit.done(visit.say("The policy %(name)s is gone", name=policy))
    lake.set_policy(visit.who, _again(visit, lake.get_policy(visit.who, one), enabled=change == "on"))
    return visit.done(visit.say("The policy counts from the next query on") if change == "on" else visit.say("Saved"))


def _again(visit: PageVisit, known: Policy, *, enabled: bool) -> SetPolicy:
    """Return the wish for the same policy, switched."""
    return SetPolicy(
        workspace=visit.workspace,
        dataset=known.dataset,
        policy=known.name,
        filter=known.filter,
        columns=known.columns,
        mask=known.mask,
        keep=known.keep,
        step=known.step,
        applies_to=known.applies_to,
        exempt=known.exempt,
        granted=known.granted,
        enabled=enabled,
        expected_version=known.version,
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _granted(text: str) -> dict[str, list[str]]:
    """Read lines such as ``group:emea = DE, FR``."""
    lines = [line.partition("=") for line in text.splitlines() if line.strip()]
    return {who.strip(): _words(values) for who, _, values in lines}
