"""Pages about services behind routes: what stands behind the gateway, how it does, and pausing it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.gateway.domain.caching import ClearCache
from aimass.gateway.domain.routes import ChangeRoute, CreateRoute, Limited, ListRouteCallers, ListRoutes, OneRoute
from aimass.gateway.domain.services import (
    CreateUpstream,
    ListInstances,
    ListUpstreams,
    OneInstance,
    OneUpstream,
    RegisterInstance,
)
from aimass.gateway.service import Gateway
from aimass.kernel.errors import AimassError
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/gateway/routes"
ONE = f"{PATH}/{{route}}"
MOST = 200
WINDOW_S = 3_600


class Wish(BaseModel):
    """The form for a new route, and for the service behind it where there is none."""

    route: str
    upstream: str = ""
    address: str = ""
    access: str = "key"
    timeout_s: float = 60.0


class Policies(BaseModel):
    """The form for the policies of a route."""

    access: str
    timeout_s: float
    retries: int
    rate_per_s: float
    retry_after_s: int
    allow_from: str = ""
    certificates: str = ""
    cors_origins: str = ""
    hosts: str = ""
    host_path: str = ""
    openapi_path: str = ""
    queue: int = 0
    queue_wait_s: float = 30.0
    fallback_upstream: str = ""
    fallback_status: int = 0
    fallback_type: str = "application/json"
    fallback_body: str = ""
    cache: bool = False
    cache_s: float = 0.0
    cache_stale_s: float = 0.0
    cache_post: bool = False
    cache_shared: bool = False
    cache_reload: bool = False
    cache_vary: str = ""
    cache_bytes: int = 1024 * 1024
    slow_s: float = 0.0
    limit_by: Limited = "consumer"
    caller_rate_per_s: float = 0.0
    caller_burst: int = 0
    daily_quota: int = 0
    shape_wait_s: float = 0.0
    shape_queue: int = 100
    version: int


@router.get(PATH)
def routes(visit: Visit, cursor: str | None = None) -> Response:
    """Which services of our own stand behind the gateway, and does each of them answer?"""
    gateway = visit.get(Gateway)
    found = gateway.list_routes(visit.who, ListRoutes(workspace=visit.workspace, cursor=cursor))
    upstreams = gateway.list_upstreams(visit.who, ListUpstreams(workspace=visit.workspace, limit=MOST))
    return visit.render(
        "gateway/routes.html",
        parts={"routes": "gateway/_routes.html"},
        tab="routes",
        found=[(one, gateway.get_route_traffic(visit.who, _named(visit, one.route))) for one in found.items],
        next=found.next,
        upstreams=upstreams.items,
        services=[(one.upstream, one.upstream) for one in upstreams.items],
    )


@router.post(PATH)
def create(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Make a route, and the service behind it with its first server."""
    gateway, is_new = visit.get(Gateway), not wish.upstream
    where: dict[str, Any] = {"workspace": visit.workspace, "upstream": wish.upstream or wish.route}
    if is_new:
        gateway.create_upstream(visit.who, CreateUpstream(**where))
    try:
        if wish.address.strip():
            gateway.register_instance(visit.who, RegisterInstance(**where, address=wish.address.strip()))
        made = CreateRoute(**where, route=wish.route, access=_access(wish.access), timeout_s=wish.timeout_s)
        gateway.create_route(visit.who, made)
    except AimassError:
        if is_new:  # nothing of a route that was not made stays
            gateway.delete_upstream(visit.who, OneUpstream(**where))
        raise
    return visit.go(f"/{visit.workspace}/operate/gateway/routes/{wish.route}", toast=visit.say("The route is made"))


@router.delete(f"{PATH}/-/services/{{upstream}}")
def delete_service(visit: Visit, upstream: str) -> Response:
    """Forget a service to which no route leads, with its servers."""
    visit.get(Gateway).delete_upstream(visit.who, OneUpstream(workspace=visit.workspace, upstream=upstream))
    return visit.done(visit.say("The service is gone"))


@router.get(ONE)
def route(visit: Visit, route: str) -> Response:
    """How does this route do, which of its instances fail, and what are its policies?"""
    gateway, named = visit.get(Gateway), _named(visit, route)
    found = gateway.get_route(visit.who, named)
    where = {"workspace": visit.workspace, "upstream": found.upstream}
    return visit.render(
        "gateway/route.html",
        parts={"route": "gateway/_route.html", "route-charts": "gateway/_route_charts.html"},
        route=found,
        upstream=gateway.get_upstream(visit.who, OneUpstream(**where)),
        traffic=gateway.get_route_traffic(visit.who, named),
        charts=lambda: next(iter(visit.panels("gateway.route", route=route, window_s=WINDOW_S)), None),
        callers=gateway.list_route_callers(visit.who, ListRouteCallers(workspace=visit.workspace, route=route)),
        instances=gateway.list_instances(visit.who, ListInstances(**where, limit=MOST)).items,
    )


@router.post(f"{ONE}/pause")
def pause(visit: Visit, route: str) -> Response:
    """Let nobody through for now."""
    visit.get(Gateway).pause_route(visit.who, _named(visit, route))
    return visit.done(visit.say("%(name)s is paused", name=route))


@router.post(f"{ONE}/resume")
def resume(visit: Visit, route: str) -> Response:
    """Let callers through again."""
    visit.get(Gateway).resume_route(visit.who, _named(visit, route))
    return visit.done(visit.say("%(name)s is open again", name=route))


@router.post(f"{ONE}/clear-cache")
def clear(visit: Visit, route: str, prefix: Annotated[str, Form()] = "") -> Response:
    """Give no answer again that was kept until now."""
    wish = ClearCache(workspace=visit.workspace, route=route, prefix=prefix.strip())
    visit.get(Gateway).clear_route_cache(visit.who, wish)
    return visit.done(visit.say("What was kept is given no more"))


@router.post(f"{ONE}/policies")
def change(visit: Visit, route: str, wish: Annotated[Policies, Form()]) -> Response:
    """Change the policies of a route."""
    changed = ChangeRoute(
        workspace=visit.workspace,
        route=route,
        access=_access(wish.access),
        timeout_s=wish.timeout_s,
        retries=wish.retries,
        rate_per_s=wish.rate_per_s,
        retry_after_s=wish.retry_after_s,
        allow_from=wish.allow_from.split(),
        certificates=[line.strip() for line in wish.certificates.splitlines() if line.strip()],
        cors_origins=wish.cors_origins.split(),
        hosts=wish.hosts.split(),
        host_path=wish.host_path.strip(),
        openapi_path=wish.openapi_path.strip(),
        queue=wish.queue,
        queue_wait_s=wish.queue_wait_s,
        fallback_upstream=wish.fallback_upstream.strip(),
        fallback_status=wish.fallback_status,
        fallback_type=wish.fallback_type.strip(),
        fallback_body=wish.fallback_body,
        cache=wish.cache,
        cache_s=wish.cache_s,
        cache_stale_s=wish.cache_stale_s,
        cache_post=wish.cache_post,
        cache_shared=wish.cache_shared,
        cache_reload=wish.cache_reload,
        cache_vary=wish.cache_vary.split(),
        cache_bytes=wish.cache_bytes,
        slow_s=wish.slow_s,
        limit_by=wish.limit_by,
        caller_rate_per_s=wish.caller_rate_per_s,
        caller_burst=wish.caller_burst,
        daily_quota=wish.daily_quota,
        shape_wait_s=wish.shape_wait_s,
        shape_queue=wish.shape_queue,
        expected_version=wish.version,
    )
    visit.get(Gateway).change_route(visit.who, changed)
    return visit.done(visit.say("The policies are live within a second"))


@router.post(f"{ONE}/instances")
def register(visit: Visit, route: str, address: Annotated[str, Form()], weight: Annotated[int, Form()] = 1) -> Response:
    """Register a server of the service behind a route."""
    gateway = visit.get(Gateway)
    found = gateway.get_route(visit.who, _named(visit, route))
    wish = RegisterInstance(workspace=visit.workspace, upstream=found.upstream, address=address.strip(), weight=weight)
    made = gateway.register_instance(visit.who, wish)
    return visit.done(visit.say("%(name)s is registered", name=made.url))


@router.delete(f"{ONE}/instances/{{instance}}")
def remove(visit: Visit, route: str, instance: str) -> Response:
    """Take a server away."""
    gateway = visit.get(Gateway)
    found = gateway.get_route(visit.who, _named(visit, route))
    gateway.remove_instance(
        visit.who, OneInstance(workspace=visit.workspace, upstream=found.upstream, instance=instance)
    )
    return visit.done(visit.say("The server is gone"))


@router.delete(ONE)
def delete(visit: Visit, route: str) -> Response:
    """Close an address."""
    visit.get(Gateway).delete_route(visit.who, _named(visit, route))
    return visit.go(f"/{visit.workspace}/operate/gateway/routes", toast=visit.say("The route is gone"))


def _named(visit: PageVisit, route: str) -> OneRoute:
    return OneRoute(workspace=visit.workspace, route=route)


def _access(text: str) -> Any:
    """Return who may call; anything but the public is the stricter one."""
    return "public" if text == "public" else "key"
