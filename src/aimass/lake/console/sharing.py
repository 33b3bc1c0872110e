"""Shares and recipients: which tables leave the platform, and who outside reads them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import orjson
from fastapi import Form, Response

from aimass.lake.commands import ListDatasets, OneWorkspace
from aimass.lake.service.lake import Lake
from aimass.lake.sharing import (
    ChangeRecipient,
    CreateRecipient,
    CreateShare,
    OneRecipient,
    OneShare,
    RecipientProfile,
    RotateRecipient,
    ShareDataset,
    UnshareTable,
)
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/sharing"
MOST = 200
Text = Annotated[str, Form()]


@router.get(PATH)
def sharing(visit: Visit) -> Response:
    """Which of our data can others read, who are they, and when did they last?"""
    lake, where = visit.get(Lake), OneWorkspace(workspace=visit.workspace)
    may_manage = visit.allows("lake.manage")
    recipients = lake.list_recipients(visit.who, where) if may_manage else []
    datasets = lake.list_datasets(visit.who, ListDatasets(workspace=visit.workspace, limit=MOST)).items
    shares = lake.list_shares(visit.who, where)
    return visit.render(
        "lake/sharing.html", shares=shares, recipients=recipients, datasets=datasets, may_manage=may_manage
    )


@router.post(PATH)
def create_share(visit: Visit, share: Text, description: Text = "") -> Response:
    """Create an empty share."""
    wish = CreateShare(workspace=visit.workspace, share=share.strip(), description=description)
    made = visit.get(Lake).create_share(visit.who, wish)
    return visit.go(f"/{visit.workspace}/sharing", toast=visit.say("%(name)s was created", name=made.slug))


@router.post(f"{PATH}/{{share}}/tables")
def add_table(
    visit: Visit,
    share: str,
    dataset: Text,
    history: Annotated[bool, Form()] = False,
    personal: Annotated[bool, Form()] = False,
) -> Response:
    """Share a dataset."""
    wish = ShareDataset(workspace=visit.workspace, share=share, dataset=dataset, history=history, personal=personal)
    visit.get(Lake).share_dataset(visit.who, wish)
    text = visit.say("%(name)s is shared in %(share)s", name=dataset, share=share)
    return visit.go(f"/{visit.workspace}/sharing", toast=text)


@router.delete(f"{PATH}/{{share}}/tables/{{namespace}}/{{name}}")
def remove_table(visit: Visit, share: str, namespace: str, name: str) -> Response:
    """Take a table out of a share."""
    visit.get(Lake).unshare_table(
        visit.who, UnshareTable(workspace=visit.workspace, share=share, namespace=namespace, name=name)
    )
    return visit.done(visit.say("%(name)s is shared no more", name=name))


@router.delete(f"{PATH}/{{share}}")
def delete_share(visit: Visit, share: str) -> Response:
    """Delete a share."""
    visit.get(Lake).delete_share(visit.who, OneShare(workspace=visit.workspace, share=share))
    return visit.done(visit.say("%(name)s is shared no more", name=share))


@router.post("/{workspace}/recipients")
def create_recipient(
    visit: Visit,
    name: Text,
    shares: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form(ge=1, le=3660)] = 90,
) -> Response:
    """Create a recipient, and show its profile this once."""
    wish = CreateRecipient(
        workspace=visit.workspace, name=name, shares=shares or [], days=days, endpoint=_origin(visit)
    )
    return _shown(visit, visit.get(Lake).create_recipient(visit.who, wish))


@router.post("/{workspace}/recipients/{recipient}/shares")
def change_recipient(visit: Visit, recipient: str, shares: Annotated[list[str] | None, Form()] = None) -> Response:
    """Say which shares a recipient may read."""
    wish = ChangeRecipient(workspace=visit.workspace, recipient=recipient, shares=shares or [])
    found = visit.get(Lake).change_recipient(visit.who, wish)
    text = visit.say("%(name)s may read %(n)d shares", name=found.name, n=len(found.shares))
    return visit.go(f"/{visit.workspace}/sharing", toast=text)


@router.post("/{workspace}/recipients/{recipient}/rotate")
def rotate(visit: Visit, recipient: str) -> Response:
    """Give a recipient a new token; the old one counts for a day beside it."""
    wish = RotateRecipient(workspace=visit.workspace, recipient=recipient, grace_hours=24, endpoint=_origin(visit))
    return _shown(visit, visit.get(Lake).rotate_recipient(visit.who, wish))


@router.post("/{workspace}/recipients/{recipient}/revoke")
def revoke(visit: Visit, recipient: str) -> Response:
    """Take the token of a recipient back."""
    found = visit.get(Lake).revoke_recipient(visit.who, OneRecipient(workspace=visit.workspace, recipient=recipient))
    return visit.done(visit.say("The token of %(name)s counts no more", name=found.name))


@router.delete("/{workspace}/recipients/{recipient}")
def delete_recipient(visit: Visit, recipient: str) -> Response:
    """Delete a recipient."""
    visit.get(Lake).delete_recipient(visit.who, OneRecipient(workspace=visit.workspace, recipient=recipient))
    return visit.done(visit.say("%(name)s is gone for good", name=recipient))


def _shown(visit: PageVisit, made: RecipientProfile) -> Response:
    text = orjson.dumps(made.profile, option=orjson.OPT_INDENT_2).decode()
    return visit.render("lake/_profile_file.html", made=made, text=text)


def _origin(visit: PageVisit) -> str | None:
    """Return the address under which this person reaches the platform; None where it is the public one."""
    public = urlsplit(visit.get(Lake).address).netloc
    return None if public == visit.request.url.netloc else str(visit.request.base_url)
