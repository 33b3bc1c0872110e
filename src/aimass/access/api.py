"""The token endpoint at the addresses and in the form that RFC 6749, 7009, 7662 and 8414 fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from aimass.access.domain.devices import Wish
from aimass.access.domain.tokens import REFRESH_TOKEN, Ask, Client, client_of, metadata
from aimass.access.errors import LockedOut
from aimass.access.service.access import Access
from aimass.kernel.errors import AimassError, NotFound, Unauthenticated
from aimass.kernel.principal import ANONYMOUS
from aimass.web import registry_of


class TokenFields(BaseModel):
    """The form of the token endpoint."""

    grant_type: str = ""
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""
    device_code: str = ""
    refresh_token: str = ""


router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@router.post("/oauth2/token")
def token(request: Request, fields: Annotated[TokenFields, Form()]) -> Response:
    """Exchange a key, the code of a device or a refresh token for signed tokens."""
    client = _client(request, fields.client_id, fields.client_secret)
    proof = fields.refresh_token if fields.grant_type == REFRESH_TOKEN else fields.device_code
    ask = Ask(grant_type=fields.grant_type, scope=fields.scope, proof=proof, address=_address(request))
    return _answer(lambda: _access(request).grant_token(client, ask))


@router.post("/oauth2/device_authorization")
def device(request: Request, client_id: Text = "", scope: Text = "") -> Response:
    """Give a device its codes."""
    wish = Wish(scope=scope, agent=request.headers.get("user-agent", ""), address=_address(request))
    return _answer(lambda: _access(request).begin_device(client_id, wish))


@router.post("/oauth2/introspect")
def introspect(request: Request, token: Text = "", client_id: Text = "", client_secret: Text = "") -> Response:
    """Tell what a token stands for."""
    client = _client(request, client_id, client_secret)
    return _answer(lambda: _access(request).introspect(client, token))


@router.post("/oauth2/revoke")
def revoke(request: Request, token: Text = "", client_id: Text = "", client_secret: Text = "") -> Response:
    """Take a token back."""
    client = _client(request, client_id, client_secret)
    return _answer(lambda: _access(request).revoke_token(client, token) or {})


@router.post("/oidc/{provider}/logout")
def logout(request: Request, provider: str, logout_token: Text = "") -> Response:
    """End the sessions that an identity provider names (OpenID Connect Back-Channel Logout)."""
    try:
        _access(request).end_by_provider(provider, logout_token)
    except (Unauthenticated, NotFound) as error:
        told = {"error": "invalid_request", "error_description": error.message}
        return JSONResponse(told, status_code=400, headers=_NO_STORE)
    return Response(status_code=200, headers=_NO_STORE)


@router.get("/.well-known/jwks.json")
def jwks(request: Request) -> Response:
    """Show the keys that verify our tokens."""
    return JSONResponse(_access(request).jwks(ANONYMOUS), headers={"Cache-Control": "public, max-age=300"})


@router.get("/.well-known/oauth-authorization-server")
@router.get("/.well-known/openid-configuration")
def described(request: Request) -> Response:
    """Describe the token endpoint."""
    return JSONResponse(metadata(_access(request).token_issuer))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _client(request: Request, client_id: str, client_secret: str) -> Client:
    return client_of(request.headers.get("authorization", ""), client_id, client_secret)


def _access(request: Request) -> Access:
    return registry_of(request).get(Access)


def _answer(make: Callable[[], dict[str, Any]]) -> Response:
    """Answer in the words of RFC 6749, section 5, whether it went well or not."""
    try:
        return JSONResponse(make(), headers=_NO_STORE)
    except AimassError as error:
        word = getattr(error, "oauth", None)
        if isinstance(error, LockedOut):
            word = "slow_down"
        if word is None:
            raise
        told = {"error": word, "error_description": f"{error.message}; {error.hint}".rstrip("; ")}
        headers = dict(_NO_STORE)
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = 'Basic realm="aimass"'
        if isinstance(error, LockedOut):
            headers["Retry-After"] = str(error.retry_after_s)
        return JSONResponse(told, status_code=error.status, headers=headers)
