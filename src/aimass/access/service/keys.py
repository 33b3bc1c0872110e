"""Service accounts and API keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from aimass.access.domain.credentials import KEY, fingerprint, new_secret, shown
from aimass.access.domain.keys import (
    ChangeKey,
    CreateKey,
    CreateService,
    GatewayKey,
    Key,
    ListKeys,
    ListServices,
    NewKey,
    OneKey,
    OneService,
    RotateKey,
    Service,
)
from aimass.access.domain.members import GiveRole
from aimass.access.domain.roles import EVERYTHING, bounded, check_permission, expand, may_give, merge, narrow
from aimass.access.errors import MoreThanYouHave
from aimass.access.service.giving import give
from aimass.access.service.ground import Part, find_service, need_workspace
from aimass.access.service.principals import grant_of
from aimass.access.store import queries, rows
from aimass.access.store.devices import live_devices
from aimass.access.store.tables import grants, keys, services
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Forbidden, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, Grant, Principal
from aimass.kernel.usecase import use_case

_CALL = "serving.use"
_EDIT = "serving.edit"
_ENDPOINT = "endpoint:"
_REACH, _ROUTE = "gateway.use", "route:"
_MOST_PLACES = 10_000


class Services(Part):
    """Accounts for machines."""

    @use_case("POST /workspaces/{workspace}/services", permission="access.manage", cli="accounts create", status=201)
    def create_service(self, who: Principal, command: CreateService) -> Service:
        """Make a service account."""
        name = clean_name(command.name)
        slug = slug_of(name)
        with self._change(who, command.workspace) as change:
            need_workspace(change.conn, command.workspace)
            if rows.find(change.conn, services, workspace=command.workspace, slug=slug):
                raise Conflict(f"there is a service account {slug!r}", field="name", value=name)
            values = {"slug": slug, "name": name, "workspace": command.workspace, "created_by": who.id}
            rows.add(change.conn, services, id=new_id(), enabled=True, created_at=change.now, **values)
            change.audit("access.service.create", object_=f"service:{slug}")
            if command.role is not None:
                give(change, GiveRole(workspace=command.workspace, role=command.role, service=slug))
            return _service(find_service(change.conn, command.workspace, slug))

    @use_case("GET /workspaces/{workspace}/services", permission="access.read", cli="accounts list")
    def list_services(self, who: Principal, command: ListServices) -> Page[Service]:
        """List the service accounts of a workspace."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = queries.service_page(conn, command.workspace, after, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.slug)
        return Page(items=[_service(row) for row in page.items], next=page.next)

    @use_case(
        "POST /workspaces/{workspace}/services/{service}/disable", permission="access.manage", cli="accounts disable"
    )
    def disable_service(self, who: Principal, command: OneService) -> Service:
        """Stop all keys of a service account until it is enabled again."""
        return self._switch(who, command, on=False)

    @use_case(
        "POST /workspaces/{workspace}/services/{service}/enable", permission="access.manage", cli="accounts enable"
    )
    def enable_service(self, who: Principal, command: OneService) -> Service:
        """Let the keys of a service account work again."""
        return self._switch(who, command, on=True)

    @use_case(
        "DELETE /workspaces/{workspace}/services/{service}",
        permission="access.manage",
        cli="accounts remove",
        status=204,
    )
    def remove_service(self, who: Principal, command: OneService) -> None:
        """Remove a service account with its roles; its keys are revoked."""
        with self._change(who, command.workspace) as change:
            row = find_service(change.conn, command.workspace, command.service)
            rows.change(change.conn, keys, {"owner_id": row.id, "revoked_at": None}, revoked_at=change.now)
            rows.remove(change.conn, grants, subject_kind="service", subject_id=row.id)
            rows.remove(change.conn, services, id=row.id)
            change.audit("access.service.remove", object_=f"service:{row.slug}")
            change.event("access.service.removed", subject=f"service:{row.slug}", data={"id": row.id})

    def _switch(self, who: Principal, command: OneService, *, on: bool) -> Service:
        with self._change(who, command.workspace) as change:
            row = find_service(change.conn, command.workspace, command.service)
            rows.change(change.conn, services, {"id": row.id}, enabled=on)
            verb = "enable" if on else "disable"
            change.audit(f"access.service.{verb}", object_=f"service:{row.slug}")
            change.event(f"access.service.{verb}d", subject=f"service:{row.slug}", data={"id": row.id})
            return _service(find_service(change.conn, command.workspace, row.slug))


class Keys(Part):
    """API keys of people and of service accounts."""

    @use_case("POST /workspaces/{workspace}/keys", permission="access.read", cli="keys create", status=201)
    def create_key(self, who: Principal, command: CreateKey) -> NewKey:
        """Make an API key for yourself, or for a service account; its text is shown only now."""
        with self._change(who, command.workspace) as change:
            need_workspace(change.conn, command.workspace)
            kind, owner = self._owner(change, command)
            scopes = _scopes(who, command)
            if command.service is not None:
                held = bounded(map(grant_of, queries.grants_of(change.conn, kind, owner)), command.workspace, scopes)
                _need_all(who, held)
            life = timedelta(days=command.days) if command.days else None
            values = {"name": clean_name(command.name), "owner_kind": kind, "owner_id": owner, "scopes": scopes}
            ends = {"expires_at": change.now + life if life else None, "daily_quota": command.daily_quota}
            return _add_key(change, {**values, **ends, "workspace": command.workspace}, "create")

    @use_case("GET /workspaces/{workspace}/keys", permission="access.read", cli="keys list")
    def list_keys(self, who: Principal, command: ListKeys) -> Page[Key]:
        """List the own API keys; who manages access sees all of the workspace."""
        owner = None if who.allows("access.manage", command.workspace) else who.id
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = queries.key_page(conn, command.workspace, owner, after, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.id)
        return Page(items=[_key(row) for row in page.items], next=page.next)

    @use_case("PATCH /workspaces/{workspace}/keys/{key}", permission="access.read", cli="keys change")
    def change_key(self, who: Principal, command: ChangeKey) -> Key:
        """Change the daily quota of a key, in the gateway within a second; what it used today counts on."""
        with self._change(who, command.workspace) as change:
            row = _own_key(change, OneKey(workspace=command.workspace, key=command.key))
            rows.change(change.conn, keys, {"id": row.id}, daily_quota=command.daily_quota)
            told = {"daily_quota": command.daily_quota}
            change.audit("access.key.change", object_=f"key:{row.id}", detail={"prefix": row.prefix, **told})
            change.event("access.key.changed", subject=f"key:{row.id}", data=told)
            return _key(queries.key_by(change.conn, id=row.id))

    @use_case("DELETE /workspaces/{workspace}/keys/{key}", permission="access.read", cli="keys revoke", status=204)
    def revoke_key(self, who: Principal, command: OneKey) -> None:
        """Stop a key at once, in the gateway within a second."""
        with self._change(who, command.workspace) as change:
            row = _own_key(change, command)
            rows.change(change.conn, keys, {"id": row.id}, revoked_at=change.now)
            change.audit("access.key.revoke", object_=f"key:{row.id}", detail={"prefix": row.prefix})
            change.event("access.key.revoked", subject=f"key:{row.id}")
            self._ground.counters.add("access_revocations", of="key")

    @use_case("POST /workspaces/{workspace}/keys/{key}/rotate", permission="access.read", cli="keys rotate", status=201)
    def rotate_key(self, who: Principal, command: RotateKey) -> NewKey:
        """Replace a key by a new one with the same rights and quota; the old one may live on for a while."""
        with self._change(who, command.workspace) as change:
            row = _own_key(change, OneKey(workspace=command.workspace, key=command.key))
            held = map(grant_of, queries.grants_of(change.conn, row.owner_kind, row.owner_id))
            _need_all(who, bounded(held, row.workspace, row.scopes))
            end = change.now + timedelta(seconds=command.grace_s)
            rows.change(change.conn, keys, {"id": row.id}, revoked_at=end)
            names = ("name", "owner_kind", "owner_id", "scopes", "workspace", "expires_at", "daily_quota")
            return _add_key(change, {name: getattr(row, name) for name in names}, "rotate", replaces=row.id)

    def gateway_keys(self) -> list[GatewayKey]:
        """Return every working key with the endpoints it may call, for the snapshot of the data plane."""
        with self._database.read() as conn:
            found, held = queries.live_keys(conn, self._now()), _all_held(conn)
        return [_gateway_key(row, held.get(row.owner_id, [])) for row in found]

    def gateway_devices(self) -> list[GatewayKey]:
        """Return for every signed-in device what its person may call in each workspace, for the same snapshot."""
        now = self._now()
        with self._database.read() as conn:
            found = live_devices(conn, now, now - timedelta(seconds=self._settings.device_idle_s))
            held = _all_held(conn) if found else {}
            places = [row.slug for row in queries.workspace_page(conn, None, "", _MOST_PLACES)] if found else []
        return [
            _gateway_device(row, place, mine)
            for row in found
            if (mine := held.get(row.user_id))
            for place in places
            if any(grant.workspace in (place, ANYWHERE) for grant in mine)
        ]

    def _owner(self, change: Change, command: CreateKey) -> tuple[str, str]:
        who = change.who
        if command.service is not None:
            who.need("access.manage", command.workspace)
            return "service", find_service(change.conn, command.workspace, command.service).id
        if who.kind not in ("user", "service"):
            raise Forbidden(f"{who.name!r} cannot own a key", hint="name a service account")
        return who.kind, who.id


def _scopes(who: Principal, command: CreateKey) -> list[str]:
    """Return what the key may do at most; its owner's own grants bound it at every use besides."""
    held = frozenset[str]().union(*(g.permissions for g in who.grants if g.workspace in (command.workspace, ANYWHERE)))
    if command.scopes is None:
        return [EVERYTHING] if command.service is not None else sorted(held)
    wanted = expand(check_permission(text) for text in command.scopes)
    if command.service is None and narrow(held, wanted) < wanted:
        refused = sorted(wanted - narrow(held, wanted))
        raise MoreThanYouHave(f"{who.name!r} has no {refused[0]!r} to put into a key", field="scopes", value=refused)
    return sorted(wanted)


def _need_all(who: Principal, held: tuple[Grant, ...]) -> None:
    for grant in held:
        if not may_give(who, grant.permissions, grant.workspace, grant.object):
            raise MoreThanYouHave(
                "a key cannot do more than the one who makes it", field="scopes", hint="name fewer permissions"
            )


def _add_key(change: Change, values: dict[str, Any], verb: str, replaces: str | None = None) -> NewKey:
    text, id_ = new_secret(KEY), new_id()
    stored = {"id": id_, "prefix": shown(text), "sha256": fingerprint(text), "created_at": change.now}
    rows.add(change.conn, keys, **values, **stored)
    detail = {"prefix": stored["prefix"], "scopes": values["scopes"], "replaces": replaces}
    if values["daily_quota"]:
        detail["daily_quota"] = values["daily_quota"]
    change.audit(f"access.key.{verb}", object_=f"key:{id_}", detail=detail)
    change.event("access.key.created", subject=f"key:{id_}", data={"replaces": replaces})
    return NewKey(key=_key(queries.key_by(change.conn, id=id_)), text=text)


def _own_key(change: Change, command: OneKey) -> Any:
    """Return a working key of the caller, or any of the workspace for who manages access."""
    who, now = change.who, change.now
    row = queries.key_by(change.conn, id=command.key, workspace=command.workspace)
    if row is None or (row.owner_id != who.id and not who.allows("access.manage", command.workspace)):
        raise NotFound(f"there is no key {command.key!r}", field="key", value=command.key)
    if row.revoked_at is not None and row.revoked_at <= now:
        raise Conflict(f"the key {row.prefix!r} was revoked already", field="key", value=command.key)
    return row


def _all_held(conn: Any) -> dict[str, list[Grant]]:
    """Return the grants of everybody, through groups too."""
    by_group: dict[str, list[str]] = {}
    for row in rows.every(conn, queries.group_members):
        by_group.setdefault(row.group_slug, []).append(row.user_id)
    held: dict[str, list[Grant]] = {}
    for row in queries.every_grant(conn):
        for owner in by_group.get(row.subject_id, []) if row.subject_kind == "group" else [row.subject_id]:
            held.setdefault(owner, []).append(grant_of(row))
    return held


def _gateway_device(row: Any, workspace: str, held: list[Grant]) -> GatewayKey:
    grants = merge(bounded(held, workspace, expand(row.scopes) if row.scopes else [EVERYTHING]))
    return GatewayKey(
        sha256=fingerprint(f"device:{row.id}/{workspace}"),
        id=row.id,
        consumer=row.user_name,
        workspace=workspace,
        **_reach(grants, workspace),
        expires_at=row.expires_at.timestamp(),
        daily_quota=0,
    )


def _reach(grants: Iterable[Grant], workspace: str) -> dict[str, list[str]]:
    held = tuple(grants)
    return {
        "use": _objects(held, _CALL, workspace, _ENDPOINT),
        "edit": _objects(held, _EDIT, workspace, _ENDPOINT),
        "routes": _objects(held, _REACH, workspace, _ROUTE),
    }


def _gateway_key(row: Any, held: list[Grant]) -> GatewayKey:
    grants = merge(bounded(held, row.workspace, row.scopes))
    ends = [moment.timestamp() for moment in (row.expires_at, row.revoked_at) if moment is not None]
    return GatewayKey(
        sha256=row.sha256,
        id=row.id,
        consumer=row.owner,
        workspace=row.workspace,
        **_reach(grants, row.workspace),
        expires_at=min(ends) if ends else None,
        daily_quota=row.daily_quota,
    )


def _objects(grants: Iterable[Grant], permission: str, workspace: str, kind: str) -> list[str]:
    """Return the objects of a kind on which a permission is held; a star for every one."""
    allowed = [grant for grant in grants if grant.covers(permission, workspace, grant.object)]
    if any(grant.object is None for grant in allowed):
        return ["*"]
    named = {grant.object for grant in allowed if grant.object}
    return sorted(name.removeprefix(kind) for name in named if name.startswith(kind))


def _service(row: Any) -> Service:
    return Service(
        id=row.id,
        slug=row.slug,
        name=row.name,
        workspace=row.workspace,
        enabled=row.enabled,
        created_by=row.created_by,
        created_at=row.created_at,
    )


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        workspace=row.workspace,
        owner_kind=row.owner_kind,
        owner=row.owner or row.owner_id,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        daily_quota=row.daily_quota,
    )
