"""The keys that sign tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response

from aimass.access.console.forms import READ, manages_platform
from aimass.access.domain.tokens import RotateTokenKey
from aimass.access.service.access import Access
from aimass.kernel.principal import ANYWHERE
from aimass.web import Visit, page_router

router = page_router()
PATH = "/settings/token-keys"


@router.get(PATH)
def token_keys(visit: Visit) -> Response:
    """List the keys that sign tokens.

    The question: which key signs our tokens, how old is it, and how do I replace it when it leaked?
    """
    visit.who.need(READ, ANYWHERE)
    access = visit.get(Access)
    found = access.list_token_keys(visit.who)
    more = {"issuer": access.token_issuer, "may_manage": manages_platform(visit)}
    return visit.render("access/token_keys.html", parts={"token-keys": "access/_token_keys.html"}, found=found, **more)


@router.post(PATH)
def rotate(visit: Visit, leaked: Annotated[bool, Form()] = False) -> Response:
    """Sign tokens with a new key from now on."""
    visit.get(Access).rotate_token_key(visit.who, RotateTokenKey(leaked=leaked))
    said = (
        visit.say("A new key signs; tokens of the old ones are refused")
        if leaked
        else visit.say("A new key signs; tokens of the old one count to their end")
    )
    return visit.done(said)
