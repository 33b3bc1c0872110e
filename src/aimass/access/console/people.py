"""People of the platform: who they are, what they may, and how they get in again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response

from aimass.access.console.audit import rows_of
from aimass.access.console.forms import (
    READ,
    address_of,
    manages_platform,
    role_choices,
    with_refresh,
    workspaces_of,
)
from aimass.access.domain.audit import ListAudit
from aimass.access.domain.people import InviteUser, ListInvitations, ListUsers, OneUser, WithdrawInvitation
from aimass.access.service.access import Access
from aimass.kernel.principal import ANYWHERE
from aimass.web import Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
PATH = "/settings/users"
LATEST = 12


@router.get(PATH)
def users(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """List the people.

    The question: who can get in, who is still invited, and who protects the account by a second factor?
    """
    visit.who.need(READ, ANYWHERE)
    found = visit.get(Access).list_users(visit.who, ListUsers(find=q or None, cursor=cursor))
    more: dict[str, Any] = {"may_manage": manages_platform(visit), "choices": role_choices(visit)}
    if more["may_manage"]:
        waiting = visit.get(Access).list_invitations(visit.who, ListInvitations())
        more |= {"places": workspaces_of(visit), "invitations": {i.user: i for i in waiting}}
    return visit.render("access/users.html", parts={"users": "access/_users.html"}, found=found, q=q, **more)


@router.post(PATH)
def invite(visit: Visit, name: Text, email: Text = "", role: Text = "", workspace: Text = ANYWHERE) -> Response:
    """Invite a person and show the link, this once."""
    place = workspace or ANYWHERE
    wish = InviteUser(name=name, email=email or None, workspace=place, role=role or None)
    link = visit.get(Access).invite_user(visit.who, wish)
    return with_refresh(
        visit.render("access/_link.html", link=link, address=address_of(visit, link.path), to_close=True)
    )


@router.get(f"{PATH}/{{user}}")
def user(visit: Visit, user: str) -> Response:
    """Show one person.

    The question: what may this person do, when was he here last, and how do I help him in or keep him out?
    """
    visit.who.need(READ, ANYWHERE)
    access, wish = visit.get(Access), OneUser(user=user)
    found = access.get_user(visit.who, wish)
    more: dict[str, Any] = {"may_manage": manages_platform(visit), "deeds": [], "invitation": None}
    if more["may_manage"]:
        deeds = access.list_audit(visit.who, ListAudit(actor=found.id, limit=LATEST)).items
        more["deeds"] = rows_of(visit, deeds)
        invitations = access.list_invitations(visit.who, ListInvitations())
        more["invitation"] = next((i for i in invitations if i.user == found.id), None)
    held, more["role_names"] = access.list_roles_of(visit.who, wish), dict(role_choices(visit))
    return visit.render("access/user.html", parts={"user": "access/_user.html"}, user=found, held=held, **more)


@router.post(f"{PATH}/{{user}}/reset-link")
def make_reset_link(visit: Visit, user: str) -> Response:
    """Show a link that sets the password anew, this once."""
    link = visit.get(Access).create_reset_link(visit.who, OneUser(user=user))
    return visit.render("access/_link.html", link=link, address=address_of(visit, link.path), to_close=False)


@router.post(f"{PATH}/{{user}}/disable")
def disable(visit: Visit, user: str) -> Response:
    """Keep a person out."""
    found = visit.get(Access).disable_user(visit.who, OneUser(user=user))
    return visit.done(visit.say("%(name)s cannot sign in any more", name=found.name))


@router.post(f"{PATH}/{{user}}/enable")
def enable(visit: Visit, user: str) -> Response:
    """Let a person in again."""
    found = visit.get(Access).enable_user(visit.who, OneUser(user=user))
    return visit.done(visit.say("%(name)s can sign in again", name=found.name))


@router.post(f"{PATH}/{{user}}/sign-out")
def end_sessions(visit: Visit, user: str) -> Response:
    """End every session of a person."""
    visit.get(Access).end_sessions(visit.who, OneUser(user=user))
    return visit.done(visit.say("All sessions have ended"))


@router.post(f"{PATH}/{{user}}/totp-reset")
def take_authenticator_off(visit: Visit, user: str) -> Response:
    """Take the authenticator off for somebody who lost it."""
    visit.get(Access).reset_second_factor(visit.who, OneUser(user=user))
    return visit.done(visit.say("The authenticator was taken off; the sessions have ended"))


@router.post(f"{PATH}/{{user}}/withdraw/{{invitation}}")
def withdraw(visit: Visit, user: str, invitation: str) -> Response:
    """Take an invitation back; the account goes too."""
    del user
    visit.get(Access).withdraw_invitation(visit.who, WithdrawInvitation(invitation=invitation))
    return visit.go(PATH, toast=visit.say("The invitation was taken back"))


@router.delete(f"{PATH}/{{user}}")
def erase(visit: Visit, user: str) -> Response:
    """Erase a person; what he did stays in the audit log under his id."""
    visit.get(Access).erase_user(visit.who, OneUser(user=user))
    return visit.go(PATH, toast=visit.say("The person was erased"))
