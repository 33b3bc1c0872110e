"""What the pages of the room share: proving the password again, and the platform's own permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Response

from aimass.access.domain.members import ListWorkspaces, Workspace
from aimass.access.domain.roles import BUILT_IN
from aimass.access.service.access import Access
from aimass.kernel.errors import Invalid, Unauthenticated
from aimass.kernel.principal import ANYWHERE
from aimass.web import PageVisit

MOST = 500
READ, MANAGE = "access.read", "access.manage"
REFRESH = '{"refresh": {}}'


@contextmanager
def proving_password(visit: PageVisit) -> Iterator[None]:
    """Show a wrong password at its field: the visitor is signed in, so nobody has to sign in again."""
    try:
        yield
    except Unauthenticated as error:
        text = visit.say("The code is wrong.") if error.field == "totp" else visit.say("This password is wrong.")
        raise Invalid(text, field=error.field or "password") from error


def manages_platform(visit: PageVisit) -> bool:
    """Tell whether the visitor manages access on the whole platform."""
    return visit.who.allows(MANAGE, ANYWHERE)


def workspaces_of(visit: PageVisit) -> list[Workspace]:
    """Return the workspaces that the visitor knows."""
    return visit.get(Access).list_workspaces(visit.who, ListWorkspaces(limit=MOST)).items


def role_choices(visit: PageVisit) -> list[tuple[str, str]]:
    """Return the built-in roles for a choice."""
    return [(role.slug, visit.say(role.name)) for role in BUILT_IN.values()]


def address_of(visit: PageVisit, path: str) -> str:
    """Return a path of this platform as an address that can be sent to somebody."""
    return str(visit.request.base_url).rstrip("/") + path


def with_refresh(response: Response) -> Response:
    """Let the parts of the page that depend on what happened fetch themselves again."""
    response.headers["HX-Trigger"] = REFRESH
    return response
