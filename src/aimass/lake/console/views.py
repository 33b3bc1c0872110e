"""Views: the list, and one view with what it asks, how fresh it is, and its last refreshes."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

import orjson
from fastapi import Form, Response
from pydantic import BaseModel, Field

from aimass.kernel.errors import Conflict
from aimass.lake.console.queries import values_of
from aimass.lake.service.lake import Lake
from aimass.lake.views import (
    ChangeView,
    CreateView,
    DeleteView,
    ListViewRefreshes,
    ListViews,
    OneView,
    RefreshView,
    ViewLayer,
)
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/views"
VIEW = f"{PATH}/{{view}}"
RECENT = 20


@router.get(PATH)
def views(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """Which answers are kept as datasets, and are they as fresh as their sources?"""
    wish = ListViews(workspace=visit.workspace, text=q or None, cursor=cursor)
    found = visit.get(Lake).list_views(visit.who, wish)
    return visit.render("lake/views.html", parts={"views": "lake/_views.html"}, found=found, q=q)


class Wanted(BaseModel):
    """What the forms say of a view."""

    name: str
    sql: str
    parameters: str = ""
    description: str = ""
    layer: ViewLayer = "gold"
    refresh: Literal["manual", "on_change"] = "manual"
    every_minutes: float = Field(default=1, gt=0)

    def fields(self) -> dict[str, Any]:
        """Return it as the use cases take it."""
        plain = self.model_dump(exclude={"every_minutes", "parameters"})
        plain["sql"] = self.sql.replace("\r\n", "\n")  # as browsers send the lines of a text
        return {**plain, "parameters": values_of(self.parameters), "every_s": self.every_minutes * 60}


@router.post(PATH)
def create(visit: Visit, wanted: Annotated[Wanted, Form()]) -> Response:
    """Make a view, begin its first refresh when it does not by itself, then open it; the page tells why that failed."""
    lake = visit.get(Lake)
    made = lake.create_view(visit.who, CreateView(workspace=visit.workspace, **wanted.fields()))
    if made.refresh == "manual":
        with suppress(Conflict):
            lake.refresh_view(visit.who, RefreshView(workspace=visit.workspace, view=made.slug))
    return visit.go(f"/{visit.workspace}/views/{made.slug}", toast=visit.say("%(name)s was created", name=made.name))


@router.get(VIEW)
def view(visit: Visit, view: str) -> Response:
    """What does this view ask, is it fresh, whose rights count for it, and what did its last refreshes do?"""
    lake = visit.get(Lake)
    found = lake.get_view(visit.who, OneView(workspace=visit.workspace, view=view))
    wish = ListViewRefreshes(workspace=visit.workspace, view=view, limit=RECENT)
    past = lake.list_view_refreshes(visit.who, wish).items
    given = orjson.dumps(found.parameters).decode() if found.parameters else ""
    is_own = found.owner == visit.who.id
    may_change = visit.allows("lake.edit", f"view:{view}") and (is_own or _manages(visit, view))
    more = {"given": given, "is_own": is_own, "may_change": may_change}
    return visit.render("lake/view.html", parts={"view": "lake/_view.html"}, found=found, past=past, **more)


class Changed(Wanted):
    """What the form changes of a view."""

    expected_version: int


@router.post(f"{VIEW}/settings")
def change(visit: Visit, view: str, wanted: Annotated[Changed, Form()]) -> Response:
    """Change a view; only a text that differs makes somebody else its owner."""
    lake, given = visit.get(Lake), wanted.fields()
    known = lake.get_view(visit.who, OneView(workspace=visit.workspace, view=view))
    for field in ("sql", "parameters"):
        if given[field] == getattr(known, field):
            del given[field]
    lake.change_view(visit.who, ChangeView(workspace=visit.workspace, view=view, **given))
    return visit.go(f"/{visit.workspace}/views/{view}", toast=visit.say("Saved"))


@router.post(f"{VIEW}/owner")
def take_over(visit: Visit, view: str, expected_version: Annotated[int, Form()]) -> Response:
    """Become the owner of a view as it was shown: a text that was changed meanwhile would run under rights that nobody gave it."""
    told = ChangeView(workspace=visit.workspace, view=view, take_over=True, expected_version=expected_version)
    visit.get(Lake).change_view(visit.who, told)
    return visit.done(visit.say("It is yours now: your rights and policies count for it"))


@router.post(f"{VIEW}/refreshes")
def refresh(visit: Visit, view: str, force: Annotated[bool, Form()] = False) -> Response:
    """Refresh a view."""
    wish = RefreshView(workspace=visit.workspace, view=view, force=force)
    begun = visit.get(Lake).refresh_view(visit.who, wish)
    if begun.state == "FRESH":
        return visit.done(visit.say("It is fresh: nothing has changed since its last refresh"))
    return visit.done(visit.say("It is being refreshed"))


@router.delete(VIEW)
def delete(visit: Visit, view: str) -> Response:
    """Delete a view; its dataset stays."""
    visit.get(Lake).delete_view(visit.who, DeleteView(workspace=visit.workspace, view=view))
    return visit.go(f"/{visit.workspace}/views", toast=visit.say("%(name)s was deleted", name=view))


def _manages(visit: PageVisit, view: str) -> bool:
    return visit.allows("lake.manage", f"view:{view}")
