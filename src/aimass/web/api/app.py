"""The application of control: REST, console, live channel, in one FastAPI object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from aimass._version import __version__
from aimass.kernel.counters import Counters
from aimass.kernel.errors import NotFound
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import UseCase
from aimass.web.api.callers import Authenticate, HasWorkspace
from aimass.web.api.derive import UseCaseRoutes
from aimass.web.api.description import description
from aimass.web.api.live import router as live_router
from aimass.web.api.problems import error_response, install_problems
from aimass.web.api.tracing import Traced

PREFIX = "/api/v1"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """What an application is made of; bootstrap gathers it from the capabilities."""

    registry: Registry
    authenticate: Authenticate
    cases: Sequence[tuple[UseCase, object]]
    apis: Sequence[APIRouter] = ()
    protocols: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    mounts: Sequence[tuple[str, Any]] = ()
    ready: Callable[[], bool] = lambda: True
    has_workspace: HasWorkspace | None = None
    lifespan: Lifespan | None = None
    state: dict[str, Any] = field(default_factory=dict[str, Any])


def create_app(parts: AppParts) -> FastAPI:
    """Build the application from its parts."""
    app = FastAPI(
        title="AI Mass",
        version=__version__,
        lifespan=parts.lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.registry = parts.registry
    app.state.authenticate = parts.authenticate
    app.state.has_workspace = parts.has_workspace
    for name, value in parts.state.items():
        setattr(app.state, name, value)
    install_problems(app)
    app.add_middleware(Traced)
    for router in (live_router, *parts.apis):
        app.include_router(router, prefix=PREFIX)
    cases = UseCaseRoutes(parts.cases, PREFIX)
    app.router.routes.append(cases)
    app.include_router(description(app, cases))
    for router in parts.protocols:
        app.include_router(router)
    app.include_router(_probes(parts.ready))
    if parts.registry.has(Counters):
        app.include_router(_metrics(parts.registry.get(Counters)))
    for path, mounted in parts.mounts:
        app.mount(path, mounted)
    for router in parts.pages:
        app.include_router(router)
    return app


def _metrics(counters: Counters) -> APIRouter:
    """Make the page that Prometheus reads: what control counts; the gateway has its own at ``/metrics``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics/control")
    def metrics() -> Response:
        return Response(counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _probes(ready: Callable[[], bool]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/readyz")
    def readyz() -> Response:
        return JSONResponse({"ready": ready()}, status_code=200 if ready() else 503)

    @router.api_route("/v2/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    def no_inference(path: str) -> Response:
        return error_response(NotFound(f"/v2/{path} is answered by the gateway only", hint="call the public port"))

    return router
