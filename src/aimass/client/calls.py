"""Bases of the generated groups of methods."""

from __future__ import annotations

from typing import Any

from aimass.client.catalog import OPERATIONS
from aimass.client.decode import decode
from aimass.client.request import build
from aimass.client.transport import AsyncTransport, Transport


class Calls:
    """A group of operations over one connection."""

    def __init__(self, transport: Transport, workspace: str | None) -> None:
        self._transport = transport
        self._workspace = workspace

    def _call(self, name: str, values: dict[str, Any], kind: Any) -> Any:
        request = build(OPERATIONS[name], values, self._workspace)
        method = OPERATIONS[name].method
        reply = self._transport.json(
            method, request.path, query=request.query, body=request.body, headers=request.headers
        )
        return decode(kind, reply)


class AsyncCalls:
    """The same for asyncio."""

    def __init__(self, transport: AsyncTransport, workspace: str | None) -> None:
        self._transport = transport
        self._workspace = workspace

    async def _call(self, name: str, values: dict[str, Any], kind: Any) -> Any:
        request = build(OPERATIONS[name], values, self._workspace)
        method = OPERATIONS[name].method
        reply = await self._transport.json(
            method, request.path, query=request.query, body=request.body, headers=request.headers
        )
        return decode(kind, reply)
