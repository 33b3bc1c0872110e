"""API keys of a workspace."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.access.console.forms import MANAGE, with_refresh
from aimass.access.domain.keys import ChangeKey, CreateKey, Key, KeyQuota, ListKeys, ListServices, OneKey, RotateKey
from aimass.access.domain.roles import highest
from aimass.access.service.access import Access
from aimass.kernel.errors import Invalid
from aimass.web import PageVisit, Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
PATH = "/{workspace}/settings/keys"
SOON = timedelta(days=14)
LIVES = ("30", "90", "365", "")
SHOWN = 200
HOUR_S = 3600


@router.get(PATH)
def keys(visit: Visit, cursor: str | None = None, q: str = "", state: str = "") -> Response:
    """List the API keys.

    The question: which programs can call us, with what rights, and which of their keys ends soon or is not used?
    """
    access, place = visit.get(Access), visit.workspace
    page = access.list_keys(visit.who, ListKeys(workspace=place, limit=SHOWN, cursor=cursor))
    now = visit.console.setup.clock.now()
    hits = [key for key in page.items if q.casefold() in f"{key.name} {key.owner}".casefold()]
    every = [(key, highest(key.scopes), state_of(key, now)) for key in hits]
    shown = [row for row in every if row[2] == state or (not state and row[2] != "REVOKED")]
    services = (
        access.list_services(visit.who, ListServices(workspace=place, limit=SHOWN)).items
        if visit.allows(MANAGE)
        else []
    )
    return visit.render(
        "access/keys.html",
        parts={"keys": "access/_keys.html"},
        found=list(reversed(shown)),
        next=page.next,
        total=len(page.items),
        services=services,
        calls=_calls(visit),
        q=q,
    )


def _calls(visit: PageVisit) -> dict[str, float]:
    """Return how many calls an hour the owner of a key makes of services, as far as some room counts them."""
    told = visit.panels("gateway.consumers", window_s=HOUR_S)
    return {name: figures["rpm"] * 60 for found in told for name, figures in found.items()}


class KeyForm(BaseModel):
    """What the form about a new key holds."""

    name: str
    rights: Literal["call", "read", "all", "some"]
    owner: str = ""
    scopes: str = ""
    days: str = ""
    daily_quota: KeyQuota = 0


@router.post(PATH)
def create(visit: Visit, wish: Annotated[KeyForm, Form()]) -> Response:
    """Make a key and show its text, this once."""
    if wish.days and not wish.days.isdecimal():
        raise Invalid(f"{wish.days!r} is no number of days", field="days", value=wish.days)
    command = CreateKey(
        workspace=visit.workspace,
        name=wish.name,
        service=wish.owner or None,
        scopes=scopes_of(wish.rights, wish.scopes),
        days=int(wish.days) if wish.days else None,
        daily_quota=wish.daily_quota,
    )
    made = visit.get(Access).create_key(visit.who, command)
    return with_refresh(visit.render("access/_new_key.html", made=made, to_close=True))


@router.post(f"{PATH}/{{key}}/quota")
def set_quota(visit: Visit, key: str, daily_quota: Annotated[KeyQuota, Form()]) -> Response:
    """Change how many requests a key may send in a day."""
    wish = ChangeKey(workspace=visit.workspace, key=key, daily_quota=daily_quota)
    name = visit.get(Access).change_key(visit.who, wish).name
    return visit.done(visit.say("The daily quota of %(name)s was changed", name=name))


@router.post(f"{PATH}/{{key}}/rotate")
def rotate(visit: Visit, key: str, grace_s: Annotated[int, Form()] = 0) -> Response:
    """Replace a key by a new one with the same rights and show its text, this once."""
    made = visit.get(Access).rotate_key(visit.who, RotateKey(workspace=visit.workspace, key=key, grace_s=grace_s))
    return with_refresh(visit.render("access/_new_key.html", made=made, to_close=False))


@router.delete(f"{PATH}/{{key}}")
def revoke(visit: Visit, key: str) -> Response:
    """Stop a key at once."""
    visit.get(Access).revoke_key(visit.who, OneKey(workspace=visit.workspace, key=key))
    return visit.done(visit.say("The key was revoked; the gateway refuses it within a second"))


def state_of(key: Key, now: datetime) -> str:
    """Return the state of a key, as the console names states."""
    if key.revoked_at is not None:
        return "REVOKED" if key.revoked_at <= now else "WARNING"
    if key.expires_at is None:
        return "ACTIVE"
    if key.expires_at <= now:
        return "EXPIRED"
    return "WARNING" if key.expires_at - now <= SOON else "ACTIVE"


def scopes_of(rights: str, text: str) -> list[str] | None:
    """Return the scopes that a choice stands for; None is everything that the owner may do.

    Examples
    --------
    >>> scopes_of("call", ""), scopes_of("some", "lake.read, serving.use"), scopes_of("all", "")
    (['serving.use'], ['lake.read', 'serving.use'], None)
    """
    named = [word for word in text.replace(",", " ").split() if word]
    if rights == "some" and not named:
        raise Invalid("name at least one permission", field="scopes", hint="for example lake.read, serving.use")
    return {"call": ["serving.use"], "read": ["*.read"], "some": named}.get(rights)
