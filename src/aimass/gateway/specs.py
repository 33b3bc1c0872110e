"""Services and routes as documents: ``aimass export`` writes them, ``aimass apply`` makes it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from aimass.gateway.domain.hosts import clean_hosts
from aimass.gateway.domain.routes import (
    ChangeRoute,
    CreateRoute,
    ListRoutes,
    OneRoute,
    Route,
    check_policy,
    clean_prefix,
)
from aimass.gateway.domain.services import (
    ChangeUpstream,
    CreateUpstream,
    Instance,
    ListInstances,
    ListUpstreams,
    OneInstance,
    OneUpstream,
    RegisterInstance,
    Upstream,
    check_upstream,
    plain_url,
)
from aimass.gateway.service import Gateway
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.pages import Page
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry

T = TypeVar("T")
_MOST = 500
_OF_UPSTREAM = tuple(one.name for one in fields(CreateUpstream) if one.name not in ("workspace", "upstream"))
_OF_ROUTE = tuple(one.name for one in fields(CreateRoute) if one.name not in ("workspace", "route"))
_OF_INSTANCE = ("address", "weight")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where documents are applied, and by whom."""

    gateway: Gateway
    who: Principal
    workspace: str


class Upstreams:
    """The kind ``upstream``: how a service is asked, and the servers of it that stay.

    Servers with a lease come and go by themselves; a document neither shows them nor takes them away.
    """

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every service that the principal may read."""
        if not who.allows("gateway.read", workspace):
            return []
        place = _Place(registry.get(Gateway), who, workspace)
        pages = _all(
            lambda at: place.gateway.list_upstreams(who, ListUpstreams(workspace=workspace, limit=_MOST, cursor=at))
        )
        return [_upstream(one, _fixed(place, one.upstream) if one.instances else []) for one in pages]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a service until it is as the document says; return what was done and which fields differ."""
        place, name = _Place(registry.get(Gateway), who, workspace), document["name"]
        _known(document, {"kind", "name", *_OF_UPSTREAM, "instances"}, "an upstream")
        try:
            present = place.gateway.get_upstream(who, OneUpstream(workspace=workspace, upstream=name))
        except NotFound:
            present = None
        servers = _fixed(place, name) if present is not None else []
        before: dict[str, Any] = {"instances": []} if present is None else _upstream(present, servers)
        wish = _read(CreateUpstream, {"workspace": workspace, "upstream": name, **_only(document, _OF_UPSTREAM)})
        check_upstream(asdict(wish))
        after = _only(asdict(wish), [one for one in _OF_UPSTREAM if one in document])
        if "instances" in document:
            after["instances"] = _instances(place, name, document["instances"], before["instances"])
        differ = sorted(one for one in after if one not in before or after[one] != before[one])
        if not dry_run and (differ or present is None):
            self._make(place, wish, {one: after[one] for one in differ}, servers, is_new=present is None)
        return ("change" if differ else "none") if present else "create", differ

    def _make(
        self, place: _Place, wish: CreateUpstream, differ: dict[str, Any], servers: list[Instance], *, is_new: bool
    ) -> None:
        gateway, where = place.gateway, {"workspace": place.workspace, "upstream": wish.upstream}
        wanted = differ.pop("instances", None)
        if is_new:
            gateway.create_upstream(place.who, wish)
        elif differ:
            gateway.change_upstream(place.who, ChangeUpstream(**where, **differ))
        if wanted is None:
            return
        present = {one.url: one for one in servers}
        for one in wanted:
            known = present.pop(one["address"], None)
            if known is None or known.weight != one["weight"]:
                gateway.register_instance(place.who, RegisterInstance(**where, **one))
        for gone in present.values():
            gateway.remove_instance(place.who, OneInstance(**where, instance=gone.id))


class Routes:
    """The kind ``route``: the service behind an address, its policies, and whether it is paused."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every route that the principal may read."""
        if not who.allows("gateway.read", workspace):
            return []
        gateway = registry.get(Gateway)
        pages = _all(lambda at: gateway.list_routes(who, ListRoutes(workspace=workspace, limit=_MOST, cursor=at)))
        return [_route(one) for one in pages]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a route until it is as the document says; return what was done and which fields differ."""
        place, name = _Place(registry.get(Gateway), who, workspace), document["name"]
        _known(document, {"kind", "name", *_OF_ROUTE, "paused"}, "a route")
        try:
            present = place.gateway.get_route(who, OneRoute(workspace=workspace, route=name))
        except NotFound:
            present = None
        before = {"paused": False} if present is None else _route(present)
        upstream = {} if present is None else {"upstream": present.upstream}
        wish = _read(CreateRoute, {"workspace": workspace, "route": name, **upstream, **_only(document, _OF_ROUTE)})
        check_policy(asdict(wish))
        after = _only(asdict(wish), [one for one in _OF_ROUTE if one in document])
        if "prefix" in after:
            after["prefix"] = clean_prefix(after["prefix"], name)
        after |= clean_hosts(after)
        if "paused" in document:
            after["paused"] = _read(bool, document["paused"], "paused")
        differ = sorted(one for one in after if one not in before or after[one] != before[one])
        if not dry_run and (differ or present is None):
            self._make(place, wish, {one: after[one] for one in differ}, is_new=present is None)
        return ("change" if differ else "none") if present else "create", differ

    def _make(self, place: _Place, wish: CreateRoute, differ: dict[str, Any], *, is_new: bool) -> None:
        gateway, one = place.gateway, OneRoute(workspace=place.workspace, route=wish.route)
        is_paused = differ.pop("paused", None)
        if is_new:
            gateway.create_route(place.who, wish)
        elif differ:
            gateway.change_route(place.who, ChangeRoute(workspace=place.workspace, route=wish.route, **differ))
        if is_paused is not None:
            (gateway.pause_route if is_paused else gateway.resume_route)(place.who, one)


UPSTREAM, ROUTE = Upstreams(), Routes()


def _all(page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Yield what is on every page."""
    cursor: str | None = None
    while True:
        found = page(cursor)
        yield from found.items
        cursor = found.next
        if cursor is None:
            return


def _fixed(place: _Place, upstream: str) -> list[Instance]:
    """Return the servers of a service that stay until they are taken away."""
    where = {"workspace": place.workspace, "upstream": upstream}
    pages = _all(lambda at: place.gateway.list_instances(place.who, ListInstances(**where, limit=_MOST, cursor=at)))
    return [one for one in pages if one.lease_s is None]


def _upstream(one: Upstream, servers: list[Instance]) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in _OF_UPSTREAM}
    instances = sorted(({"address": i.url, "weight": i.weight} for i in servers), key=lambda i: i["address"])
    return {"kind": "upstream", "name": one.upstream, **said, "instances": instances}


def _route(one: Route) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in _OF_ROUTE}
    return {"kind": "route", "name": one.route, **said, "paused": one.paused}


def _instances(place: _Place, name: str, given: Any, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the servers that a document wants, as an export writes them; a new one has to be allowed."""
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Invalid("instances are a list of objects", field="instances", value=given, allowed=[*_OF_INSTANCE])
    known, wanted = {one["address"] for one in before}, dict[str, int]()
    for number, one in enumerate(given):
        _known(one, set(_OF_INSTANCE), "an instance")
        wish = _read(RegisterInstance, {"workspace": place.workspace, "upstream": name, **one}, f"instances.{number}")
        address = plain_url(wish.address)
        if address not in known:
            place.gateway.check_address(wish.address)
        if address in wanted:
            raise Invalid(f"{address!r} is named twice", field=f"instances.{number}.address", value=address)
        wanted[address] = wish.weight
    return [{"address": address, "weight": wanted[address]} for address in sorted(wanted)]


def _only(given: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _known(given: Mapping[str, Any], allowed: set[str], what: str) -> None:
    unknown = sorted(str(name) for name in set(given) - allowed)
    if unknown:
        raise Invalid(
            f"{what} has no field {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=sorted(allowed)
        )


def _read(kind: type[T], given: Any, where: str = "") -> T:
    """Read what a document says by the types and limits that hold for a command."""
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as reason:
        first = reason.errors()[0]
        field = ".".join(str(part) for part in ([where] if where else []) + [*first["loc"]])
        raise Invalid(f"{field}: {first['msg']}", field=field, value=first.get("input")) from reason
