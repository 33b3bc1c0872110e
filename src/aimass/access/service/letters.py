"""The letters that the room sends; they go out only where mail is set up."""

from __future__ import annotations

from dataclasses import dataclass

from aimass.access.domain.people import Link
from aimass.kernel.clock import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Subject and text of a mail."""

    subject: str
    text: str


def invitation_letter(link: Link, public_url: str) -> Letter:
    """Write the letter to a person who is invited."""
    return Letter(subject="Your invitation to AI Mass", text=_text("You are invited to AI Mass.", link, public_url))


def reset_letter(link: Link, public_url: str) -> Letter:
    """Write the letter to a person who lost the password."""
    text = _text("Somebody asked for a new password for your account. If it was not you, do nothing.", link, public_url)
    return Letter(subject="A new password for AI Mass", text=text)


def _text(opening: str, link: Link, public_url: str) -> str:
    return (
        f"Hello {link.name},\n\n{opening}\n\n"
        f"Choose a password here:\n{public_url.rstrip('/')}{link.path}\n\n"
        f"The link works once, until {instant(link.expires_at)}.\n"
    )
