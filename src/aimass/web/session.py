"""Signed cookies of the console: the session, and the double-submitted token against request forgery."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from fastapi import Request, Response

from aimass.kernel.errors import Forbidden

SESSION_COOKIE = "aimass_session"
CSRF_COOKIE = "aimass_csrf"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs short texts with the console's secret, each for one purpose.

    Examples
    --------
    >>> signer = Signer(secret=b"0" * 32)
    >>> signed = signer.sign("session", "01J")
    >>> signer.read("session", signed), signer.read("csrf", signed), signer.read("session", signed + "x")
    ('01J', None, None)
    """

    secret: bytes

    def sign(self, purpose: str, text: str) -> str:
        """Return the text with its signature."""
        return f"{text}.{self._mac(purpose, text)}"

    def read(self, purpose: str, signed: str | None) -> str | None:
        """Return the text if the signature holds, else None."""
        text, _, mac = (signed or "").rpartition(".")
        right = hmac.compare_digest(mac.encode(), self._mac(purpose, text).encode())
        return text if text and right else None

    def _mac(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self.secret, f"{purpose}\0{text}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


def session_of(request: Request, signer: Signer) -> str | None:
    """Return the id of the session the request carries, or None when there is none or it was tampered with."""
    return signer.read("session", request.cookies.get(SESSION_COOKIE))


def start_session(response: Response, signer: Signer, session: str, *, secure: bool, max_age_s: int) -> None:
    """Give the session to the browser."""
    value = signer.sign("session", session)
    response.set_cookie(
        SESSION_COOKIE, value, max_age=max_age_s, httponly=True, samesite="lax", secure=secure, path="/"
    )


def end_session(response: Response) -> None:
    """Take the session and its token away from the browser."""
    response.delete_cookie(SESSION_COOKIE, path="/")
    response.delete_cookie(CSRF_COOKIE, path="/")


def csrf_token(request: Request, signer: Signer) -> str:
    """Return the token of this browser, a new one if it has none yet."""
    kept = request.cookies.get(CSRF_COOKIE)
    if kept and signer.read("csrf", kept):
        return kept
    return signer.sign("csrf", secrets.token_urlsafe(18))


def require_csrf(request: Request, signer: Signer) -> None:
    """Refuse a changing request that does not repeat the token of its cookie in the header."""
    if request.method in SAFE_METHODS:
        return
    cookie, header = request.cookies.get(CSRF_COOKIE, ""), request.headers.get(CSRF_HEADER, "")
    if signer.read("csrf", cookie) is None or not hmac.compare_digest(cookie.encode(), header.encode()):
        raise Forbidden(
            "the request does not prove that it comes from a page of this console",
            hint=f"reload the page and try again; programs use an API key instead of a session, or send {CSRF_HEADER!r}",
        )
