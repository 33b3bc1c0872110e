"""Workspaces, members, roles, groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, doc

from aimass.access.domain.people import Cursor, Limit

ReviewPolicy = Literal["auto", "person"]
SubjectKind = Literal["user", "group", "service"]
WorkspaceSlug = Annotated[str, MaxLen(63), doc("slug of the workspace")]
Permission = Annotated[str, MaxLen(80)]


RESERVED = frozenset(
    [
        "accept",
        "api",
        "console",
        "device",
        "endpoints",
        "forgot",
        "health",
        "healthz",
        "invocations",
        "login",
        "logout",
        "metrics",
        "mlflow",
        "oauth2",
        "operate",
        "ping",
        "readyz",
        "reset",
        "s",
        "settings",
        "static",
        "v2",
        "version",
    ]
)
"""First words of addresses that are no workspace, so that no workspace may be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The one level of tenancy: members, quota and secrets belong to it.

    Attributes
    ----------
    review
        ``person``: every model version waits for a person who is not its author; ``auto``: a version whose checks
        all pass is approved by the policy.
    """

    slug: str
    name: str
    review: ReviewPolicy
    settings: dict[str, Any]
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWorkspace:
    """Create a workspace; its creator becomes its administrator."""

    name: Annotated[str, doc("any name")]
    slug: Annotated[str | None, doc("short name for addresses; made from the name when absent")] = None
    review: Annotated[ReviewPolicy, doc("who approves model versions")] = "person"
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWorkspaces:
    """List the workspaces that the caller knows."""

    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWorkspace:
    """Name one workspace."""

    workspace: WorkspaceSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeleted:
    """List the workspaces that were deleted and are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreWorkspace:
    """Which deleted workspace is to come back."""

    deleted: WorkspaceSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedWorkspace:
    """A workspace that was deleted, and when its data goes for good."""

    slug: str
    name: str
    deleted_at: datetime
    goes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWorkspace:
    """Change name, review policy or settings; given settings are merged, and ``null`` removes one."""

    workspace: WorkspaceSlug
    name: Annotated[str | None, doc("new name")] = None
    review: Annotated[ReviewPolicy | None, doc("who approves model versions")] = None
    settings: dict[str, Any] | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One role of one subject, on a workspace or on one object of it."""

    grant: str
    kind: SubjectKind
    id: str
    name: str
    role: str
    object: str | None
    since: datetime


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
class GiveRole:
    """Give a role to a user, a group or a service account; name exactly one of the three."""

    workspace: Annotated[str, MaxLen(63), doc("workspace, or * for the whole platform")]
    role: Annotated[str, doc("viewer, analyst, editor, operator, reviewer, admin, or a role of the workspace")]
    user: Annotated[str | None, doc("name or id of the person")] = None
    group: Annotated[str | None, doc("slug of the group")] = None
    service: Annotated[str | None, doc("slug of the service account")] = None
    object: Annotated[str | None, MaxLen(150), doc("one object only, for example endpoint:churn")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRole:
    """Take a role away."""

    workspace: Annotated[str, MaxLen(63), doc("workspace, or * for the whole platform")]
    grant: Annotated[str, doc("id of the grant")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMembers:
    """List who has which role."""

    workspace: Annotated[str, MaxLen(63), doc("workspace, or * for the whole platform")]
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRole:
    """Make a role of a workspace."""

    workspace: WorkspaceSlug
    name: Annotated[str, doc("any name")]
    permissions: Annotated[list[Permission], doc("for example lake.edit; lower verbs are included")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRole:
    """Remove a role of a workspace that nobody holds any more."""

    workspace: WorkspaceSlug
    role: Annotated[str, doc("slug of the role")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """A role as it is shown."""

    slug: str
    name: str
    built_in: bool
    permissions: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People who get roles together."""

    slug: str
    name: str
    members: list[str]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGroup:
    """Make a group."""

    name: Annotated[str, doc("any name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneGroup:
    """Name one group."""

    group: Annotated[str, doc("slug of the group")]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """Name a person of a group."""

    group: Annotated[str, doc("slug of the group")]
    user: Annotated[str, doc("name or id of the person")]
