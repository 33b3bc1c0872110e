"""Methods of gateway. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.gateway_types import Consumer, GatewayState, Route
from aimass.kernel.pages import Page


class GatewayCalls(Calls):
    """Operations of gateway."""

    def get_gateway(self) -> GatewayState:
        """Show the gateway workers and which snapshot each of them serves by."""
        return self._call("gateway.get_gateway", {}, GatewayState)

    def list_consumers(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Consumer]:
        """List who calls endpoints: their keys, what these may use, and their limits."""
        return self._call(
            "gateway.list_consumers", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Consumer]
        )

    def list_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Route]:
        """List the addresses that answer inference, with their policies."""
        return self._call(
            "gateway.list_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Route]
        )

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


class AsyncGatewayCalls(AsyncCalls):
    """Operations of gateway, for asyncio."""

    async def get_gateway(self) -> GatewayState:
        """Show the gateway workers and which snapshot each of them serves by."""
        return await self._call("gateway.get_gateway", {}, GatewayState)

    async def list_consumers(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Consumer]:
        """List who calls endpoints: their keys, what these may use, and their limits."""
        return await self._call(
            "gateway.list_consumers", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Consumer]
        )

    async def list_routes(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Route]:
        """List the addresses that answer inference, with their policies."""
        return await self._call(
            "gateway.list_routes", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Route]
        )

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
