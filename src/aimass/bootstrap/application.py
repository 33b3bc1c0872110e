"""The application of control: REST, console, workflows and reconcile loops.

It never loads a model, never runs user code and never runs a query on the lake: children do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from aimass.access import Access
from aimass.bootstrap.identity import Identity
from aimass.bootstrap.logs import set_up_logs
from aimass.bootstrap.loops import Loops
from aimass.bootstrap.platform import Platform, open_platform
from aimass.bootstrap.schema import NewerVersion
from aimass.bootstrap.settings import read_settings
from aimass.bootstrap.supervisor import CANNOT_START
from aimass.infra.workflows import Runs
from aimass.kernel.capability import load
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Failed, MissingExtra
from aimass.web.api import AppParts, create_app
from aimass.web.console import Console, ConsoleSetup


def create_control(platform: Platform) -> FastAPI:
    """Build the application of control; its loops and workflows run while it is served."""
    identity = Identity(platform.registry)
    loops = Loops(platform.registry, platform.capabilities)
    ready: list[bool] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        await to_thread.run_sync(platform.registry.get(Runs).launch)
        loops.start()
        ready.append(True)
        yield
        ready.clear()
        await to_thread.run_sync(loops.stop)
        await to_thread.run_sync(platform.close)

    parts = AppParts(
        registry=platform.registry,
        authenticate=identity.authenticate,
        cases=list(platform.cases()),
        apis=[load(c.api) for c in platform.capabilities if c.api],
        protocols=[load(c.protocol) for c in platform.capabilities if c.protocol],
        ready=lambda: bool(ready),
        has_workspace=platform.registry.get(Access).has_workspace,
        lifespan=lifespan,
    )
    app = create_app(parts)
    setup = ConsoleSetup(
        capabilities=platform.capabilities,
        authenticate=identity.authenticate,
        workspaces=identity.workspaces,
        registry=platform.registry,
        secret=identity.secret,
        badges=partial(identity.badges, platform.capabilities),
        clock=SystemClock(),
        secure=platform.settings.is_tls,
    )
    Console(setup).install(app)
    return app


def build(data_dir: Path) -> FastAPI:
    """Build the application over a data directory; end the process where a later try would find the same fault."""
    set_up_logs()
    try:
        return create_control(open_platform(read_settings(data_dir)))
    except (NewerVersion, Failed, MissingExtra) as error:
        print(orjson.dumps(error.problem()).decode(), file=sys.stderr)  # noqa: T201 the supervisor reads it in the log
        sys.exit(CANNOT_START)


def serve(app: FastAPI, socket: Path) -> None:
    """Serve it on a Unix socket until SIGTERM."""
    socket.unlink(missing_ok=True)
    os.umask(0o077)
    config: dict[str, Any] = {
        "uds": str(socket),
        "log_level": "warning",
        "access_log": False,
        "timeout_graceful_shutdown": 5,
    }
    uvicorn.run(app, proxy_headers=True, forwarded_allow_ips="*", **config)
