"""What the room tells."""

from __future__ import annotations

LIMIT_CHANGED = "gateway.limit.changed"
UPSTREAM_CREATED = "gateway.upstream.created"
UPSTREAM_CHANGED = "gateway.upstream.changed"
UPSTREAM_DELETED = "gateway.upstream.deleted"
INSTANCE_REGISTERED = "gateway.instance.registered"
INSTANCE_REMOVED = "gateway.instance.removed"
INSTANCE_EXPIRED = "gateway.instance.expired"
ROUTE_CREATED = "gateway.route.created"
ROUTE_CHANGED = "gateway.route.changed"
ROUTE_CACHE_CLEARED = "gateway.route.cache_cleared"
ROUTE_DELETED = "gateway.route.deleted"
ALL = (
    LIMIT_CHANGED,
    UPSTREAM_CREATED,
    UPSTREAM_CHANGED,
    UPSTREAM_DELETED,
    INSTANCE_REGISTERED,
    INSTANCE_REMOVED,
    INSTANCE_EXPIRED,
    ROUTE_CREATED,
    ROUTE_CHANGED,
    ROUTE_CACHE_CLEARED,
    ROUTE_DELETED,
)
