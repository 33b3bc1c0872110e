"""Signed tokens and the token endpoint of OAuth 2.0 (RFC 6749, 7009, 7662, 8414)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus

from annotated_types import doc

CLIENT_CREDENTIALS = "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 the word of RFC 6749
GRANTS = (CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH_TOKEN)
ALGORITHM = "Ed25519"  # EdDSA on that curve, by the name of RFC 9864
DOTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A key that signs tokens, or signed them; its private half never leaves the platform."""

    id: str
    made_at: datetime
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateTokenKey:
    """Sign tokens with a new key from now on."""

    leaked: Annotated[bool, doc("refuse the tokens of all older keys at once")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTokens:
    """What the data plane needs to check a signed token.

    Attributes
    ----------
    keys
        Public halves by id of the key, base64url.
    revoked
        Tokens that were taken back before their end, by their ``jti``.
    """

    issuer: str
    keys: dict[str, str]
    revoked: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a program sends to the token endpoint besides its own name.

    Attributes
    ----------
    proof
        The device code or the refresh token that is to be exchanged.
    address
        From where it asks.
    """

    grant_type: str = CLIENT_CREDENTIALS
    scope: str = ""
    proof: str = field(default="", repr=False)
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How a program names and proves itself at the token endpoint."""

    id: str = ""
    secret: str = field(default="", repr=False)

    @property
    def is_complete(self) -> bool:
        """Tell whether there is anything to prove."""
        return bool(self.id and self.secret)


def client_of(authorization: str, client_id: str, client_secret: str) -> Client:
    """Return the client of a request: HTTP Basic comes first, then the fields of the form (RFC 6749, section 2.3.1).

    Examples
    --------
    >>> client_of("Basic c2hvcDphaW0lNUZ4", "", "") == Client(id="shop", secret="aim_x")
    True
    >>> client_of("", "shop", "aim_x").id, client_of("Basic !", "", "").is_complete
    ('shop', False)
    """
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Client(id=client_id, secret=client_secret)
    try:
        name, _, secret = b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Client()
    return Client(id=unquote_plus(name), secret=unquote_plus(secret))


def metadata(issuer: str) -> dict[str, Any]:
    """Describe the token endpoint to clients that look for it (RFC 8414).

    Examples
    --------
    >>> metadata("https://ai.example.org")["token_endpoint"]
    'https://ai.example.org/oauth2/token'
    """
    ways = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth2/token",
        "token_endpoint_auth_methods_supported": [*ways, "none"],
        "device_authorization_endpoint": f"{issuer}/oauth2/device_authorization",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "introspection_endpoint_auth_methods_supported": ways,
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": [*ways, "none"],
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": list(GRANTS),
        "response_types_supported": [],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "subject_types_supported": ["public"],
    }
