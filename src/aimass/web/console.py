"""The console: renders the pages of all rooms in one shell, and says in plain words what went wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from aimass.kernel.capability import Capability, load
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import AimassError, Failed
from aimass.kernel.principal import ANONYMOUS, Principal
from aimass.kernel.registry import Registry
from aimass.web.address import Address
from aimass.web.bundle import AssetFiles, Bundle
from aimass.web.i18n import language_of
from aimass.web.menu import menu
from aimass.web.session import CSRF_COOKIE, Signer, csrf_token
from aimass.web.telling import Said, Telling
from aimass.web.templating import Environments
from aimass.web.ways import Ways

THEME_COOKIE = "theme"
WORKSPACE_COOKIE = "workspace"
THEMES = ("system", "light", "dark")
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Vary": "HX-Request, HX-Target, Cookie, Accept-Encoding",
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
PROGRAMS = ("/api/", "/v2/", "/oauth2/", "/.well-known/", "/static/")
PACK_FROM_BYTES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace as the switcher shows it."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A counter in the top bar, for example of running jobs; ``topic`` is the live topic that keeps it fresh."""

    icon: str
    label: str
    count: int
    href: str
    tone: str = "mute"
    topic: str = ""


def _no_badges(_who: Principal, _workspace: str) -> Sequence[Badge]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSetup:
    """What the console needs from the rest of the platform.

    Attributes
    ----------
    capabilities
        All rooms; their ``console`` routers, ``templates`` folders and ``pages`` make the console.
    authenticate
        Tells who sent a request (session cookie or API key); the anonymous principal if nobody.
    workspaces
        Workspaces that a principal may see.
    registry
        The services, for the pages.
    secret
        Signs session and CSRF cookies; at least 32 bytes.
    badges
        Counters for the top bar of a workspace.
    secure
        True where the console is reached by TLS: cookies then carry ``Secure``.
    """

    capabilities: Sequence[Capability]
    authenticate: Callable[[Request], Principal]
    workspaces: Callable[[Principal], Sequence[Workspace]]
    registry: Registry
    secret: bytes
    badges: Callable[[Principal, str], Sequence[Badge]] = _no_badges
    secure: bool = False
    clock: Clock = field(default_factory=SystemClock)
    bundle: Bundle = field(default_factory=Bundle)


class Console:
    """The pages of all rooms in one shell.

    Parameters
    ----------
    setup
        What it needs from the platform.
    """

    def __init__(self, setup: ConsoleSetup) -> None:
        self.setup = setup
        self.signer = Signer(secret=setup.secret)
        self.ways = Ways(setup.capabilities)
        self.environments = Environments(_rooms(setup.capabilities), setup.bundle, setup.clock, {"way": self.ways.way})

    def install(self, app: FastAPI) -> None:
        """Add the assets, the pages of the toolkit and those of all rooms; the last router takes unknown addresses."""
        app.state.console = self
        app.mount("/static", AssetFiles(directory=self.setup.bundle.folder), name="static")
        rooms = [capability.console for capability in self.setup.capabilities if capability.console]
        for face in ("aimass.web.pages:router", *rooms, "aimass.web.pages:unknown"):
            app.router.routes.append(load(face))

    def who(self, request: Request) -> Principal:
        """Return who sent the request; asked once per request."""
        if not hasattr(request.state, "principal"):
            request.state.principal = self.setup.authenticate(request)
        return request.state.principal

    def workspace(self, request: Request) -> str:
        """Return the slug of the workspace of a request: of its path, else the last one visited, else the first."""
        named = request.path_params.get("workspace")
        if named:
            return str(named)
        known = [w.slug for w in self.setup.workspaces(self.who(request))]
        last = request.cookies.get(WORKSPACE_COOKIE, "")
        return last if last in known else next(iter(known), "")

    def say(self, request: Request, text: str, **values: Any) -> str:
        """Translate a text into the language of the request."""
        return Said(self.environments[language_of(request)].globals["say"](text, **values))

    def telling(self, request: Request) -> Telling:
        """Return what tells stored sentences and errors in the language of the request."""
        tell: Telling = self.environments[language_of(request)].globals["tell"]
        return tell

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        parts: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render a page, or the part of it that an htmx request asks for.

        Parameters
        ----------
        request
            The request.
        template
            Name of the page's template, for example ``lake/datasets.html``.
        status
            HTTP status.
        parts
            Id of an element to the template of that part alone: when htmx wants to fill the element ``#rows``,
            ``{"rows": "lake/_rows.html"}`` renders only the rows.
        context
            Variables for the template.
        """
        part = (parts or {}).get(target_of(request))
        shell = self._bare(request) if part else self._shell(request)
        text = self.environments[language_of(request)].get_template(part or template).render(**{**shell, **context})
        response = packed(request, text, status)
        self._keep(request, response, shell)
        return response

    def refuse(self, request: Request, error: AimassError) -> Response:
        """Answer with an error: a page for people, a redirect to sign in, a problem document for htmx and programs."""
        asked_by_htmx = request.headers.get("HX-Request") == "true"
        if request.url.path.startswith(PROGRAMS) or "text/html" not in request.headers.get("accept", ""):
            return problem(error)
        if error.status == 401:  # noqa: PLR2004 nobody is signed in
            address = f"/login?next={quote(_local(request))}"
            return problem(error, {"HX-Redirect": address}) if asked_by_htmx else RedirectResponse(address, 303)
        told = self.telling(request).error(error)
        if asked_by_htmx:
            return problem(error, told=told)
        return self.render(request, "pages/error.html", status=error.status, error=error, told=told)

    def _bare(self, request: Request) -> dict[str, Any]:
        """Return the variables that every template may count on, pages and parts alike."""
        who = self.who(request)
        workspace = self.workspace(request)
        return {
            "request": request,
            "who": who,
            "workspace": workspace,
            "base": f"/{workspace}",
            "here": Address.of(request),
            "allows": lambda permission, object_=None: who.allows(permission, workspace, object_),
            "csrf": csrf_token(request, self.signer),
        }

    def _shell(self, request: Request) -> dict[str, Any]:
        """Return what the page shell needs on top."""
        bare = self._bare(request)
        who, workspace = bare["who"], bare["workspace"]
        known = () if who is ANONYMOUS else self.setup.workspaces(who)
        theme = request.cookies.get(THEME_COOKIE, "system")
        return {
            **bare,
            "theme": theme if theme in THEMES else "system",
            "menu": menu(self.setup.capabilities, who, workspace, request.url.path),
            "workspaces": known,
            "workspace_name": next((w.name for w in known if w.slug == workspace), workspace),
            "badges": self.setup.badges(who, workspace) if workspace and known else (),
        }

    def _keep(self, request: Request, response: Response, shell: Mapping[str, Any]) -> None:
        cookies = {CSRF_COOKIE: shell["csrf"]}
        if shell["workspace"] in {w.slug for w in shell.get("workspaces", ())}:
            cookies[WORKSPACE_COOKIE] = shell["workspace"]
        for name, value in cookies.items():
            if request.cookies.get(name) != value:
                secret = name == CSRF_COOKIE
                secure = self.is_secure(request)
                response.set_cookie(name, value, httponly=secret, samesite="lax", secure=secure, path="/")

    def is_secure(self, request: Request) -> bool:
        """Tell whether cookies may only travel encrypted: always, or because this request came encrypted."""
        return self.setup.secure or request.url.scheme == "https"


def target_of(request: Request) -> str:
    """Return the id of the element that htmx will fill (it sends ``tag#id``), or an empty string."""
    if request.headers.get("HX-Request") != "true":
        return ""
    return request.headers.get("HX-Target", "").rpartition("#")[2]


def problem(
    error: AimassError, headers: Mapping[str, str] | None = None, told: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Return the error as an RFC 9457 problem document; ``told`` is how a page tells it, for the page's own scripts."""
    fixed = {"Vary": HEADERS["Vary"], **(headers or {})}
    body = {**error.problem(), **({"told": told} if told else {})}
    return JSONResponse(body, error.status, media_type="application/problem+json", headers=fixed)


def packed(request: Request, text: str, status: int) -> HTMLResponse:
    """Return the page, packed when it is worth it and the browser takes it."""
    body, headers = text.encode(), dict(HEADERS)
    if len(body) >= PACK_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = gzip.compress(body, 5, mtime=0), "gzip"
    return HTMLResponse(body, status, headers)


def _local(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _rooms(capabilities: Sequence[Capability]) -> dict[str, Path]:
    """Return the folder of each room that has pages."""
    return {c.name: _folder(c) for c in capabilities if c.console}


def _folder(capability: Capability) -> Path:
    """Return the nearest package around the pages that has templates."""
    package = (capability.console or "").partition(":")[0].rpartition(".")[0]
    while package:
        spec = find_spec(package)
        places = spec.submodule_search_locations if spec else None
        folder = next((Path(p) for p in places or () if (Path(p) / "templates").is_dir()), None)
        if folder:
            return folder
        package = package.rpartition(".")[0]
    raise Failed(f"no folder 'templates' is beside {capability.console!r}, the pages of {capability.name!r}")
