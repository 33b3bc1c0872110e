"""What a page function gets and gives: the visit, and a router that turns every error into an answer for people."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias, TypeVar

import structlog
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from aimass.infra.search import Document
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError, Failed, Invalid, NotFound, Unauthenticated
from aimass.kernel.ids import new_id
from aimass.kernel.principal import Principal
from aimass.web.api.callers import require_workspace
from aimass.web.console import Console, target_of
from aimass.web.late import LateRoute, LateRoutes
from aimass.web.session import require_csrf

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_log = structlog.get_logger("aimass.web")
TOAST_COOKIE = "aimass_toast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What a room puts into a slot of another room's page: a template of its own, and what it shows."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVisit:
    """One visit of one page by somebody who is signed in.

    Attributes
    ----------
    who, workspace
        The visitor, and the workspace (slug) of the page.
    """

    request: Request
    console: Console
    who: Principal
    workspace: str

    def get(self, kind: type[T]) -> T:
        """Return a service."""
        return self.console.setup.registry.get(kind)

    def allows(self, permission: str, object_: str | None = None) -> bool:
        """Tell whether the visitor has a permission in this workspace."""
        return self.who.allows(permission, self.workspace, object_)

    def say(self, text: str, **values: Any) -> str:
        """Translate a text into the visitor's language."""
        return self.console.say(self.request, text, **values)

    def tell(self, text: str) -> str:
        """Tell a stored English sentence in the visitor's language; one of an unknown form stays as it is."""
        return self.console.telling(self.request)(text)

    def document(self, subject: str, workspace: str = "") -> Document | None:
        """Return title and page of what a subject (``run:01H...``) names, by the search hooks of the rooms.

        None when no room knows it in the workspace (that of the page, if none is given), or the visitor may not see it.
        """
        setup, place = self.console.setup, workspace or self.workspace
        hooks = (load(room.search) for room in setup.capabilities if room.search)
        found = (hook(setup.registry, place, subject) for hook in hooks if subject)
        known = next((one for one in found if one is not None), None)
        may = known is not None and self.who.allows(known.permission, place, known.key)
        return replace(known, title=self.tell(known.title)) if known is not None and may else None

    def panels(self, slot: str, **what: Any) -> list[Any]:
        """Return what rooms put into a slot of this page; see ``panels`` of a capability.

        Each face is called as ``face(visit, **what)``; one that has nothing to show here returns None and is left out.
        """
        faces = [c.panels[slot] for c in self.console.setup.capabilities if slot in c.panels]
        found = [load(face)(self, **what) for face in faces]
        return [one for one in found if one is not None]

    def render(self, template: str, *, parts: Mapping[str, str] | None = None, **context: Any) -> HTMLResponse:
        """Render a page, or the part of it that was asked for; see :meth:`Console.render`."""
        return self.console.render(self.request, template, parts=parts, **context)

    def fills(self, part: str) -> bool:
        """Tell whether the page that is shown already asks for a part of itself, by the id of the element."""
        return target_of(self.request) == part

    def go(self, address: str, toast: str = "") -> Response:
        """Send the visitor to another page, where the toast is shown."""
        by_htmx = self.request.headers.get("HX-Request") == "true"
        response = (
            Response(status_code=204, headers={"HX-Redirect": address}) if by_htmx else RedirectResponse(address, 303)
        )
        if toast:
            text = urlsafe_b64encode(json.dumps({"text": toast}).encode()).decode().rstrip("=")
            response.set_cookie(
                TOAST_COOKIE, text, max_age=30, samesite="lax", secure=self.console.is_secure(self.request), path="/"
            )
        return response

    def done(self, toast: str = "", *, undo: str = "", refresh: bool = True) -> Response:
        """Stay on the page after an action: show a toast, and let the parts that depend on it refresh themselves.

        With ``undo``, an address that takes the action back by POST, the toast offers that for 8 seconds.
        """
        shown = {"text": toast, **({"undo": undo} if undo else {})}
        events: dict[str, Any] = {"toast": shown} if toast else {}
        if refresh:
            events["refresh"] = {}
        return Response(status_code=204, headers={"HX-Trigger": json.dumps(events)})


def visit(request: Request) -> PageVisit:
    """Return the visit of a signed-in visitor; anybody else is sent to sign in."""
    console: Console = request.app.state.console
    who = console.who(request)
    if who.kind == "anonymous":
        raise Unauthenticated
    workspace = console.workspace(request)
    if request.path_params.get("workspace") and not who.knows(workspace):
        raise NotFound(f"there is no workspace {workspace!r}", field="workspace", value=workspace)
    require_workspace(request, who)
    return PageVisit(request=request, console=console, who=who, workspace=workspace)


Visit: TypeAlias = Annotated[PageVisit, Depends(visit)]


class PageRoute(APIRoute):
    """A route whose errors become pages, sign-in redirects or problem documents, and which is safe from forgery."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with both around it."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            console: Console = request.app.state.console
            try:
                require_csrf(request, console.signer)
                return await handle(request)
            except AimassError as error:
                return await run_in_threadpool(console.refuse, request, error)
            except RequestValidationError as error:
                return await run_in_threadpool(console.refuse, request, invalid(error))
            except Exception as error:  # noqa: BLE001 the last net: people get a page, the log gets the trace
                return await run_in_threadpool(console.refuse, request, _logged(request, error))

        return guarded


def invalid(error: RequestValidationError) -> Invalid:
    """Return the first complaint about a request as an error of ours."""
    first = error.errors()[0]
    field = str(first["loc"][:2][-1])  # behind where it came from; deeper stands which of several types was tried
    return Invalid(f"{field}: {first['msg']}", field=field, value=first.get("input"))


def _logged(request: Request, error: Exception) -> Failed:
    number = new_id()
    _log.error("page failed", request_id=number, path=request.url.path, exc_info=error)
    return Failed(
        "something inside AI Mass failed", hint=f"the log of control has the details under {number}", value=number
    )


class PageRouter(LateRoutes):
    """The pages of a room, in the order in which they are declared; each is built when it is first opened."""

    @property
    def routes(self) -> list[BaseRoute]:
        """Every page, built."""
        return self.all()

    def get(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare what answers GET; ``options`` are those of FastAPI's routes."""
        return self._declare("GET", path, options)

    def post(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare what answers POST."""
        return self._declare("POST", path, options)

    def delete(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare what answers DELETE."""
        return self._declare("DELETE", path, options)

    def include_router(self, pages: PageRouter) -> None:
        """Add the pages of another router behind these."""
        self.add(pages.late)

    def _declare(self, method: str, path: str, options: Mapping[str, Any]) -> Callable[[F], F]:
        given = {"response_class": HTMLResponse, "include_in_schema": False, **options}

        def declare(endpoint: F) -> F:
            self.add([LateRoute(path, lambda: PageRoute(path, endpoint, methods=[method], **given))])
            return endpoint

        return declare


def page_router() -> PageRouter:
    """Return a router for the pages of a room."""
    return PageRouter()
