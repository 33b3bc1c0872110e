"""Objects of access. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person with an account on this platform."""

    id: str
    name: str
    email: str | None
    state: Literal["invited", "active", "disabled"]
    second_factor: bool
    created_at: datetime
    last_seen_at: datetime | None
    version: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRole:
    """Whoever is in a group of the provider has a role here."""

    group: str
    role: str
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People who get roles together."""

    slug: str
    name: str
    members: list[str]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key; of its text only the start is known."""

    id: str
    name: str
    prefix: str
    workspace: str
    owner_kind: Literal["user", "service"]
    owner: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    daily_quota: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The one level of tenancy: members, quota and secrets belong to it."""

    slug: str
    name: str
    review: Literal["auto", "person"]
    settings: dict[str, Any]
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCheck:
    """What a provider says of itself at this moment."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    signing_keys: int
    offers_logout: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """Codes that replace the authenticator once each; shown only here."""

    codes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A new API key; its text is shown only here."""

    key: Key
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that lets one person in once; the token is shown only here."""

    id: str
    user: str
    name: str
    kind: Literal["invitation", "reset"]
    expires_at: datetime
    path: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """A role as it is shown."""

    slug: str
    name: str
    built_in: bool
    permissions: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An account for a machine."""

    id: str
    slug: str
    name: str
    workspace: str
    enabled: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Something that waits for a decision, or was decided."""

    id: str
    workspace: str
    subject: str
    reason: str
    permission: str
    state: Literal["pending", "approved", "rejected", "withdrawn"]
    author: str
    author_name: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What the authenticator needs; shown only here."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStretch:
    """Rows as they are hashed: ``hash = SHA-256(hash before it + row)``, first before: 64 zeros."""

    before: str
    rows: list[AuditLine]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One sealed row: its canonical text and its hash."""

    seq: int
    row: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One role of one subject, on a workspace or on one object of it."""

    grant: str
    kind: Literal["user", "group", "service"]
    id: str
    name: str
    role: str
    object: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed token (JWT) for SDK and command line."""

    expires_in_s: int
    token_type: Literal["Bearer"] = "Bearer"
    access_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person as an identity provider knows him."""

    provider: str
    issuer: str
    subject: str
    user: str
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when; ``hash`` is None until the sealer has bound the row."""

    seq: int
    id: str
    time: datetime
    actor_id: str
    actor: str
    actor_kind: str
    workspace: str
    action: str
    object: str
    detail: dict[str, Any]
    hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedWorkspace:
    """A workspace that was deleted, and when its data goes for good."""

    slug: str
    name: str
    deleted_at: datetime
    goes_at: datetime


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
class Invitation:
    """An invitation that waits."""

    id: str
    user: str
    name: str
    workspace: str
    role: str | None
    invited_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """One role that a person holds; ``group`` names the group through which."""

    grant: str
    workspace: str
    role: str
    object: str | None
    group: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of a person."""

    id: str
    agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A key that signs tokens, or signed them; its private half never leaves the platform."""

    id: str
    made_at: datetime
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits to be let in."""

    client: str
    agent: str
    address: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session; the token is shown only here."""

    session: str
    user: str
    name: str
    expires_at: datetime
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a verification found."""

    ok: bool
    rows: int
    sealed: int
    heads: int
    broken_row: int | None = None
    reason: str = ""
    head: str = "0000000000000000000000000000000000000000000000000000000000000000"
    head_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAmI:
    """Who is signed in, and what he may do where."""

    id: str
    name: str
    kind: str
    administrator: bool
    second_factor: bool
    workspaces: list[MyWorkspace]


@dataclass(frozen=True, slots=True, kw_only=True)
class MyWorkspace:
    """A workspace that the caller knows, with his permissions on all of it."""

    slug: str
    name: str
    permissions: list[str]
