"""A device that a person signed in by a code: getting its tokens, keeping them fresh, giving them back."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from aimass._version import __version__
from aimass.client.settings import DeviceTokens, alone, keep_device, saved_device
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Failed, Unauthenticated, Unavailable

CLIENT = "aimass-cli"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_EARLY_S, _SPELL_S = 30.0, 60.0
_HASTE_S = 5
_REFUSED, _FAULT, _BUSY = 401, 500, 429
_AGAIN = "sign in again: aimass login --device"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person needs to let this device in.

    Attributes
    ----------
    page, address
        Where he types the code, and the address that has it filled in already.
    """

    user_code: str
    page: str
    address: str
    expires_in_s: int


def sign_in_by_device(url: str, told: Callable[[DeviceCode], None], *, verify: Any = True) -> DeviceTokens:
    """Ask to be let in, tell the code, and wait until a person allowed it.

    Parameters
    ----------
    url
        Address of the platform.
    told
        Called once with the code that the person types at the console.
    """
    with _http(url, verify) as http:
        asked = _answer(_reached(http, "/oauth2/device_authorization"))
        told(
            DeviceCode(
                user_code=asked["user_code"],
                page=asked["verification_uri"],
                address=asked["verification_uri_complete"],
                expires_in_s=asked["expires_in"],
            )
        )
        end, interval = time.monotonic() + asked["expires_in"], float(asked.get("interval", _HASTE_S))
        while time.monotonic() < end:
            time.sleep(interval)
            try:
                answer = _post(http, "/oauth2/token", grant_type=_DEVICE_CODE, device_code=asked["device_code"])
            except httpx2.TransportError:
                continue  # the platform may come back before the code ends
            word = _word(answer)
            if word == "slow_down":
                interval += _HASTE_S
            elif word != "authorization_pending" and answer.status_code < _FAULT:
                return _tokens(_answer(answer))
    raise Unauthenticated("nobody allowed the device in time", hint=_AGAIN)


def sign_device_out(url: str, tokens: DeviceTokens, *, verify: Any = True) -> None:
    """Sign this device out at the platform."""
    with _http(url, verify) as http:
        _answer(_reached(http, "/oauth2/revoke", token=tokens.refresh_token))


@dataclass
class DeviceAuth(httpx2.Auth):
    """Sends the token of this device, and a fresh one when its time is over or it was refused.

    The tokens live in the file of ``aimass login``. A refresh token counts once, so whoever wants a fresh one holds a lock and looks
    first whether another process has brought it meanwhile.
    """

    url: str
    workspace: str | None = None
    verify: Any = True
    _tokens: DeviceTokens | None = field(default=None, repr=False)
    _renewed_at: float = field(default=-_SPELL_S, repr=False)

    def sync_auth_flow(self, request: httpx2.Request) -> Iterator[httpx2.Request]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send a request with the token; once more with a fresh one when it is refused."""
        sent = self._token("")
        response = yield self._signed(request, sent)
        if self._is_worth_another(response):
            yield self._signed(request, self._token(sent))

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncIterator[httpx2.Request]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Do the same for asyncio; waiting for the lock and the platform happens in a thread."""
        sent = await asyncio.to_thread(self._token, "")
        response = yield self._signed(request, sent)
        if self._is_worth_another(response):
            yield self._signed(request, await asyncio.to_thread(self._token, sent))

    def _signed(self, request: httpx2.Request, token: str) -> httpx2.Request:
        request.headers["Authorization"] = f"Bearer {token}"
        if self.workspace:
            request.headers["X-AIMass-Workspace"] = self.workspace
        return request

    def _is_worth_another(self, response: httpx2.Response) -> bool:
        """Tell whether a fresh token may help: not when one came a moment ago, nor when the body is gone already."""
        is_old = time.monotonic() - self._renewed_at > _SPELL_S
        return response.status_code == _REFUSED and is_old and isinstance(response.request.stream, httpx2.ByteStream)

    def _token(self, refused: str) -> str:
        """Return a token that counts and is not the one that was refused."""
        if _counts(self._tokens, refused):
            return self._tokens.access_token  # pyright: ignore[reportOptionalMemberAccess]
        with alone():
            self._tokens = saved_device(self.url)
            if self._tokens is None:
                raise Unauthenticated("this device was signed out", hint=_AGAIN)
            if not _counts(self._tokens, refused):
                self._tokens = self._renewed(self._tokens)
                keep_device(self.url, self._tokens)
                self._renewed_at = time.monotonic()
        return self._tokens.access_token

    def _renewed(self, old: DeviceTokens) -> DeviceTokens:
        with _http(self.url, self.verify) as http:
            fields = {"grant_type": "refresh_token", "refresh_token": old.refresh_token}
            try:
                answer = _post(http, "/oauth2/token", **fields)
            except httpx2.ReadError:
                answer = _post(http, "/oauth2/token", **fields)  # the answer was lost: the platform gives it once more
        return _tokens(_answer(answer))


def _counts(tokens: DeviceTokens | None, refused: str) -> bool:
    if tokens is None or tokens.access_token == refused:
        return False
    return (tokens.expires_at - SystemClock().now()).total_seconds() > _EARLY_S


def _tokens(document: dict[str, Any]) -> DeviceTokens:
    end = SystemClock().now() + timedelta(seconds=float(document["expires_in"]))
    return DeviceTokens(access_token=document["access_token"], refresh_token=document["refresh_token"], expires_at=end)


def _http(url: str, verify: Any) -> httpx2.Client:
    host = platform.node().encode("ascii", "replace").decode() or "?"
    agent = f"{CLIENT}/{__version__} ({host}; {platform.system()})"
    return httpx2.Client(base_url=url, headers={"User-Agent": agent}, timeout=30.0, verify=verify)


def _post(http: httpx2.Client, path: str, **fields: str) -> httpx2.Response:
    return http.post(path, data={"client_id": CLIENT, **fields})


def _reached(http: httpx2.Client, path: str, **fields: str) -> httpx2.Response:
    try:
        return _post(http, path, **fields)
    except httpx2.TransportError as reason:
        hint = "start it with 'aimass up', or give another --url"
        raise Unavailable(f"no platform answers at {str(http.base_url).rstrip('/')}", hint=hint) from reason


def _word(answer: httpx2.Response) -> str:
    try:
        return str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        return ""


def _answer(answer: httpx2.Response) -> dict[str, Any]:
    """Return what a door of OAuth answers, or raise what it complains of."""
    word = _word(answer)
    if answer.is_success:
        return answer.json()
    if answer.status_code >= _FAULT or answer.status_code == _BUSY:
        raise Unavailable(f"the platform answered {answer.status_code}", hint="try again in a moment")
    if not word:
        raise Failed(f"the platform answered {answer.status_code}", hint="is this the address of a platform?")
    raise Unauthenticated(str(answer.json().get("error_description") or word), hint=_AGAIN)
