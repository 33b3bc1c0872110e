"""The application of control: REST, console, live channel, in one FastAPI object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from aimass._version import __version__
from aimass.kernel.errors import NotFound
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import UseCase
from aimass.web.api.callers import Authenticate
from aimass.web.api.derive import derive_router
from aimass.web.api.live import router as live_router
from aimass.web.api.problems import error_response, install_problems

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """What an application is made of; bootstrap gathers it from the capabilities."""

    registry: Registry
    authenticate: Authenticate
    cases: Sequence[tuple[UseCase, object]]
    apis: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    mounts: Sequence[tuple[str, Any]] = ()
    ready: Callable[[], bool] = lambda: True
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
        openapi_url="/openapi.json",
    )
    app.state.registry = parts.registry
    app.state.authenticate = parts.authenticate
    for name, value in parts.state.items():
        setattr(app.state, name, value)
    install_problems(app)
    api = APIRouter(prefix="/api/v1")
    api.include_router(live_router)
    for router in parts.apis:
        api.include_router(router)
    api.include_router(derive_router(parts.cases))
    app.include_router(api)
    app.include_router(_probes(parts.ready))
    for path, mounted in parts.mounts:
        app.mount(path, mounted)
    for router in parts.pages:
        app.include_router(router)
    return app


def _probes(ready: Callable[[], bool]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/readyz")
    def readyz() -> Response:
        return JSONResponse({"ready": ready()}, status_code=200 if ready() else 503)

    @router.api_route("/v2/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    def no_inference(path: str) -> Response:
        return error_response(NotFound(f"/v2/{path} is answered by the gateway only", hint="call the public port"))

    return router
