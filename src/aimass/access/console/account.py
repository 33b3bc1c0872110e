"""The own account: password, second factor, sessions, language and theme, roles."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import Form, Response
from markupsafe import Markup

from aimass.access.console.forms import proving_password
from aimass.access.domain.agents import agent_words
from aimass.access.domain.people import (
    ChangePassword,
    ConfirmSecondFactor,
    EnrolSecondFactor,
    MyWorkspace,
    RevokeSession,
)
from aimass.access.domain.roles import BUILT_IN
from aimass.access.service.access import Access
from aimass.kernel.errors import Invalid
from aimass.web import PageVisit, Visit, page_router, session_of

router = page_router()
Text = Annotated[str, Form()]
PATH = "/settings/profile"
PARTS = {
    "sessions": "access/_sessions.html",
    "devices": "access/_devices.html",
    "second-factor": "access/_second_factor.html",
}


@router.get(PATH)
def account(visit: Visit) -> Response:
    """Show the own account.

    The question: is my account safe, and where am I signed in?
    """
    access = visit.get(Access)
    me = access.who_am_i(visit.who)
    places = [(place, _role(place)) for place in me.workspaces]
    sessions = [(s, agent_words(s.agent)) for s in access.list_sessions(visit.who)] if me.kind == "user" else []
    more = {"devices": access.list_devices(visit.who), "present": _present(visit)}
    return visit.render("access/account.html", parts=PARTS, me=me, places=places, sessions=sessions, **more)


@router.post(f"{PATH}/password")
def change_password(visit: Visit, password: Text, new_password: Text, again: Text) -> Response:
    """Change the own password; the other sessions end."""
    if new_password != again:
        raise Invalid(visit.say("The two passwords differ"), field="again")
    wish = ChangePassword(password=password, new_password=new_password, keep=_present(visit))
    with proving_password(visit):
        try:
            visit.get(Access).change_password(visit.who, wish)
        except Invalid as error:
            raise Invalid(error.message, field="new_password", hint=error.hint, allowed=error.allowed) from error
    return visit.go(PATH, toast=visit.say("Your password was changed; your other sessions have ended"))


@router.post(f"{PATH}/totp")
def enrol(visit: Visit, password: Text) -> Response:
    """Show the square code to scan."""
    with proving_password(visit):
        found = visit.get(Access).enrol_second_factor(visit.who, EnrolSecondFactor(password=password))
    picture = segno.make(found.uri, error="m").svg_inline(scale=4, border=2, dark="#16181d", light="#ffffff")
    return visit.render("access/_enrolment.html", secret=found.secret, picture=Markup(picture))  # noqa: S704 of segno


@router.post(f"{PATH}/totp/confirm")
def confirm(visit: Visit, totp: Text) -> Response:
    """Show the recovery codes once the first code was right."""
    with proving_password(visit):
        found = visit.get(Access).confirm_second_factor(visit.who, ConfirmSecondFactor(totp=totp))
    return visit.render("access/_recovery_codes.html", codes=found.codes)


@router.post(f"{PATH}/totp/codes")
def renew_codes(visit: Visit, password: Text) -> Response:
    """Show new recovery codes; the old ones count no more."""
    with proving_password(visit):
        found = visit.get(Access).renew_recovery_codes(visit.who, EnrolSecondFactor(password=password))
    return visit.render("access/_recovery_codes.html", codes=found.codes)


@router.post(f"{PATH}/totp/disable")
def disable(visit: Visit, password: Text) -> Response:
    """Take the authenticator off."""
    with proving_password(visit):
        visit.get(Access).disable_second_factor(visit.who, EnrolSecondFactor(password=password))
    return visit.go(PATH, toast=visit.say("Two-step sign-in is off"))


@router.delete(f"{PATH}/sessions/{{session}}")
def end_session(visit: Visit, session: str) -> Response:
    """End one of the own sessions."""
    visit.get(Access).revoke_session(visit.who, RevokeSession(session=session))
    return visit.done(visit.say("The session has ended"))


@router.post(f"{PATH}/sessions/end-others")
def end_others(visit: Visit) -> Response:
    """End every own session but this one."""
    access, present = visit.get(Access), _present(visit)
    others = [session.id for session in access.list_sessions(visit.who) if session.id != present]
    for other in others:
        access.revoke_session(visit.who, RevokeSession(session=other))
    return visit.done(visit.say("%(n)d other sessions have ended", n=len(others)))


def _present(visit: PageVisit) -> str | None:
    token = session_of(visit.request, visit.console.signer)
    return visit.get(Access).session_id(token) if token else None


def _role(place: MyWorkspace) -> str:
    """Return the name of the built-in role with exactly these permissions, else nothing."""
    held = frozenset(place.permissions)
    return next((role.name for role in BUILT_IN.values() if role.permissions == held), "")
