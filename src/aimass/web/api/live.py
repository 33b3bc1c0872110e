"""The live channel: one WebSocket per browser tab, many topics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from aimass.infra.live import Listener, LiveHub
from aimass.kernel.principal import Principal
from aimass.web.api.callers import caller, registry_of

router = APIRouter()
_MAX_TOPICS = 200
_POLICY_VIOLATION = 1008


def allowed_topics(who: Principal, wanted: list[Any]) -> list[str]:
    """Keep the topics that the caller may follow: ``<workspace>/<kind>:<id>`` of a workspace that he knows.

    Examples
    --------
    >>> from aimass.kernel.principal import ANONYMOUS
    >>> allowed_topics(ANONYMOUS, ["demo/job:1"])
    []
    """
    return [t for t in wanted[:_MAX_TOPICS] if isinstance(t, str) and who.knows(t.partition("/")[0])]


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Send what changes in the topics that the page names by ``{"sub": [...]}`` and ``{"unsub": [...]}``."""
    who = caller(socket)
    await socket.accept()
    if who.kind == "anonymous":
        await socket.close(code=_POLICY_VIOLATION, reason="sign in first")
        return
    hub = registry_of(socket).get(LiveHub)
    listener = Listener(asyncio.get_running_loop())
    hub.join(listener)
    sender = asyncio.create_task(_send(socket, listener))
    try:
        while True:
            _obey(hub, listener, who, await socket.receive_text())
    except WebSocketDisconnect:
        return
    finally:
        hub.leave(listener)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


def _obey(hub: LiveHub, listener: Listener, who: Principal, text: str) -> None:
    try:
        wish = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    if not isinstance(wish, dict):
        return
    if isinstance(wish.get("sub"), list):
        hub.follow(listener, allowed_topics(who, wish["sub"]))
    if isinstance(wish.get("unsub"), list):
        listener.topics.difference_update(str(t) for t in wish["unsub"])


async def _send(socket: WebSocket, listener: Listener) -> None:
    while True:
        for message in await listener.take():
            await socket.send_text(orjson.dumps(message, default=str).decode())
