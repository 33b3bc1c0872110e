"""Change, classify, delete and restore a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Form, Response
from pydantic import BaseModel, Field

from aimass.lake.commands import ChangeDataset, DeleteDataset, OneDataset, SetClassification
from aimass.lake.domain import Finding
from aimass.lake.ordering import OrderDataset
from aimass.lake.service.lake import Lake
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}"
Text = Annotated[str, Form()]


class Settings(BaseModel):
    """The settings as the form writes them."""

    name: str
    description: str = ""
    keys: str = ""
    retain_days: int = Field(default=0, ge=0)
    layer: Literal["", "landing", "bronze", "silver", "gold"] = ""
    expected_version: int


@router.post(f"{PATH}/settings")
def change(visit: Visit, dataset: str, wanted: Annotated[Settings, Form()]) -> Response:
    """Change name, description, keys and retention."""
    wish = ChangeDataset(
        workspace=visit.workspace,
        dataset=dataset,
        name=wanted.name,
        description=wanted.description,
        keys=[key.strip() for key in wanted.keys.split(",") if key.strip()],
        retain_days=wanted.retain_days,
        layer=wanted.layer or None,
        expected_version=wanted.expected_version,
    )
    visit.get(Lake).change_dataset(visit.who, wish)
    return visit.go(f"/{visit.workspace}/data/{dataset}", toast=visit.say("Saved"))


@router.post(f"{PATH}/classification")
def classify(
    visit: Visit,
    dataset: str,
    column: Text,
    private: Annotated[bool, Form()],
    expected_version: Annotated[int, Form()],
) -> Response:
    """Say that a column holds personal data, or that it holds none."""
    lake, one = visit.get(Lake), OneDataset(workspace=visit.workspace, dataset=dataset)
    known = {finding.column: finding for finding in lake.get_classification(visit.who, one)}
    found = known.get(column) or Finding(column=column, kind="personal", confidence=1.0, by="person", private=private)
    known[column] = replace(found, private=private, by="person", confidence=1.0)
    wish = SetClassification(
        workspace=visit.workspace, dataset=dataset, columns=list(known.values()), expected_version=expected_version
    )
    lake.set_classification(visit.who, wish)
    if private:
        return visit.done(visit.say("%(column)s is hidden from those who may only read", column=column))
    return visit.done(visit.say("%(column)s is shown to everybody who may read", column=column))


@router.get(f"{PATH}/order")
def order(visit: Visit, dataset: str) -> Response:
    """How do its rows lie, and would another order help?"""
    found = visit.get(Lake).show_layout(visit.who, OneDataset(workspace=visit.workspace, dataset=dataset))
    return visit.render("lake/_order.html", found=found, home=f"/{visit.workspace}/data/{dataset}")


@router.post(f"{PATH}/order")
def set_order(visit: Visit, dataset: str, columns: Text = "") -> Response:
    """Say by which columns the rows lie."""
    named = [column.strip() for column in columns.split(",") if column.strip()]
    wish = OrderDataset(workspace=visit.workspace, dataset=dataset, columns=named)
    visit.get(Lake).order_dataset(visit.who, wish)
    text = visit.say("A job writes the rows in this order") if named else visit.say("The rows lie as they come")
    return visit.go(f"/{visit.workspace}/data/{dataset}", toast=text)


@router.delete(PATH)
def delete(visit: Visit, dataset: str) -> Response:
    """Delete a dataset; it can be taken back for 30 days."""
    visit.get(Lake).delete_dataset(visit.who, DeleteDataset(workspace=visit.workspace, dataset=dataset))
    text = visit.say("%(name)s was deleted; it can be restored for 30 days", name=dataset)
    return visit.go(f"/{visit.workspace}/data", toast=text)


@router.post(f"{PATH}/restore")
def restore(visit: Visit, dataset: str) -> Response:
    """Bring a deleted dataset back."""
    found = visit.get(Lake).restore_dataset(visit.who, OneDataset(workspace=visit.workspace, dataset=dataset))
    return visit.go(f"/{visit.workspace}/data/{dataset}", toast=visit.say("%(name)s is back", name=found.name))


@router.post(f"{PATH}/purge")
def purge(visit: Visit, dataset: str) -> Response:
    """Remove a dataset for good."""
    wish = DeleteDataset(workspace=visit.workspace, dataset=dataset, purge=True)
    visit.get(Lake).delete_dataset(visit.who, wish)
    return visit.done(visit.say("%(name)s is gone for good", name=dataset))
