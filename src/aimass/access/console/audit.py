"""The audit log: read, filter, verify, export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

import orjson
from fastapi import Query, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel

from aimass.access.console.forms import MANAGE, manages_platform, workspaces_of
from aimass.access.domain.audit import AuditEntry, ExportAudit, ListAudit
from aimass.access.service.access import Access
from aimass.infra.search import Document
from aimass.kernel.principal import ANYWHERE
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/settings/audit"
STRETCH = 500
_ULID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@router.get("/settings/audit")
def of_platform(visit: Visit) -> Response:
    """Open the log of the last workspace."""
    return RedirectResponse(f"/{visit.workspace}/settings/audit" if visit.workspace else "/", 303)


class Wanted(BaseModel):
    """What the address of the page asks for."""

    q: str = ""
    action: str = ""
    object: str = ""
    span: Literal["", "1h", "24h", "7d", "30d"] = ""
    scope: str = ""
    cursor: str | None = None


@router.get(PATH)
def audit(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """Show the audit log.

    The question: who did what, when, and has anybody tampered with that?
    """
    place = _place(visit, wanted.scope)
    since = visit.console.setup.clock.now() - SPANS[wanted.span] if wanted.span else None
    wish = ListAudit(
        workspace=place,
        actor=wanted.q or None,
        action=wanted.action or None,
        object=wanted.object or None,
        since=since,
        cursor=wanted.cursor,
    )
    page = visit.get(Access).list_audit(visit.who, wish)
    rows = rows_of(visit, page.items)
    rooms = sorted({c.name.removeprefix("apps.") for c in visit.console.setup.capabilities})
    places = workspaces_of(visit) if manages_platform(visit) else []
    parts, more = {"audit": "access/_audit.html"}, {"rooms": rooms, "places": places, "scope": place}
    return visit.render("access/audit.html", parts=parts, found=page, rows=rows, wanted=wanted, q=wanted.q, **more)


@router.get(f"{PATH}/verification")
def verify(visit: Visit) -> Response:
    """Check the chain and its signed heads now."""
    visit.who.need(MANAGE, ANYWHERE)
    report = visit.get(Access).inspect_audit()
    return visit.render("access/_verified.html", report=report, now=visit.console.setup.clock.now())


@router.get(f"{PATH}/export")
def export(visit: Visit) -> Response:
    """Download the sealed rows exactly as they are hashed, one JSON object a line."""
    visit.who.need(MANAGE, ANYWHERE)
    name = f"audit-{visit.console.setup.clock.now():%Y%m%d-%H%M%S}.ndjson"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(visit), media_type="application/x-ndjson", headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """An entry with names instead of ids."""

    entry: AuditEntry
    kind: str
    object: str
    href: str
    details: list[tuple[str, str, str]]


def rows_of(visit: PageVisit, entries: Sequence[AuditEntry]) -> list[AuditRow]:
    """Return entries as people read them: the names and pages of things for their ids, and of an id alone its end."""
    names = visit.get(Access).names_of(one.object.partition(":")[2] for one in entries)
    things = {(one.object, one.workspace) for one in entries}
    pages = {thing: visit.document(*thing) for thing in things}
    return [_row(entry, names, pages[entry.object, entry.workspace]) for entry in entries]


def _row(entry: AuditEntry, names: Mapping[str, str], page: Document | None) -> AuditRow:
    kind, _, id_ = entry.object.partition(":")
    name = page.title if page else _short(names.get(id_, id_) or kind)
    details = [(name, _words(value)) for name, value in entry.detail.items() if value not in (None, "", [], {})]
    shown = [(name, _short(text), text) for name, text in details]
    return AuditRow(entry=entry, kind=kind if id_ else "", object=name, href=page.href if page else "", details=shown)


def _words(value: Any) -> str:
    """Write a detail for reading; a change is a document of ``from`` and ``to``.

    Examples
    --------
    >>> _words(["lake.read", "serving.use"]), _words({"rows": 1, "device": {"from": "auto", "to": None}})
    ('lake.read, serving.use', 'rows 1, device auto → –')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        parts = dict(cast("Mapping[str, Any]", value))
        if parts.keys() == {"from", "to"}:
            return f"{_words(parts['from'])} → {_words(parts['to'])}"
        return ", ".join(f"{name} {_words(one)}" for name, one in parts.items())
    plain = isinstance(value, list) and all(isinstance(one, (str, int)) for one in value)
    return ", ".join(map(str, value)) if plain else orjson.dumps(value).decode()


def _short(text: str) -> str:
    """Shorten ids to their ends, and hashes to their beginnings.

    Examples
    --------
    >>> _short("review:01M7XZ9GAFA8NDA4BHE18Y04T4"), _short("editor"), _short("ab12" * 16)
    ('review:…8Y04T4', 'editor', 'ab12ab12ab…')
    """
    return _HASH.sub(lambda found: f"{found[0][:10]}…", _ULID.sub(lambda found: f"…{found[0][-6:]}", text))


def _lines(visit: PageVisit) -> Iterator[bytes]:
    access, after = visit.get(Access), 0
    while True:
        stretch = access.export_audit(visit.who, ExportAudit(after=after, limit=STRETCH))
        yield from (orjson.dumps(asdict(line), option=orjson.OPT_APPEND_NEWLINE) for line in stretch.rows)
        if stretch.next is None:
            return
        after = stretch.next


def _place(visit: PageVisit, scope: str) -> str:
    """Return whose log is shown: of one workspace, or of the platform for who manages all of it."""
    if scope:
        return scope
    return ANYWHERE if manages_platform(visit) else visit.workspace
