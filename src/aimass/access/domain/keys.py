"""Service accounts and API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, doc

from aimass.access.domain.members import Permission, WorkspaceSlug
from aimass.access.domain.people import Cursor, Limit

_TEN_YEARS = 3660
_MOST_A_DAY = 1_000_000_000

KeyQuota = Annotated[int, Ge(0), Le(_MOST_A_DAY), doc("requests to models and services in a day (UTC); 0 for no limit")]


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
class CreateService:
    """Make a service account; give it roles as you give them to a person."""

    workspace: WorkspaceSlug
    name: Annotated[str, doc("any name")]
    role: Annotated[str | None, doc("role on the workspace from the start")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListServices:
    """List the service accounts of a workspace."""

    workspace: WorkspaceSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneService:
    """Name one service account."""

    workspace: WorkspaceSlug
    service: Annotated[str, doc("slug of the service account")]


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
class NewKey:
    """A new API key; its text is shown only here."""

    key: Key
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """Make an API key for yourself, or for a service account."""

    workspace: WorkspaceSlug
    name: Annotated[str, doc("what the key is for")]
    service: Annotated[str | None, doc("slug of a service account that shall own the key")] = None
    scopes: Annotated[list[Permission] | None, doc("permissions of the key; all that its owner has when absent")] = None
    days: Annotated[int | None, Ge(1), Le(_TEN_YEARS), doc("days until it expires; never when absent")] = None
    daily_quota: KeyQuota = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKeys:
    """List API keys: the own ones, or all of the workspace for its administrators."""

    workspace: WorkspaceSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneKey:
    """Name one key."""

    workspace: WorkspaceSlug
    key: Annotated[str, doc("id of the key")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKey:
    """Change how many requests a day a key may send; its text and its rights stay."""

    workspace: WorkspaceSlug
    key: Annotated[str, doc("id of the key")]
    daily_quota: KeyQuota


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """Replace a key by a new one with the same rights and the same daily quota."""

    workspace: WorkspaceSlug
    key: Annotated[str, doc("id of the key")]
    grace_s: Annotated[int, Ge(0), Le(30 * 86400), doc("seconds for which the old key still works")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKey:
    """What the data plane needs to know of a key.

    Attributes
    ----------
    use, edit
        Endpoints that it may call, and that it may load and unload; a star for every one of its workspace.
    routes
        Routes to services that it may use; a star for every one of its workspace.
    daily_quota
        Requests to models and services in a day of UTC; 0 for no limit.
    """

    sha256: str
    id: str
    consumer: str
    workspace: str
    use: list[str]
    edit: list[str]
    routes: list[str]
    expires_at: float | None
    daily_quota: int
