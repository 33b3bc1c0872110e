"""Permissions, the ladder of verbs, and the built-in roles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aimass.kernel.errors import Invalid
from aimass.kernel.principal import ANYWHERE, Grant, Principal

LADDER = ("read", "use", "edit", "manage")
EVERYTHING = "*"
_PERMISSION = re.compile(r"(\*|[a-z][a-z0-9_-]*)\.(read|use|edit|manage)|models\.approve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What somebody is in a workspace: member of groups, holder of roles (through his groups too)."""

    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


def check_permission(text: str) -> str:
    """Return the permission, or refuse what is none.

    Examples
    --------
    >>> check_permission("lake.edit"), check_permission("*.read")
    ('lake.edit', '*.read')
    """
    if not _PERMISSION.fullmatch(text):
        raise Invalid(
            f"{text[:80]!r} is no permission",
            field="permissions",
            value=text[:80],
            allowed="<room>.<read|use|edit|manage>, *.<verb> or models.approve",
        )
    return text


def expand(permissions: Iterable[str]) -> frozenset[str]:
    """Add the lower rungs of the ladder: who may edit may also use and read.

    Examples
    --------
    >>> sorted(expand(["lake.edit"]))
    ['lake.edit', 'lake.read', 'lake.use']
    """
    every: set[str] = set()
    for permission in permissions:
        room, _, verb = permission.partition(".")
        every.add(permission)
        if verb in LADDER:
            every.update(f"{room}.{lower}" for lower in LADDER[: LADDER.index(verb)])
    return frozenset(every)


def highest(permissions: Iterable[str]) -> list[str]:
    """Leave the lower rungs out, for reading: the opposite of :func:`expand`.

    Examples
    --------
    >>> highest(["lake.edit", "lake.read", "lake.use", "models.approve", "*.read"])
    ['*.read', 'lake.edit', 'models.approve']
    """
    held = set(permissions)
    lower = {
        f"{room}.{rung}"
        for room, verb in (p.split(".") for p in held if "." in p)
        if verb in LADDER
        for rung in LADDER[: LADDER.index(verb)]
    }
    return sorted(held - lower)


def narrow(permissions: Iterable[str], scopes: Iterable[str]) -> frozenset[str]:
    """Keep of the permissions only what the scopes name; both may use ``*`` for the room.

    Examples
    --------
    >>> sorted(narrow({"*.read", "lake.edit"}, {"lake.edit", "serving.use"}))
    ['lake.edit', 'lake.read', 'lake.use', 'serving.read']
    """
    wanted = tuple(scopes)
    have = expand(permissions)
    if EVERYTHING in wanted:
        return have
    return frozenset(both for p in have for q in expand(wanted) if (both := _meet(p, q)))


def _meet(first: str, second: str) -> str | None:
    room, _, verb = first.partition(".")
    other_room, _, other_verb = second.partition(".")
    if verb != other_verb or (ANYWHERE not in (room, other_room) and room != other_room):
        return None
    return f"{other_room if room == ANYWHERE else room}.{verb}"


def may_give(who: Principal, permissions: Iterable[str], workspace: str, object_: str | None = None) -> bool:
    """Tell whether a principal holds everything that he wants to give there.

    ``*.edit`` can be given only by who holds ``*.edit`` itself.
    """
    if who.kind == "system":
        return True
    grants = [g for g in who.grants if g.workspace in (workspace, ANYWHERE) and g.object in (None, object_)]
    held = expand(permission for grant in grants for permission in grant.permissions)
    return all(p in held or "*." + p.partition(".")[2] in held for p in expand(permissions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of permissions."""

    slug: str
    name: str
    permissions: frozenset[str]
    built_in: bool = False
    workspace: str = ANYWHERE


def _role(slug: str, name: str, *permissions: str) -> Role:
    return Role(slug=slug, name=name, permissions=expand(permissions), built_in=True)


_EDITOR = [f"{room}.edit" for room in ("lake", "collector", "training", "models")]
_OPERATOR = [f"{r}.edit" for r in ("serving", "gateway", "cluster", "messaging", "monitoring", "lifecycle")]
BUILT_IN = {
    role.slug: role
    for role in (
        _role("viewer", "Viewer", "*.read"),
        _role("analyst", "Analyst", "*.use"),
        _role("editor", "Editor", "*.use", *_EDITOR),
        _role("operator", "Operator", "*.use", *_OPERATOR),
        _role("reviewer", "Reviewer", "*.read", "models.approve"),
        _role("admin", "Administrator", "*.manage", "models.approve"),
    )
}
ADMIN = BUILT_IN["admin"]


def merge(found: Iterable[Grant]) -> tuple[Grant, ...]:
    """Join grants on the same place into one each; a check then walks a short list."""
    places: dict[tuple[str, str | None], frozenset[str]] = {}
    for grant in found:
        place = (grant.workspace, grant.object)
        places[place] = places.get(place, frozenset()) | grant.permissions
    return tuple(
        Grant(workspace=workspace, object=object_, permissions=permissions)
        for (workspace, object_), permissions in places.items()
        if permissions
    )


def bounded(grants: Iterable[Grant], workspace: str, scopes: Iterable[str]) -> tuple[Grant, ...]:
    """Cut the grants of an owner down to one workspace and to the scopes of a key."""
    wanted = tuple(scopes)
    return merge(
        Grant(workspace=workspace, object=grant.object, permissions=narrow(grant.permissions, wanted))
        for grant in grants
        if grant.workspace in (workspace, ANYWHERE)
    )
