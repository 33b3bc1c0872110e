"""Routes to services, their policies, and what the gateway sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, insert, update

from aimass.gateway.domain.caching import ClearCache, check_prefix, cleared
from aimass.gateway.domain.hosts import clean_hosts
from aimass.gateway.domain.routes import (
    JSON_TYPE,
    OPENAPI_PATH,
    ChangeRoute,
    CreateRoute,
    ListRoutes,
    OneRoute,
    Route,
    RouteTraffic,
    check_policy,
    clean_prefix,
)
from aimass.gateway.events import ROUTE_CACHE_CLEARED, ROUTE_CHANGED, ROUTE_CREATED, ROUTE_DELETED
from aimass.gateway.publish_services import ROUTE, UPSTREAM
from aimass.gateway.service.ground import Part, fresh, route_row, upstream_row
from aimass.gateway.service.hosts import need_allowed, need_hosts, own_hosts
from aimass.gateway.service.traffic import traffic_of
from aimass.gateway.store import find_row, instances, routes, rows_after, rows_of, upstreams
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case

_POLICY = (
    "hosts",
    "host_path",
    "access",
    "strip_prefix",
    "timeout_s",
    "max_request_bytes",
    "max_reply_bytes",
    "retries",
    "retry_unsafe",
    "retry_after_s",
    "rate_per_s",
    "allow_from",
    "certificates",
    "cors_origins",
    "request_headers",
    "reply_headers",
    "openapi_path",
    "queue",
    "queue_wait_s",
    "fallback_upstream",
    "fallback_status",
    "fallback_type",
    "fallback_body",
    "cache",
    "cache_s",
    "cache_stale_s",
    "cache_post",
    "cache_vary",
    "cache_shared",
    "cache_reload",
    "cache_bytes",
    "slow_s",
    "limit_by",
    "caller_rate_per_s",
    "caller_burst",
    "daily_quota",
    "shape_wait_s",
    "shape_queue",
)
_ADDED = {
    "hosts": [], "host_path": "",
    "openapi_path": OPENAPI_PATH, "queue": 0, "queue_wait_s": 30.0,
    "fallback_upstream": "", "fallback_status": 0, "fallback_type": JSON_TYPE, "fallback_body": "",
    "cache": False, "cache_s": 0.0, "cache_stale_s": 0.0, "cache_post": False, "cache_vary": [], "cache_shared": False, "cache_reload": True, "cache_bytes": 1024 * 1024,
    "slow_s": 0.0, "certificates": [],
    "limit_by": "consumer", "caller_rate_per_s": 0.0, "caller_burst": 0, "daily_quota": 0, "shape_wait_s": 0.0, "shape_queue": 100,
}  # what routes that were made before do not say # fmt: skip


class Routes(Part):
    """Use cases about routes to services."""

    @use_case("POST /workspaces/{workspace}/routes", permission="gateway.edit", cli="gateway routes create", status=201)
    def create_route(self, who: Principal, command: CreateRoute) -> Route:
        """Give a service an address at the gateway, ``/s/<workspace>/<prefix>``; live within a second."""
        slug = check_slug(command.route, field="route")
        prefix = clean_prefix(command.prefix, slug)
        policy = {name: getattr(command, name) for name in _POLICY}
        policy |= clean_hosts(policy)
        check_policy(policy)
        need_allowed(policy, self._settings.domains())
        with self._database.change(who, command.workspace) as change:
            upstream_row(change.conn, command.workspace, command.upstream)
            if find_row(change.conn, routes, workspace=command.workspace, route=slug) is not None:
                raise Conflict(f"route {slug!r} exists", field="route", value=slug, hint="choose another name")
            _need_stand_in(change, command.workspace, command.fallback_upstream, command.upstream)
            _need_free(change, command.workspace, prefix, slug)
            need_hosts(change, command.workspace, slug, policy, own_hosts(self._access, self._settings))
            values = {"id": new_id(), "workspace": command.workspace, "route": slug, "title": command.title}
            values |= {"upstream": command.upstream, "prefix": prefix, "paused": False, "policy": policy}
            change.execute(insert(routes).values(**values, created_by=who.name, created_at=change.now, version=1))
            _note(change, ROUTE_CREATED, slug, {"upstream": command.upstream, "prefix": prefix, **policy})
        self._mark(command.workspace, slug, command.upstream)
        return self._route(command.workspace, slug)

    def _mark(self, workspace: str, route: str, upstream: str) -> None:
        self.services.mark(ROUTE, workspace, route)
        self.services.mark(UPSTREAM, workspace, upstream)

    @use_case("GET /workspaces/{workspace}/routes", permission="gateway.read", cli="gateway routes list")
    def list_routes(self, who: Principal, command: ListRoutes) -> Page[Route]:
        """List the routes to services by name."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = rows_after(conn, routes, "route", after, command.limit + 1, workspace=command.workspace)
        return page_of([told(row) for row in found], command.limit, lambda one: one.route)

    @use_case(
        "GET /workspaces/{workspace}/routes/{route}", permission="gateway.read", cli="gateway routes show", on="route"
    )
    def get_route(self, who: Principal, command: OneRoute) -> Route:
        """Show a route and its policies."""
        del who
        return self._route(command.workspace, command.route)

    def _route(self, workspace: str, name: str) -> Route:
        with self._database.read() as conn:
            return told(route_row(conn, workspace, name))

    @use_case(
        "PATCH /workspaces/{workspace}/routes/{route}",
        permission="gateway.edit",
        cli="gateway routes change",
        on="route",
    )
    def change_route(self, who: Principal, command: ChangeRoute) -> Route:
        """Change the policies of a route; live on all workers within a second, and no request fails by it."""
        wishes = {name: getattr(command, name) for name in _POLICY}
        given = {name: value for name, value in wishes.items() if value is not None}
        given |= clean_hosts(given)
        check_policy(given)
        with self._database.change(who, command.workspace) as change:
            row = route_row(change.conn, command.workspace, command.route)
            fresh(row.version, command.expected_version)
            values: dict[str, Any] = {"policy": {**_ADDED, **row.policy, **given}, "version": row.version + 1}
            if command.title is not None:
                values["title"] = command.title
            if command.upstream is not None:
                upstream_row(change.conn, command.workspace, command.upstream)
                values["upstream"] = given["upstream"] = command.upstream
            after = {"upstream": row.upstream, **row.policy, **given}
            _need_stand_in(change, command.workspace, after.get("fallback_upstream") or "", after["upstream"])
            if "hosts" in given or "host_path" in given:
                need_allowed(given, self._settings.domains())
                own = own_hosts(self._access, self._settings)
                need_hosts(change, command.workspace, command.route, after, own)
            if command.prefix is not None:
                values["prefix"] = given["prefix"] = clean_prefix(command.prefix, command.route)
                _need_free(change, command.workspace, values["prefix"], command.route)
            change.execute(update(routes).where(routes.c.id == row.id).values(**values))
            _note(change, ROUTE_CHANGED, command.route, given)
        self._mark(command.workspace, command.route, values.get("upstream", row.upstream))
        return self._route(command.workspace, command.route)

    @use_case(
        "POST /workspaces/{workspace}/routes/{route}/pause",
        permission="gateway.edit",
        cli="gateway routes pause",
        on="route",
    )
    def pause_route(self, who: Principal, command: OneRoute) -> Route:
        """Let nobody through for now: callers wait, where the route has a queue, or hear 503 and when to come again."""
        return self._switch(who, command, is_paused=True)

    @use_case(
        "POST /workspaces/{workspace}/routes/{route}/resume",
        permission="gateway.edit",
        cli="gateway routes resume",
        on="route",
    )
    def resume_route(self, who: Principal, command: OneRoute) -> Route:
        """Let callers through again."""
        return self._switch(who, command, is_paused=False)

    def _switch(self, who: Principal, command: OneRoute, *, is_paused: bool) -> Route:
        with self._database.change(who, command.workspace) as change:
            row = route_row(change.conn, command.workspace, command.route)
            if row.paused != is_paused:
                values = {"paused": is_paused, "version": row.version + 1}
                change.execute(update(routes).where(routes.c.id == row.id).values(**values))
                _note(change, ROUTE_CHANGED, command.route, {"paused": is_paused})
        self.services.mark(ROUTE, command.workspace, command.route)
        return self._route(command.workspace, command.route)

    @use_case(
        "POST /workspaces/{workspace}/routes/{route}/clear-cache",
        permission="gateway.edit",
        cli="gateway routes clear-cache",
        on="route",
    )
    def clear_route_cache(self, who: Principal, command: ClearCache) -> Route:
        """Give no answer again that was kept until now, of all or of those whose path begins so; within a second on all workers."""
        check_prefix(command.prefix)
        with self._database.change(who, command.workspace) as change:
            row = route_row(change.conn, command.workspace, command.route)
            number = row.version + 1
            now = cleared(row.policy.get("cleared", ()), number, command.prefix)
            values = {"policy": {**row.policy, "cleared": now}, "version": number}
            change.execute(update(routes).where(routes.c.id == row.id).values(**values))
            _note(change, ROUTE_CACHE_CLEARED, command.route, {"prefix": command.prefix})
        self.services.mark(ROUTE, command.workspace, command.route)
        return self._route(command.workspace, command.route)

    @use_case(
        "DELETE /workspaces/{workspace}/routes/{route}",
        permission="gateway.edit",
        cli="gateway routes delete",
        on="route",
    )
    def delete_route(self, who: Principal, command: OneRoute) -> None:
        """Close an address; what is under way is finished."""
        with self._database.change(who, command.workspace) as change:
            row = route_row(change.conn, command.workspace, command.route)
            change.execute(delete(routes).where(routes.c.id == row.id))
            _note(change, ROUTE_DELETED, command.route)
        self.services.mark(ROUTE, command.workspace, command.route)

    @use_case(
        "GET /workspaces/{workspace}/routes/{route}/traffic",
        permission="gateway.read",
        cli="gateway routes traffic",
        on="route",
    )
    def get_route_traffic(self, who: Principal, command: OneRoute) -> RouteTraffic:
        """Show what the workers have seen of a route and its instances since they started."""
        del who
        with self._database.read() as conn:
            row = route_row(conn, command.workspace, command.route)
            servers = rows_of(conn, instances, workspace=command.workspace, upstream=row.upstream)
        return traffic_of(row, servers, self.services.traffic())


def _need_stand_in(change: Change, workspace: str, stand_in: str, upstream: str) -> None:
    """Refuse a stand-in that is not there, and one that is the service itself."""
    if stand_in and stand_in == upstream:
        raise Invalid(
            f"service {stand_in!r} cannot stand in for itself", field="fallback_upstream", value=stand_in,
            hint="name another service",
        )  # fmt: skip
    if stand_in and find_row(change.conn, upstreams, workspace=workspace, upstream=stand_in) is None:
        raise NotFound(f"there is no service {stand_in!r}", field="fallback_upstream", value=stand_in)


def _need_free(change: Change, workspace: str, prefix: str, route: str) -> None:
    other = find_row(change.conn, routes, workspace=workspace, prefix=prefix)
    if other is not None and other.route != route:
        raise Conflict(f"route {other.route!r} has the prefix {prefix!r}", field="prefix", value=prefix)


def _note(change: Change, event: str, route: str, detail: Mapping[str, Any] | None = None) -> None:
    """Tell what changed; of headers only the names, since their values may be secrets, and of a body how long it is."""
    shown = {name: sorted(value) if isinstance(value, dict) else value for name, value in (detail or {}).items()}
    if "fallback_body" in shown:
        shown["fallback_body"] = f"{len(shown['fallback_body'])} characters"
    change.event(event, subject=f"route:{route}", data=shown)
    change.audit(event, object_=f"route:{route}", detail=shown)


def told(row: Row[Any]) -> Route:
    """Return a route as its row says."""
    return Route(
        id=row.id,
        workspace=row.workspace,
        route=row.route,
        title=row.title,
        upstream=row.upstream,
        path=f"/s/{row.workspace}/{row.prefix}",
        prefix=row.prefix,
        paused=row.paused,
        **{name: value for name, value in {**_ADDED, **row.policy}.items() if name in _POLICY},
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )
