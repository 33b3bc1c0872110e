"""Devices on which a person is signed in by a code and a refresh token (RFC 8628; RFC 6749, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import MaxLen, doc

UserCode = Annotated[str, MaxLen(40), doc("the code that the device shows, for example WDJB-MJHT")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtDevice:
    """Name the device that shows a code."""

    user_code: UserCode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits to be let in.

    Attributes
    ----------
    client, agent, address
        The program that asks, what it says of itself, and from where it asked.
    scopes
        What it may do at most; empty for whatever the person may.
    """

    client: str
    agent: str
    address: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device on which a person is signed in."""

    id: str
    client: str
    agent: str
    address: str
    scopes: list[str]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDevice:
    """Name one of the own devices."""

    device: Annotated[str, doc("id of the device")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A device that asks to be let in, as it came to the door."""

    scope: str = ""
    agent: str = ""
    address: str = ""
