"""Identity providers: who may vouch for people, and which roles their groups bring."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.access.console.forms import READ, manages_platform
from aimass.access.domain.providers import AddProvider, ChangeProvider, GroupRole, OneProvider
from aimass.access.service.access import Access
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import ANYWHERE
from aimass.web import Visit, page_router

router = page_router()
Switch = Annotated[bool, Form()]
PATH = "/settings/single-sign-on"
_WORDS = 3


@router.get(PATH)
def providers(visit: Visit) -> Response:
    """List the identity providers.

    The question: by which company accounts can people sign in here, and are new people let in?
    """
    visit.who.need(READ, ANYWHERE)
    found = visit.get(Access).list_providers(visit.who)
    more = {"may_manage": manages_platform(visit)}
    return visit.render("access/providers.html", parts={"providers": "access/_providers.html"}, found=found, **more)


class Wish(BaseModel):
    """The form of a provider; an empty secret leaves the present one."""

    name: str
    issuer: str = ""
    client_id: str
    client_secret: str = ""
    scopes: str = "openid profile email"
    groups_claim: str = "groups"
    new_people: bool = False
    group_roles: str = ""


@router.post(PATH)
def add(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Add a provider, and show what it has to know of us."""
    command = AddProvider(
        name=wish.name,
        issuer=wish.issuer,
        client_id=wish.client_id,
        client_secret=wish.client_secret,
        new_people=wish.new_people,
        group_roles=group_roles_of(wish.group_roles),
    )
    made = visit.get(Access).add_provider(visit.who, command)
    return visit.go(f"{PATH}/{made.slug}", toast=visit.say("%(name)s was added", name=made.name))


@router.get(f"{PATH}/{{provider}}")
def provider(visit: Visit, provider: str) -> Response:
    """Show one provider.

    The question: what does this provider have to know of us, and which roles do its groups bring?
    """
    visit.who.need(READ, ANYWHERE)
    found = visit.get(Access).get_provider(visit.who, OneProvider(provider=provider))
    return visit.render("access/provider.html", found=found, may_manage=manages_platform(visit))


@router.post(f"{PATH}/{{provider}}")
def change(visit: Visit, provider: str, wish: Annotated[Wish, Form()]) -> Response:
    """Change a provider; an empty secret leaves the present one."""
    command = ChangeProvider(
        provider=provider,
        name=wish.name,
        client_id=wish.client_id,
        client_secret=wish.client_secret or None,
        scopes=wish.scopes.split(),
        groups_claim=wish.groups_claim,
        new_people=wish.new_people,
        group_roles=group_roles_of(wish.group_roles),
    )
    visit.get(Access).change_provider(visit.who, command)
    return visit.done(visit.say("Saved; roles count from the next sign-in"))


@router.post(f"{PATH}/{{provider}}/enabled")
def switch(visit: Visit, provider: str, enabled: Switch) -> Response:
    """Offer a provider on the page to sign in, or not."""
    found = visit.get(Access).change_provider(visit.who, ChangeProvider(provider=provider, enabled=enabled))
    said = visit.say("%(name)s is offered", name=found.name)
    return visit.done(said if enabled else visit.say("%(name)s is not offered any more", name=found.name))


@router.post(f"{PATH}/{{provider}}/check")
def check(visit: Visit, provider: str) -> Response:
    """Ask a provider now who it is."""
    found = visit.get(Access).check_provider(visit.who, OneProvider(provider=provider))
    return visit.done(visit.say("It answers, with %(n)s signing keys", n=found.signing_keys))


@router.delete(f"{PATH}/{{provider}}")
def remove(visit: Visit, provider: str) -> Response:
    """Remove a provider."""
    visit.get(Access).remove_provider(visit.who, OneProvider(provider=provider))
    return visit.go(PATH, toast=visit.say("The identity provider was removed"))


def group_roles_of(text: str) -> list[GroupRole]:
    """Read the lines of the form: group, role and workspace.

    Examples
    --------
    >>> group_roles_of("ml team, editor, demo")
    [GroupRole(group='ml team', role='editor', workspace='demo')]
    """
    found: list[GroupRole] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        words = [word.strip() for word in line.split(",")]
        if len(words) != _WORDS:
            raise Invalid(f"{line!r} is not group, role, workspace", field="group_roles", value=line)
        found.append(GroupRole(group=words[0], role=words[1], workspace=words[2]))
    return found
