"""Use cases about the callers of a route: what each of them has used of the day."""

from __future__ import annotations

from aimass.gateway.domain.routes import Limited, ListRouteCallers, Route, RouteCaller
from aimass.gateway.plane.quotas import of_caller
from aimass.gateway.service.ground import Part, route_row
from aimass.gateway.service.routes import told
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case


class Callers(Part):
    """Use cases about those who call."""

    @use_case(
        "GET /workspaces/{workspace}/routes/{route}/callers",
        permission="gateway.read",
        cli="gateway routes callers",
        on="route",
    )
    def list_route_callers(self, who: Principal, command: ListRouteCallers) -> list[RouteCaller]:
        """List who has used how much of the day's quota of a route, the most first; the day is that of UTC.

        Consumers and keys are counted wherever they asked; addresses are those that a worker has seen since it started.
        """
        del who
        with self._database.read() as conn:
            route = told(route_row(conn, command.workspace, command.route))
        if not route.daily_quota:
            return []
        named = [] if route.limit_by == "address" else self._named(route)
        found = [
            RouteCaller(by=by, caller=caller, used_today=used, remaining=max(0, route.daily_quota - used))
            for by, caller, used in (*named, *self._addresses(route))
            if used
        ]
        return sorted(found, key=lambda one: (-one.used_today, one.caller))[: command.limit]

    def _named(self, route: Route) -> list[tuple[Limited, str, int]]:
        """Return what consumers, or their keys, have used."""
        keys = [*self._access.gateway_keys(), *self._access.gateway_devices()]
        by = route.limit_by
        names = sorted({one.id if by == "key" else one.consumer for one in keys if one.workspace == route.workspace})
        marks = [of_caller(route.workspace, route.route, by, name) for name in names]
        return [(by, name, used) for name, used in zip(names, self.used_today(marks), strict=True)]

    def _addresses(self, route: Route) -> list[tuple[Limited, str, int]]:
        """Return what the addresses have used that workers tell of; each of them tells what all have counted."""
        seen: dict[str, int] = {}
        for one in self.services.traffic():
            for address, used in one.get("addresses", {}).get(f"{route.workspace}/{route.route}", {}).items():
                seen[address] = max(used, seen.get(address, 0))
        return [("address", address, used) for address, used in seen.items()]
