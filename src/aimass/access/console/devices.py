"""Letting a device in by the code that it shows, and the list of the own devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response

from aimass.access.domain.devices import LookAtDevice, OneDevice
from aimass.access.errors import LockedOut
from aimass.access.service.access import Access
from aimass.kernel.errors import NotFound
from aimass.web import Visit, page_router

router = page_router()
Code = Annotated[str, Form()]
PATH, PROFILE = "/device", "/settings/profile"


@router.get(PATH)
def device(visit: Visit, user_code: str = "") -> Response:
    """Ask for the code of a device, and show who asks.

    The question: which program wants to act as me, from where, and do I let it?
    """
    asked, error = None, None
    if user_code:
        try:
            asked = visit.get(Access).look_at_device(visit.who, LookAtDevice(user_code=user_code[:40]))
        except (NotFound, LockedOut) as reason:
            error = reason
    told = None if error is None else error.problem()
    status = 200 if error is None else error.status
    return visit.render("access/device.html", status=status, asked=asked, user_code=user_code[:40], error=told)


@router.post(f"{PATH}/allow")
def allow(visit: Visit, user_code: Code) -> Response:
    """Sign the device in."""
    visit.get(Access).allow_device(visit.who, LookAtDevice(user_code=user_code))
    return visit.go(PROFILE, toast=visit.say("The device is signed in as you; you can end that here"))


@router.post(f"{PATH}/deny")
def deny(visit: Visit, user_code: Code) -> Response:
    """Refuse the device."""
    visit.get(Access).deny_device(visit.who, LookAtDevice(user_code=user_code))
    return visit.go(PROFILE, toast=visit.say("The device was refused"))


@router.delete(f"{PROFILE}/devices/{{device}}")
def end(visit: Visit, device: str) -> Response:
    """Sign one of the own devices out."""
    visit.get(Access).end_device(visit.who, OneDevice(device=device))
    return visit.done(visit.say("The device was signed out"))
