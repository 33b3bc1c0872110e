"""Who acts: a person, a service account, a policy or the system, with the grants that count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from aimass.kernel.errors import Forbidden, NotFound, Unauthenticated

ANYWHERE = "*"
Kind = Literal["user", "service", "policy", "system", "anonymous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permissions on a workspace, or on one object of it.

    A permission is ``<room>.<read|use|edit|manage>`` or ``models.approve``; ``*.read`` means every room.
    An object is named ``<kind>:<slug>``, for example ``dataset:telco-churn``.
    """

    workspace: str
    permissions: frozenset[str]
    object: str | None = None

    def covers(self, permission: str, workspace: str, object_: str | None) -> bool:
        """Tell whether this grant gives the permission there."""
        if self.workspace not in (workspace, ANYWHERE):
            return False
        if self.object is not None and self.object != object_:
            return False
        return permission in self.permissions or "*." + permission.partition(".")[2] in self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The one on whose behalf a use case runs.

    Attributes
    ----------
    credential
        How he proved himself: ``session``, ``key``, ``device`` or ``token``; empty for what runs by itself.

    Examples
    --------
    >>> viewer = Principal(id="u1", name="eve", kind="user",
    ...     grants=(Grant(workspace="demo", permissions=frozenset({"*.read"})),))
    >>> viewer.allows("lake.read", "demo"), viewer.allows("lake.edit", "demo"), viewer.allows("lake.read", "other")
    (True, False, False)
    """

    id: str
    name: str
    kind: Kind
    grants: tuple[Grant, ...] = ()
    credential: str = field(default="", compare=False)

    def allows(self, permission: str, workspace: str, object_: str | None = None) -> bool:
        """Tell whether the principal may do this there."""
        return self.kind == "system" or any(g.covers(permission, workspace, object_) for g in self.grants)

    def knows(self, workspace: str) -> bool:
        """Tell whether the workspace is visible at all to the principal."""
        return self.kind == "system" or any(g.workspace in (workspace, ANYWHERE) for g in self.grants)

    def need(self, permission: str, workspace: str, object_: str | None = None) -> None:
        """Refuse what is not allowed: 401 without identity, 404 for strangers, 403 without the permission."""
        if self.kind == "anonymous":
            raise Unauthenticated("nobody is signed in", hint="send 'Authorization: Bearer <api key>' or sign in")
        if self.allows(permission, workspace, object_):
            return
        if workspace != ANYWHERE and not self.knows(workspace):
            raise NotFound(f"there is no workspace {workspace!r}", field="workspace", value=workspace)
        place = "the platform" if workspace == ANYWHERE else f"workspace {workspace!r}"
        raise Forbidden(
            f"{self.name!r} has no {permission!r} in {place}",
            value=permission,
            hint=f"ask an administrator of {place} for a role with {permission!r}",
        )


SYSTEM = Principal(id="system", name="system", kind="system")
ANONYMOUS = Principal(id="anonymous", name="anonymous", kind="anonymous")


def policy(name: str) -> Principal:
    """Return the principal of a policy that acts by itself, for example ``policy:auto``."""
    return Principal(id=f"policy:{name}", name=f"policy:{name}", kind="system")
