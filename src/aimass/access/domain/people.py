"""People: their accounts, links, sessions and second factor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.principal import ANYWHERE

UserState = Literal["invited", "active", "disabled"]
PersonName = Annotated[str, MaxLen(255), doc("name or id of the person")]
Secret = Annotated[str, MaxLen(1024)]
Limit = Annotated[int, Ge(1), Le(500), doc("rows wanted")]
Cursor = Annotated[str | None, doc("continues an earlier page")]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person with an account on this platform."""

    id: str
    name: str
    email: str | None
    state: UserState
    second_factor: bool
    created_at: datetime
    last_seen_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteUser:
    """Invite a person; with a workspace and a role the person is a member from the start."""

    name: Annotated[str, doc("name to sign in with, often the mail address")]
    email: Annotated[str | None, MaxLen(320), doc("where the link is sent")] = None
    workspace: Annotated[str, doc("workspace, or * for the whole platform")] = ANYWHERE
    role: Annotated[str | None, doc("role in that workspace")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that lets one person in once; the token is shown only here."""

    id: str
    user: str
    name: str
    kind: Literal["invitation", "reset"]
    expires_at: datetime
    path: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInvitations:
    """List the invitations that nobody has accepted yet."""

    workspace: Annotated[str, doc("workspace, or * for the whole platform")] = ANYWHERE


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
class WithdrawInvitation:
    """Take an invitation back."""

    invitation: Annotated[str, doc("id of the invitation")]
    workspace: Annotated[str, doc("workspace, or * for the whole platform")] = ANYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class UseLink:
    """Set a password with the token of an invitation or of a reset link."""

    token: Secret = field(repr=False)
    password: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsers:
    """List the people of the platform."""

    find: Annotated[str | None, doc("letters in the name")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneUser:
    """Name one person."""

    user: PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeUser:
    """Change the name or the mail address of a person."""

    user: PersonName
    name: Annotated[str | None, doc("new name")] = None
    email: Annotated[str | None, MaxLen(320), doc("new mail address; empty text removes it")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """Change the own password; every other session ends."""

    password: Secret = field(repr=False)
    new_password: Secret = field(repr=False)
    keep: Annotated[str | None, doc("id of the session that goes on")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgotPassword:
    """Ask for a link that sets the password anew."""

    name: PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Sign in with name and password, and the code of the authenticator when the account has one."""

    name: PersonName
    password: Secret = field(repr=False)
    totp: Annotated[str | None, MaxLen(64), doc("code of the authenticator, or a recovery code")] = field(
        default=None, repr=False
    )
    agent: Annotated[str, MaxLen(255), doc("what signs in, for the list of sessions")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session; the token is shown only here."""

    session: str
    user: str
    name: str
    expires_at: datetime
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """End the session of this token."""

    token: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of a person."""

    id: str
    agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSession:
    """End one of the own sessions."""

    session: Annotated[str, doc("id of the session")]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueToken:
    """Exchange a session or an API key for a short-lived signed token."""

    credential: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed token (JWT) for SDK and command line."""

    expires_in_s: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the word of RFC 6750
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolSecondFactor:
    """Start to pair an authenticator."""

    password: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What the authenticator needs; shown only here."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmSecondFactor:
    """Prove with a code that the authenticator is paired."""

    totp: Annotated[str, MaxLen(64), doc("code of the authenticator")] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """Codes that replace the authenticator once each; shown only here."""

    codes: list[str] = field(repr=False)


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
