"""Methods of gateway. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.gateway_types import (
    Consumer,
    Edge,
    GatewayState,
    Instance,
    Interface,
    Lease,
    ModelRoute,
    Route,
    RouteCaller,
    RouteTraffic,
    SlowRequest,
    Tried,
    Upstream,
)
from aimass.kernel.pages import Page


class GatewayCalls(Calls):
    """Operations of gateway."""

    def change_route(
        self,
        *,
        route: str,
        workspace: str | None = None,
        upstream: str | None = None,
        title: str | None = None,
        prefix: str | None = None,
        hosts: list[str] | None = None,
        host_path: str | None = None,
        access: Literal["key", "public"] | None = None,
        strip_prefix: bool | None = None,
        timeout_s: float | None = None,
        max_request_bytes: int | None = None,
        max_reply_bytes: int | None = None,
        retries: int | None = None,
        retry_unsafe: bool | None = None,
        retry_after_s: int | None = None,
        rate_per_s: float | None = None,
        allow_from: list[str] | None = None,
        certificates: list[str] | None = None,
        cors_origins: list[str] | None = None,
        request_headers: dict[str, str] | None = None,
        reply_headers: dict[str, str] | None = None,
        openapi_path: str | None = None,
        queue: int | None = None,
        queue_wait_s: float | None = None,
        fallback_upstream: str | None = None,
        fallback_status: int | None = None,
        fallback_type: str | None = None,
        fallback_body: str | None = None,
        cache: bool | None = None,
        cache_s: float | None = None,
        cache_stale_s: float | None = None,
        cache_post: bool | None = None,
        cache_vary: list[str] | None = None,
        cache_shared: bool | None = None,
        cache_reload: bool | None = None,
        cache_bytes: int | None = None,
        slow_s: float | None = None,
        limit_by: Literal["consumer", "key", "address"] | None = None,
        caller_rate_per_s: float | None = None,
        caller_burst: int | None = None,
        daily_quota: int | None = None,
        shape_wait_s: float | None = None,
        shape_queue: int | None = None,
        expected_version: int | None = None,
    ) -> Route:
        """Change the policies of a route; live on all workers within a second, and no request fails by it."""
        return self._call(
            "gateway.change_route",
            {
                "route": route,
                "workspace": workspace,
                "upstream": upstream,
                "title": title,
                "prefix": prefix,
                "hosts": hosts,
                "host_path": host_path,
                "access": access,
                "strip_prefix": strip_prefix,
                "timeout_s": timeout_s,
                "max_request_bytes": max_request_bytes,
                "max_reply_bytes": max_reply_bytes,
                "retries": retries,
                "retry_unsafe": retry_unsafe,
                "retry_after_s": retry_after_s,
                "rate_per_s": rate_per_s,
                "allow_from": allow_from,
                "certificates": certificates,
                "cors_origins": cors_origins,
                "request_headers": request_headers,
                "reply_headers": reply_headers,
                "openapi_path": openapi_path,
                "queue": queue,
                "queue_wait_s": queue_wait_s,
                "fallback_upstream": fallback_upstream,
                "fallback_status": fallback_status,
                "fallback_type": fallback_type,
                "fallback_body": fallback_body,
                "cache": cache,
                "cache_s": cache_s,
                "cache_stale_s": cache_stale_s,
                "cache_post": cache_post,
                "cache_vary": cache_vary,
                "cache_shared": cache_shared,
                "cache_reload": cache_reload,
                "cache_bytes": cache_bytes,
                "slow_s": slow_s,
                "limit_by": limit_by,
                "caller_rate_per_s": caller_rate_per_s,
                "caller_burst": caller_burst,
                "daily_quota": daily_quota,
                "shape_wait_s": shape_wait_s,
                "shape_queue": shape_queue,
                "expected_version": expected_version,
            },
            Route,
        )

    def change_upstream(
        self,
        *,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        balance: Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"] | None = None,
        hash_by: str | None = None,
        connect_timeout_s: float | None = None,
        failures: int | None = None,
        open_s: float | None = None,
        health_path: str | None = None,
        health_interval_s: float | None = None,
        expected_version: int | None = None,
    ) -> Upstream:
        """Change how a service is asked; live on all workers within a second."""
        return self._call(
            "gateway.change_upstream",
            {
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "balance": balance,
                "hash_by": hash_by,
                "connect_timeout_s": connect_timeout_s,
                "failures": failures,
                "open_s": open_s,
                "health_path": health_path,
                "health_interval_s": health_interval_s,
                "expected_version": expected_version,
            },
            Upstream,
        )

    def clear_route_cache(self, *, route: str, workspace: str | None = None, prefix: str | None = None) -> Route:
        """Give no answer again that was kept until now, of all or of those whose path begins so; within a second on all workers."""
        return self._call(
            "gateway.clear_route_cache", {"route": route, "workspace": workspace, "prefix": prefix}, Route
        )

    def create_route(
        self,
        *,
        route: str,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        prefix: str | None = None,
        hosts: list[str] | None = None,
        host_path: str | None = None,
        access: Literal["key", "public"] | None = None,
        strip_prefix: bool | None = None,
        timeout_s: float | None = None,
        max_request_bytes: int | None = None,
        max_reply_bytes: int | None = None,
        retries: int | None = None,
        retry_unsafe: bool | None = None,
        retry_after_s: int | None = None,
        rate_per_s: float | None = None,
        allow_from: list[str] | None = None,
        certificates: list[str] | None = None,
        cors_origins: list[str] | None = None,
        request_headers: dict[str, str] | None = None,
        reply_headers: dict[str, str] | None = None,
        openapi_path: str | None = None,
        queue: int | None = None,
        queue_wait_s: float | None = None,
        fallback_upstream: str | None = None,
        fallback_status: int | None = None,
        fallback_type: str | None = None,
        fallback_body: str | None = None,
        cache: bool | None = None,
        cache_s: float | None = None,
        cache_stale_s: float | None = None,
        cache_post: bool | None = None,
        cache_vary: list[str] | None = None,
        cache_shared: bool | None = None,
        cache_reload: bool | None = None,
        cache_bytes: int | None = None,
        slow_s: float | None = None,
        limit_by: Literal["consumer", "key", "address"] | None = None,
        caller_rate_per_s: float | None = None,
        caller_burst: int | None = None,
        daily_quota: int | None = None,
        shape_wait_s: float | None = None,
        shape_queue: int | None = None,
    ) -> Route:
        """Give a service an address at the gateway, ``/s/<workspace>/<prefix>``; live within a second."""
        return self._call(
            "gateway.create_route",
            {
                "route": route,
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "prefix": prefix,
                "hosts": hosts,
                "host_path": host_path,
                "access": access,
                "strip_prefix": strip_prefix,
                "timeout_s": timeout_s,
                "max_request_bytes": max_request_bytes,
                "max_reply_bytes": max_reply_bytes,
                "retries": retries,
                "retry_unsafe": retry_unsafe,
                "retry_after_s": retry_after_s,
                "rate_per_s": rate_per_s,
                "allow_from": allow_from,
                "certificates": certificates,
                "cors_origins": cors_origins,
                "request_headers": request_headers,
                "reply_headers": reply_headers,
                "openapi_path": openapi_path,
                "queue": queue,
                "queue_wait_s": queue_wait_s,
                "fallback_upstream": fallback_upstream,
                "fallback_status": fallback_status,
                "fallback_type": fallback_type,
                "fallback_body": fallback_body,
                "cache": cache,
                "cache_s": cache_s,
                "cache_stale_s": cache_stale_s,
                "cache_post": cache_post,
                "cache_vary": cache_vary,
                "cache_shared": cache_shared,
                "cache_reload": cache_reload,
                "cache_bytes": cache_bytes,
                "slow_s": slow_s,
                "limit_by": limit_by,
                "caller_rate_per_s": caller_rate_per_s,
                "caller_burst": caller_burst,
                "daily_quota": daily_quota,
                "shape_wait_s": shape_wait_s,
                "shape_queue": shape_queue,
            },
            Route,
        )

    def create_upstream(
        self,
        *,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        balance: Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"] | None = None,
        hash_by: str | None = None,
        connect_timeout_s: float | None = None,
        failures: int | None = None,
        open_s: float | None = None,
        health_path: str | None = None,
        health_interval_s: float | None = None,
    ) -> Upstream:
        """Announce a service that is to stand behind the gateway."""
        return self._call(
            "gateway.create_upstream",
            {
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "balance": balance,
                "hash_by": hash_by,
                "connect_timeout_s": connect_timeout_s,
                "failures": failures,
                "open_s": open_s,
                "health_path": health_path,
                "health_interval_s": health_interval_s,
            },
            Upstream,
        )

    def delete_route(self, *, route: str, workspace: str | None = None) -> None:
        """Close an address; what is under way is finished."""
        return self._call("gateway.delete_route", {"route": route, "workspace": workspace}, None)

    def delete_upstream(self, *, upstream: str, workspace: str | None = None) -> None:
        """Delete a service to which no route leads, with its instances."""
        return self._call("gateway.delete_upstream", {"upstream": upstream, "workspace": workspace}, None)

    def get_gateway(self) -> GatewayState:
        """Show the gateway workers and which snapshot each of them serves by."""
        return self._call("gateway.get_gateway", {}, GatewayState)

    def get_openapi(self, *, workspace: str | None = None, of: str | None = None) -> dict[str, Any]:
        """Describe what can be called as one OpenAPI document: models from their signatures, services as they say themselves."""
        return self._call("gateway.get_openapi", {"workspace": workspace, "of": of}, dict[str, Any])

    def get_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Show a route and its policies."""
        return self._call("gateway.get_route", {"route": route, "workspace": workspace}, Route)

    def get_route_traffic(self, *, route: str, workspace: str | None = None) -> RouteTraffic:
        """Show what the workers have seen of a route and its instances since they started."""
        return self._call("gateway.get_route_traffic", {"route": route, "workspace": workspace}, RouteTraffic)

    def get_upstream(self, *, upstream: str, workspace: str | None = None) -> Upstream:
        """Show a service."""
        return self._call("gateway.get_upstream", {"upstream": upstream, "workspace": workspace}, Upstream)

    def heartbeat(self, *, upstream: str, instance: str, workspace: str | None = None) -> Lease:
        """Renew the lease of a server; costs no write."""
        return self._call(
            "gateway.heartbeat", {"upstream": upstream, "instance": instance, "workspace": workspace}, Lease
        )

    def list_consumers(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Consumer]:
        """List who calls endpoints: their keys, what these may use, and their limits."""
        return self._call(
            "gateway.list_consumers", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Consumer]
        )

    def list_instances(
        self, *, upstream: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Instance]:
        """List the servers of a service, oldest first."""
        return self._call(
            "gateway.list_instances",
            {"upstream": upstream, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Instance],
        )

    def list_interfaces(
        self, *, workspace: str | None = None, q: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Interface]:
        """List what can be called: endpoints of models, then routes to services."""
        return self._call(
            "gateway.list_interfaces",
            {"workspace": workspace, "q": q, "limit": limit, "cursor": cursor},
            Page[Interface],
        )

    def list_model_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[ModelRoute]:
        """List the addresses that answer inference, with their policies."""
        return self._call(
            "gateway.list_model_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[ModelRoute]
        )

    def list_route_callers(
        self, *, route: str, workspace: str | None = None, limit: int | None = None
    ) -> list[RouteCaller]:
        """List who has used how much of the day's quota of a route, the most first; the day is that of UTC."""
        return self._call(
            "gateway.list_route_callers", {"route": route, "workspace": workspace, "limit": limit}, list[RouteCaller]
        )

    def list_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Route]:
        """List the routes to services by name."""
        return self._call(
            "gateway.list_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Route]
        )

    def list_slow_requests(
        self,
        *,
        workspace: str | None = None,
        route: str | None = None,
        endpoint: str | None = None,
        consumer: str | None = None,
        least_s: float | None = None,
        status: int | None = None,
        failed: bool | None = None,
        trace: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["newest", "slowest"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SlowRequest]:
        """List the requests that took longer than the threshold, or failed with 500 or more."""
        return self._call(
            "gateway.list_slow_requests",
            {
                "workspace": workspace,
                "route": route,
                "endpoint": endpoint,
                "consumer": consumer,
                "least_s": least_s,
                "status": status,
                "failed": failed,
                "trace": trace,
                "since": since,
                "until": until,
                "order": order,
                "limit": limit,
                "cursor": cursor,
            },
            Page[SlowRequest],
        )

    def list_upstreams(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Upstream]:
        """List the services behind the gateway by name."""
        return self._call(
            "gateway.list_upstreams", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Upstream]
        )

    def pause_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Let nobody through for now: callers wait, where the route has a queue, or hear 503 and when to come again."""
        return self._call("gateway.pause_route", {"route": route, "workspace": workspace}, Route)

    def register_instance(
        self,
        *,
        upstream: str,
        address: str,
        workspace: str | None = None,
        weight: int | None = None,
        lease_s: float | None = None,
    ) -> Instance:
        """Register a server of a service, for good or with a lease that heartbeats renew; the same address renews it."""
        return self._call(
            "gateway.register_instance",
            {"upstream": upstream, "address": address, "workspace": workspace, "weight": weight, "lease_s": lease_s},
            Instance,
        )

    def remove_instance(self, *, upstream: str, instance: str, workspace: str | None = None) -> None:
        """Take a server away; what it is answering is finished."""
        return self._call(
            "gateway.remove_instance", {"upstream": upstream, "instance": instance, "workspace": workspace}, None
        )

    def resume_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Let callers through again."""
        return self._call("gateway.resume_route", {"route": route, "workspace": workspace}, Route)

    def set_rate_limit(
        self,
        *,
        consumer: str,
        workspace: str | None = None,
        rate_per_s: float | None = None,
        expected_version: int | None = None,
    ) -> Consumer:
        """Limit the requests a second of each key of a consumer; live on all workers within a second."""
        return self._call(
            "gateway.set_rate_limit",
            {
                "consumer": consumer,
                "workspace": workspace,
                "rate_per_s": rate_per_s,
                "expected_version": expected_version,
            },
            Consumer,
        )

    def try_request(
        self,
        *,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        path: str,
        workspace: str | None = None,
        headers: dict[str, str] | None = None,
        body: str | None = None,
        within_s: float | None = None,
    ) -> Tried:
        """Send one request through the gateway with a short-lived key of your own, and show what came back."""
        return self._call(
            "gateway.try_request",
            {
                "method": method,
                "path": path,
                "workspace": workspace,
                "headers": headers,
                "body": body,
                "within_s": within_s,
            },
            Tried,
        )

    def write_edge(
        self,
        *,
        edge: Literal["nginx", "caddy", "traefik"] | None = None,
        server_name: str | None = None,
        gateway: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        port: int | None = None,
        grpc_port: int | None = None,
        max_body_bytes: int | None = None,
    ) -> Edge:
        """Write the configuration of an outer edge: nginx, Caddy or Traefik with TLS in front of this gateway."""
        return self._call(
            "gateway.write_edge",
            {
                "edge": edge,
                "server_name": server_name,
                "gateway": gateway,
                "certificate": certificate,
                "key": key,
                "port": port,
                "grpc_port": grpc_port,
                "max_body_bytes": max_body_bytes,
            },
            Edge,
        )


class AsyncGatewayCalls(AsyncCalls):
    """Operations of gateway, for asyncio."""

    async def change_route(
        self,
        *,
        route: str,
        workspace: str | None = None,
        upstream: str | None = None,
        title: str | None = None,
        prefix: str | None = None,
        hosts: list[str] | None = None,
        host_path: str | None = None,
        access: Literal["key", "public"] | None = None,
        strip_prefix: bool | None = None,
        timeout_s: float | None = None,
        max_request_bytes: int | None = None,
        max_reply_bytes: int | None = None,
        retries: int | None = None,
        retry_unsafe: bool | None = None,
        retry_after_s: int | None = None,
        rate_per_s: float | None = None,
        allow_from: list[str] | None = None,
        certificates: list[str] | None = None,
        cors_origins: list[str] | None = None,
        request_headers: dict[str, str] | None = None,
        reply_headers: dict[str, str] | None = None,
        openapi_path: str | None = None,
        queue: int | None = None,
        queue_wait_s: float | None = None,
        fallback_upstream: str | None = None,
        fallback_status: int | None = None,
        fallback_type: str | None = None,
        fallback_body: str | None = None,
        cache: bool | None = None,
        cache_s: float | None = None,
        cache_stale_s: float | None = None,
        cache_post: bool | None = None,
        cache_vary: list[str] | None = None,
        cache_shared: bool | None = None,
        cache_reload: bool | None = None,
        cache_bytes: int | None = None,
        slow_s: float | None = None,
        limit_by: Literal["consumer", "key", "address"] | None = None,
        caller_rate_per_s: float | None = None,
        caller_burst: int | None = None,
        daily_quota: int | None = None,
        shape_wait_s: float | None = None,
        shape_queue: int | None = None,
        expected_version: int | None = None,
    ) -> Route:
        """Change the policies of a route; live on all workers within a second, and no request fails by it."""
        return await self._call(
            "gateway.change_route",
            {
                "route": route,
                "workspace": workspace,
                "upstream": upstream,
                "title": title,
                "prefix": prefix,
                "hosts": hosts,
                "host_path": host_path,
                "access": access,
                "strip_prefix": strip_prefix,
                "timeout_s": timeout_s,
                "max_request_bytes": max_request_bytes,
                "max_reply_bytes": max_reply_bytes,
                "retries": retries,
                "retry_unsafe": retry_unsafe,
                "retry_after_s": retry_after_s,
                "rate_per_s": rate_per_s,
                "allow_from": allow_from,
                "certificates": certificates,
                "cors_origins": cors_origins,
                "request_headers": request_headers,
                "reply_headers": reply_headers,
                "openapi_path": openapi_path,
                "queue": queue,
                "queue_wait_s": queue_wait_s,
                "fallback_upstream": fallback_upstream,
                "fallback_status": fallback_status,
                "fallback_type": fallback_type,
                "fallback_body": fallback_body,
                "cache": cache,
                "cache_s": cache_s,
                "cache_stale_s": cache_stale_s,
                "cache_post": cache_post,
                "cache_vary": cache_vary,
                "cache_shared": cache_shared,
                "cache_reload": cache_reload,
                "cache_bytes": cache_bytes,
                "slow_s": slow_s,
                "limit_by": limit_by,
                "caller_rate_per_s": caller_rate_per_s,
                "caller_burst": caller_burst,
                "daily_quota": daily_quota,
                "shape_wait_s": shape_wait_s,
                "shape_queue": shape_queue,
                "expected_version": expected_version,
            },
            Route,
        )

    async def change_upstream(
        self,
        *,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        balance: Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"] | None = None,
        hash_by: str | None = None,
        connect_timeout_s: float | None = None,
        failures: int | None = None,
        open_s: float | None = None,
        health_path: str | None = None,
        health_interval_s: float | None = None,
        expected_version: int | None = None,
    ) -> Upstream:
        """Change how a service is asked; live on all workers within a second."""
        return await self._call(
            "gateway.change_upstream",
            {
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "balance": balance,
                "hash_by": hash_by,
                "connect_timeout_s": connect_timeout_s,
                "failures": failures,
                "open_s": open_s,
                "health_path": health_path,
                "health_interval_s": health_interval_s,
                "expected_version": expected_version,
            },
            Upstream,
        )

    async def clear_route_cache(self, *, route: str, workspace: str | None = None, prefix: str | None = None) -> Route:
        """Give no answer again that was kept until now, of all or of those whose path begins so; within a second on all workers."""
        return await self._call(
            "gateway.clear_route_cache", {"route": route, "workspace": workspace, "prefix": prefix}, Route
        )

    async def create_route(
        self,
        *,
        route: str,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        prefix: str | None = None,
        hosts: list[str] | None = None,
        host_path: str | None = None,
        access: Literal["key", "public"] | None = None,
        strip_prefix: bool | None = None,
        timeout_s: float | None = None,
        max_request_bytes: int | None = None,
        max_reply_bytes: int | None = None,
        retries: int | None = None,
        retry_unsafe: bool | None = None,
        retry_after_s: int | None = None,
        rate_per_s: float | None = None,
        allow_from: list[str] | None = None,
        certificates: list[str] | None = None,
        cors_origins: list[str] | None = None,
        request_headers: dict[str, str] | None = None,
        reply_headers: dict[str, str] | None = None,
        openapi_path: str | None = None,
        queue: int | None = None,
        queue_wait_s: float | None = None,
        fallback_upstream: str | None = None,
        fallback_status: int | None = None,
        fallback_type: str | None = None,
        fallback_body: str | None = None,
        cache: bool | None = None,
        cache_s: float | None = None,
        cache_stale_s: float | None = None,
        cache_post: bool | None = None,
        cache_vary: list[str] | None = None,
        cache_shared: bool | None = None,
        cache_reload: bool | None = None,
        cache_bytes: int | None = None,
        slow_s: float | None = None,
        limit_by: Literal["consumer", "key", "address"] | None = None,
        caller_rate_per_s: float | None = None,
        caller_burst: int | None = None,
        daily_quota: int | None = None,
        shape_wait_s: float | None = None,
        shape_queue: int | None = None,
    ) -> Route:
        """Give a service an address at the gateway, ``/s/<workspace>/<prefix>``; live within a second."""
        return await self._call(
            "gateway.create_route",
            {
                "route": route,
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "prefix": prefix,
                "hosts": hosts,
                "host_path": host_path,
                "access": access,
                "strip_prefix": strip_prefix,
                "timeout_s": timeout_s,
                "max_request_bytes": max_request_bytes,
                "max_reply_bytes": max_reply_bytes,
                "retries": retries,
                "retry_unsafe": retry_unsafe,
                "retry_after_s": retry_after_s,
                "rate_per_s": rate_per_s,
                "allow_from": allow_from,
                "certificates": certificates,
                "cors_origins": cors_origins,
                "request_headers": request_headers,
                "reply_headers": reply_headers,
                "openapi_path": openapi_path,
                "queue": queue,
                "queue_wait_s": queue_wait_s,
                "fallback_upstream": fallback_upstream,
                "fallback_status": fallback_status,
                "fallback_type": fallback_type,
                "fallback_body": fallback_body,
                "cache": cache,
                "cache_s": cache_s,
                "cache_stale_s": cache_stale_s,
                "cache_post": cache_post,
                "cache_vary": cache_vary,
                "cache_shared": cache_shared,
                "cache_reload": cache_reload,
                "cache_bytes": cache_bytes,
                "slow_s": slow_s,
                "limit_by": limit_by,
                "caller_rate_per_s": caller_rate_per_s,
                "caller_burst": caller_burst,
                "daily_quota": daily_quota,
                "shape_wait_s": shape_wait_s,
                "shape_queue": shape_queue,
            },
            Route,
        )

    async def create_upstream(
        self,
        *,
        upstream: str,
        workspace: str | None = None,
        title: str | None = None,
        balance: Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"] | None = None,
        hash_by: str | None = None,
        connect_timeout_s: float | None = None,
        failures: int | None = None,
        open_s: float | None = None,
        health_path: str | None = None,
        health_interval_s: float | None = None,
    ) -> Upstream:
        """Announce a service that is to stand behind the gateway."""
        return await self._call(
            "gateway.create_upstream",
            {
                "upstream": upstream,
                "workspace": workspace,
                "title": title,
                "balance": balance,
                "hash_by": hash_by,
                "connect_timeout_s": connect_timeout_s,
                "failures": failures,
                "open_s": open_s,
                "health_path": health_path,
                "health_interval_s": health_interval_s,
            },
            Upstream,
        )

    async def delete_route(self, *, route: str, workspace: str | None = None) -> None:
        """Close an address; what is under way is finished."""
        return await self._call("gateway.delete_route", {"route": route, "workspace": workspace}, None)

    async def delete_upstream(self, *, upstream: str, workspace: str | None = None) -> None:
        """Delete a service to which no route leads, with its instances."""
        return await self._call("gateway.delete_upstream", {"upstream": upstream, "workspace": workspace}, None)

    async def get_gateway(self) -> GatewayState:
        """Show the gateway workers and which snapshot each of them serves by."""
        return await self._call("gateway.get_gateway", {}, GatewayState)

    async def get_openapi(self, *, workspace: str | None = None, of: str | None = None) -> dict[str, Any]:
        """Describe what can be called as one OpenAPI document: models from their signatures, services as they say themselves."""
        return await self._call("gateway.get_openapi", {"workspace": workspace, "of": of}, dict[str, Any])

    async def get_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Show a route and its policies."""
        return await self._call("gateway.get_route", {"route": route, "workspace": workspace}, Route)

    async def get_route_traffic(self, *, route: str, workspace: str | None = None) -> RouteTraffic:
        """Show what the workers have seen of a route and its instances since they started."""
        return await self._call("gateway.get_route_traffic", {"route": route, "workspace": workspace}, RouteTraffic)

    async def get_upstream(self, *, upstream: str, workspace: str | None = None) -> Upstream:
        """Show a service."""
        return await self._call("gateway.get_upstream", {"upstream": upstream, "workspace": workspace}, Upstream)

    async def heartbeat(self, *, upstream: str, instance: str, workspace: str | None = None) -> Lease:
        """Renew the lease of a server; costs no write."""
        return await self._call(
            "gateway.heartbeat", {"upstream": upstream, "instance": instance, "workspace": workspace}, Lease
        )

    async def list_consumers(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Consumer]:
        """List who calls endpoints: their keys, what these may use, and their limits."""
        return await self._call(
            "gateway.list_consumers", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Consumer]
        )

    async def list_instances(
        self, *, upstream: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Instance]:
        """List the servers of a service, oldest first."""
        return await self._call(
            "gateway.list_instances",
            {"upstream": upstream, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Instance],
        )

    async def list_interfaces(
        self, *, workspace: str | None = None, q: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Interface]:
        """List what can be called: endpoints of models, then routes to services."""
        return await self._call(
            "gateway.list_interfaces",
            {"workspace": workspace, "q": q, "limit": limit, "cursor": cursor},
            Page[Interface],
        )

    async def list_model_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[ModelRoute]:
        """List the addresses that answer inference, with their policies."""
        return await self._call(
            "gateway.list_model_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[ModelRoute]
        )

    async def list_route_callers(
        self, *, route: str, workspace: str | None = None, limit: int | None = None
    ) -> list[RouteCaller]:
        """List who has used how much of the day's quota of a route, the most first; the day is that of UTC."""
        return await self._call(
            "gateway.list_route_callers", {"route": route, "workspace": workspace, "limit": limit}, list[RouteCaller]
        )

    async def list_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Route]:
        """List the routes to services by name."""
        return await self._call(
            "gateway.list_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Route]
        )

    async def list_slow_requests(
        self,
        *,
        workspace: str | None = None,
        route: str | None = None,
        endpoint: str | None = None,
        consumer: str | None = None,
        least_s: float | None = None,
        status: int | None = None,
        failed: bool | None = None,
        trace: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["newest", "slowest"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SlowRequest]:
        """List the requests that took longer than the threshold, or failed with 500 or more."""
        return await self._call(
            "gateway.list_slow_requests",
            {
                "workspace": workspace,
                "route": route,
                "endpoint": endpoint,
                "consumer": consumer,
                "least_s": least_s,
                "status": status,
                "failed": failed,
                "trace": trace,
                "since": since,
                "until": until,
                "order": order,
                "limit": limit,
                "cursor": cursor,
            },
            Page[SlowRequest],
        )

    async def list_upstreams(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Upstream]:
        """List the services behind the gateway by name."""
        return await self._call(
            "gateway.list_upstreams", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Upstream]
        )

    async def pause_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Let nobody through for now: callers wait, where the route has a queue, or hear 503 and when to come again."""
        return await self._call("gateway.pause_route", {"route": route, "workspace": workspace}, Route)

    async def register_instance(
        self,
        *,
        upstream: str,
        address: str,
        workspace: str | None = None,
        weight: int | None = None,
        lease_s: float | None = None,
    ) -> Instance:
        """Register a server of a service, for good or with a lease that heartbeats renew; the same address renews it."""
        return await self._call(
            "gateway.register_instance",
            {"upstream": upstream, "address": address, "workspace": workspace, "weight": weight, "lease_s": lease_s},
            Instance,
        )

    async def remove_instance(self, *, upstream: str, instance: str, workspace: str | None = None) -> None:
        """Take a server away; what it is answering is finished."""
        return await self._call(
            "gateway.remove_instance", {"upstream": upstream, "instance": instance, "workspace": workspace}, None
        )

    async def resume_route(self, *, route: str, workspace: str | None = None) -> Route:
        """Let callers through again."""
        return await self._call("gateway.resume_route", {"route": route, "workspace": workspace}, Route)

    async def set_rate_limit(
        self,
        *,
        consumer: str,
        workspace: str | None = None,
        rate_per_s: float | None = None,
        expected_version: int | None = None,
    ) -> Consumer:
        """Limit the requests a second of each key of a consumer; live on all workers within a second."""
        return await self._call(
            "gateway.set_rate_limit",
            {
                "consumer": consumer,
                "workspace": workspace,
                "rate_per_s": rate_per_s,
                "expected_version": expected_version,
            },
            Consumer,
        )

    async def try_request(
        self,
        *,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        path: str,
        workspace: str | None = None,
        headers: dict[str, str] | None = None,
        body: str | None = None,
        within_s: float | None = None,
    ) -> Tried:
        """Send one request through the gateway with a short-lived key of your own, and show what came back."""
        return await self._call(
            "gateway.try_request",
            {
                "method": method,
                "path": path,
                "workspace": workspace,
                "headers": headers,
                "body": body,
                "within_s": within_s,
            },
            Tried,
        )

    async def write_edge(
        self,
        *,
        edge: Literal["nginx", "caddy", "traefik"] | None = None,
        server_name: str | None = None,
        gateway: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        port: int | None = None,
        grpc_port: int | None = None,
        max_body_bytes: int | None = None,
    ) -> Edge:
        """Write the configuration of an outer edge: nginx, Caddy or Traefik with TLS in front of this gateway."""
        return await self._call(
            "gateway.write_edge",
            {
                "edge": edge,
                "server_name": server_name,
                "gateway": gateway,
                "certificate": certificate,
                "key": key,
                "port": port,
                "grpc_port": grpc_port,
                "max_body_bytes": max_body_bytes,
            },
            Edge,
        )
