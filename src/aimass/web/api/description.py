"""The OpenAPI document of everything that control answers, built when somebody first asks for it.

To build it takes seconds of CPU, since each operation is then made, so it happens in a thread: whoever asks for anything
else meanwhile is answered.
"""

from __future__ import annotations

import json
from threading import Lock
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from aimass.web.api.derive import UseCaseRoutes


class Description:
    """The document, as an object and as the bytes that are sent.

    Parameters
    ----------
    app
        The application whose routes it tells of.
    cases
        The use cases, whose routes are built for it.
    """

    def __init__(self, app: FastAPI, cases: UseCaseRoutes) -> None:
        self._app, self._cases = app, cases
        self._lock, self._body = Lock(), b""

    def document(self) -> dict[str, Any]:
        """Return the document."""
        with self._lock:
            if self._app.openapi_schema is None:
                routes = [*self._app.routes, *self._cases.all()]
                self._app.openapi_schema = get_openapi(
                    title=self._app.title,
                    version=self._app.version,
                    openapi_version=self._app.openapi_version,
                    routes=routes,
                )
            return self._app.openapi_schema

    def body(self) -> bytes:
        """Return it as JSON."""
        if not self._body:
            self._body = json.dumps(self.document(), ensure_ascii=False, separators=(",", ":")).encode()
        return self._body


def description(app: FastAPI, cases: UseCaseRoutes) -> APIRouter:
    """Make the route of the document, and let the application describe itself by it."""
    told, router = Description(app, cases), APIRouter(include_in_schema=False)
    app.openapi = told.document

    @router.get("/openapi.json")
    def openapi() -> Response:
        return Response(told.body(), media_type="application/json")

    return router
