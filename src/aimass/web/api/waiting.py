"""Work that is ended when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

T = TypeVar("T")


async def while_waiting(request: Request, stop: Callable[[], None], work: Callable[[], T]) -> T:
    """Run work in a thread, and stop it when the client of a request goes away.

    Parameters
    ----------
    request
        Its body has been read.
    stop
        Lets the work end soon; called at most once, in a thread of the event loop.
    """
    working = asyncio.ensure_future(run_in_threadpool(work))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            stop()
        return await working
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
