"""The toolkit's own pages: preferences, the page of all components, and the answer to unknown addresses."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Request, Response
from fastapi.responses import JSONResponse

from aimass.infra.search import Search
from aimass.kernel.errors import Invalid, NotFound
from aimass.web.console import THEME_COOKIE, THEMES, Console
from aimass.web.i18n import LANGUAGE_COOKIE, LANGUAGES
from aimass.web.kit import kit_page, log_lines, refused_form
from aimass.web.visit import Visit, page_router
from aimass.web.words import KINDS, kind

YEAR_S = 31_536_000
MOST_HITS = 12
CHOICES = {"theme": (THEME_COOKIE, THEMES), "language": (LANGUAGE_COOKIE, tuple(LANGUAGES))}

router = page_router()
unknown = page_router()


@router.post("/console/preferences/{name}", name="preference")
def set_preference(request: Request, name: str, value: Annotated[str, Form()]) -> Response:
    """Keep the theme or the language of this browser."""
    if name not in CHOICES:
        raise NotFound(f"there is no preference {name!r}", value=name, allowed=sorted(CHOICES))
    cookie, allowed = CHOICES[name]
    if value not in allowed:
        raise Invalid(f"{name} {value!r} is not known", field=name, value=value, allowed=list(allowed))
    console: Console = request.app.state.console
    response = Response(status_code=204, headers={"HX-Refresh": "true"})
    secure = console.is_secure(request)
    response.set_cookie(cookie, value, max_age=YEAR_S, samesite="lax", secure=secure, path="/")
    return response


@router.get("/console/search", name="search", response_class=JSONResponse)
def search(visit: Visit, q: str) -> list[dict[str, str]]:
    """Find things by name for the palette; ``m:churn`` looks among models alone."""
    prefix, _, rest = q.partition(":")
    wanted = next((name for name, shown in KINDS.items() if rest and shown.key == prefix.strip()), None)
    hits = visit.get(Search).find(visit.who, rest if wanted else q, kind=wanted, limit=MOST_HITS)
    sign = visit.console.setup.bundle.icon
    return [
        {
            "title": visit.tell(hit.title),
            "sub": visit.say(kind(hit.kind).text),
            "href": hit.href,
            "icon": sign(kind(hit.kind).icon),
        }
        for hit in hits
    ]


@router.get("/console/_kit", name="kit")
def kit(visit: Visit) -> Response:
    """Show every component."""
    return kit_page(visit)


@router.post("/console/_kit/refused", name="kit_refused")
def kit_refused(visit: Visit) -> Response:
    """Refuse the sample form."""
    del visit
    return refused_form()


@router.get("/console/_kit/log", name="kit_log", response_class=JSONResponse)
def kit_log(visit: Visit, after: int = 0) -> dict[str, Any]:
    """Return the sample log."""
    del visit
    return log_lines(after)


@unknown.get("/{path:path}", name="unknown")
def no_such_page(path: str) -> Response:
    """Say that there is no such page."""
    raise NotFound(f"there is no page /{path}", value=f"/{path}", hint="go to the overview, or search with Ctrl K")
