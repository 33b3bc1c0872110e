"""Workspaces: the list, and the settings of one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Response
from fastapi.responses import RedirectResponse

from aimass.access.console.forms import manages_platform
from aimass.access.domain.members import (
    ChangeWorkspace,
    CreateWorkspace,
    ListDeleted,
    ListWorkspaces,
    OneWorkspace,
    RestoreWorkspace,
)
from aimass.access.service.access import Access
from aimass.web import Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
Review = Annotated[Literal["auto", "person"], Form()]
PATH = "/settings/workspaces"
ONE = "/{workspace}/settings/general"


@router.get("/settings")
def settings(visit: Visit) -> Response:
    """Open the first page of the settings that the visitor may see."""
    return RedirectResponse("/settings/users" if manages_platform(visit) else "/settings/profile", 303)


@router.get(PATH)
def workspaces(visit: Visit, cursor: str | None = None) -> Response:
    """List the workspaces.

    The question: which workspaces are there for me, and who approves models in them?
    """
    access = visit.get(Access)
    found = access.list_workspaces(visit.who, ListWorkspaces(cursor=cursor))
    deleted = access.list_deleted(visit.who, ListDeleted()) if manages_platform(visit) else []
    parts = {"workspaces": "access/_workspaces.html"}
    return visit.render("access/workspaces.html", parts=parts, found=found, deleted=deleted)


@router.post(PATH)
def create(visit: Visit, name: Text, slug: Text = "", review: Review = "person") -> Response:
    """Create a workspace and open it."""
    wish = CreateWorkspace(name=name, slug=slug or None, review=review)
    made = visit.get(Access).create_workspace(visit.who, wish)
    return visit.go(f"/{made.slug}", toast=visit.say("%(name)s was created; you are its administrator", name=made.name))


@router.post(f"{PATH}/{{deleted}}/restore")
def restore(visit: Visit, deleted: str) -> Response:
    """Bring a deleted workspace back."""
    made = visit.get(Access).restore_workspace(visit.who, RestoreWorkspace(deleted=deleted))
    return visit.go(PATH, toast=visit.say("%(name)s is back", name=made.name))


@router.get(ONE)
def workspace(visit: Visit) -> Response:
    """Show the settings of one workspace.

    The question: what is this workspace called, who approves models in it, and how do I close it?
    """
    found = visit.get(Access).get_workspace(visit.who, OneWorkspace(workspace=visit.workspace))
    return visit.render("access/workspace.html", found=found)


@router.post(ONE)
def change(visit: Visit, name: Text, review: Review, version: Annotated[int, Form()]) -> Response:
    """Change name and review policy."""
    wish = ChangeWorkspace(workspace=visit.workspace, name=name, review=review, expected_version=version)
    visit.get(Access).change_workspace(visit.who, wish)
    return visit.go(f"/{visit.workspace}/settings/general", toast=visit.say("Saved"))


@router.delete(ONE)
def delete(visit: Visit) -> Response:
    """Delete the workspace: nothing of it serves, runs or fires any more."""
    visit.get(Access).delete_workspace(visit.who, OneWorkspace(workspace=visit.workspace))
    return visit.go(PATH, toast=visit.say("The workspace was deleted"))
