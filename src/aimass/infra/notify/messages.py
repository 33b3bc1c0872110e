"""What can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A letter in plain text."""

    to: str
    subject: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A JSON document for an address; with a secret it is signed, so that the receiver knows who sent it."""

    url: str
    body: Mapping[str, Any]
    secret: str | None = field(default=None, repr=False)


Message = Mail | Webhook
