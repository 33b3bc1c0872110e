"""Identity providers: who may vouch for people (OpenID Connect), and which roles their groups bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import MaxLen, doc

from aimass.access.domain.people import PersonName
from aimass.kernel.errors import Unauthenticated

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519"]
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LEEWAY_S = 60
_FRESH_S = 300
_LONGEST_SUBJECT = 255

ProviderSlug = Annotated[str, MaxLen(63), doc("slug of the identity provider")]
Issuer = Annotated[str, MaxLen(500), doc("address of the provider, as it stands in its tokens")]
GroupsClaim = Annotated[str, MaxLen(100), doc("claim that lists the groups of a person")]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRole:
    """Whoever is in a group of the provider has a role here."""

    group: Annotated[str, MaxLen(255), doc("group as the provider names it")]
    role: Annotated[str, doc("role that its people have")]
    workspace: Annotated[str, doc("workspace, or * for the whole platform")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider; its secret is never shown."""

    slug: str
    name: str
    issuer: str
    client_id: str
    scopes: list[str]
    groups_claim: str
    new_people: bool
    enabled: bool
    group_roles: list[GroupRole]
    redirect_uri: str
    logout_uri: str
    created_at: datetime
    version: int


def _usual_scopes() -> list[str]:
    return ["openid", "profile", "email"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddProvider:
    """Let people sign in by an identity provider (OpenID Connect)."""

    name: Annotated[str, doc("what the button on the page to sign in says")]
    issuer: Issuer
    client_id: Annotated[str, MaxLen(255), doc("name under which the provider knows this platform")]
    client_secret: Annotated[str, MaxLen(1024), doc("secret that the provider gave for it")] = field(repr=False)
    scopes: Annotated[list[str], doc("what the provider is asked for")] = field(default_factory=_usual_scopes)
    groups_claim: GroupsClaim = "groups"
    new_people: Annotated[bool, doc("make an account for whoever the provider vouches for")] = False
    group_roles: Annotated[list[GroupRole], doc("roles by group")] = field(default_factory=list[GroupRole])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProvider:
    """Change an identity provider; what is not named stays."""

    provider: ProviderSlug
    name: Annotated[str | None, doc("what the button says")] = None
    client_id: Annotated[str | None, MaxLen(255), doc("name under which the provider knows this platform")] = None
    client_secret: Annotated[str | None, MaxLen(1024), doc("new secret")] = field(default=None, repr=False)
    scopes: Annotated[list[str] | None, doc("what the provider is asked for")] = None
    groups_claim: Annotated[str | None, MaxLen(100), doc("claim that lists the groups")] = None
    new_people: Annotated[bool | None, doc("make accounts for new people")] = None
    enabled: Annotated[bool | None, doc("offer it on the page to sign in")] = None
    group_roles: Annotated[list[GroupRole] | None, doc("roles by group, all of them")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneProvider:
    """Name one identity provider."""

    provider: ProviderSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCheck:
    """What a provider says of itself at this moment."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    signing_keys: int
    offers_logout: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person as an identity provider knows him."""

    provider: str
    issuer: str
    subject: str
    user: str
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkIdentity:
    """Let somebody whom the provider vouches for in as this person."""

    user: PersonName
    provider: ProviderSlug
    subject: Annotated[str, MaxLen(255), doc("the provider's own id of the person, the claim 'sub'")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkIdentity:
    """Do not let a provider vouch for this person any more."""

    user: PersonName
    provider: ProviderSlug


def need_id_token(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: float) -> None:
    """Refuse a token that is not for us, not of this sign-in, or not of now (OpenID Connect Core, section 3.1.3.7).

    Examples
    --------
    >>> good = {"iss": "https://id", "aud": "me", "sub": "1", "nonce": "n", "iat": 100, "exp": 200}
    >>> need_id_token(good, "https://id", "me", "n", 150.0)
    >>> need_id_token(good, "https://id", "me", "other", 150.0)
    Traceback (most recent call last):
        ...
    aimass.kernel.errors.Unauthenticated: the provider's token does not fit: nonce
    """
    _need_ours(claims, issuer, client_id, now)
    azp = claims.get("azp")
    faults = [
        name
        for name, is_wrong in (
            ("nonce", not nonce or claims.get("nonce") != nonce),
            ("azp", azp not in (None, client_id) or (azp is None and len(_audience(claims)) > 1)),
            ("sub", not isinstance(claims.get("sub"), str) or not 0 < len(str(claims.get("sub"))) <= _LONGEST_SUBJECT),
            ("exp", not _number(claims.get("exp")) or claims["exp"] + LEEWAY_S <= now),
        )
        if is_wrong
    ]
    _refuse(faults)


def need_logout_token(claims: Mapping[str, Any], issuer: str, client_id: str, now: float) -> None:
    """Refuse a token that does not ask us to end sessions (OpenID Connect Back-Channel Logout, section 2.6)."""
    _need_ours(claims, issuer, client_id, now)
    events = claims.get("events")
    faults = [
        name
        for name, is_wrong in (
            ("events", not isinstance(events, dict) or LOGOUT not in events),
            ("nonce", "nonce" in claims),
            ("sub", not (claims.get("sub") or claims.get("sid"))),
            ("iat", not _number(claims.get("iat")) or claims["iat"] + _FRESH_S <= now),
        )
        if is_wrong
    ]
    _refuse(faults)


def groups_in(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the groups that a claim lists; one group may stand alone.

    Examples
    --------
    >>> sorted(groups_in({"groups": ["ops", "data", 3]}, "groups")), groups_in({"role": "ops"}, "role")
    (['data', 'ops'], frozenset({'ops'}))
    """
    value = claims.get(name)
    found: Iterable[Any] = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
    return frozenset(one for one in found if isinstance(one, str))


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """Return the mail address, if the provider says that it is really the person's."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None


def _need_ours(claims: Mapping[str, Any], issuer: str, client_id: str, now: float) -> None:
    issued = claims.get("iat")
    faults = [
        name
        for name, is_wrong in (
            ("iss", claims.get("iss") != issuer),
            ("aud", client_id not in _audience(claims)),
            ("iat", not _number(issued) or (_number(issued) and float(issued or 0) > now + LEEWAY_S)),
        )
        if is_wrong
    ]
    _refuse(faults)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise Unauthenticated(f"the provider's token does not fit: {faults[0]}", hint="sign in again", value=faults[0])


def _audience(claims: Mapping[str, Any]) -> list[Any]:
    value = claims.get("aud")
    return list(value) if isinstance(value, list) else [value]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
