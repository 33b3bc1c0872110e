"""Each request belongs to the trace that the gateway says it does; what it writes and starts belongs to it too."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from aimass.kernel.tracing import trace_of, tracing


class Traced:
    """Puts what answers a request into the request's trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        parent = next((value for name, value in scope.get("headers", ()) if name == b"traceparent"), b"")
        with tracing(trace_of(parent.decode("latin-1"))):
            await self._app(scope, receive, send)
