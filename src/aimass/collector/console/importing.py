"""Bring a file in: send it, look at the proposed types, confirm them, collect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, BinaryIO
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import Form, Query, Request, Response
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from aimass.collector.connectors.file.plan import FORMATS, OF_PICTURES, FileFormat
from aimass.collector.domain import (
    READING,
    ColumnPlan,
    CreateSource,
    ListSources,
    PinTypes,
    Proposal,
    ProposedColumn,
    ProposeTypes,
    Source,
    StartCollection,
    Upload,
)
from aimass.collector.errors import too_large
from aimass.collector.service.collector import Collector
from aimass.collector.settings import CollectorSettings
from aimass.infra.blobs import Blobs
from aimass.kernel.errors import Invalid
from aimass.kernel.names import slug_of
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/sources/-/import"
CHUNK = 1 << 20
EDITED = 200
MOST = 500
TYPES = ("string", "integer", "float", "boolean", "timestamp", "date", "numbers")
SLACK = 64 * 1024
_SAID = ("format", "delimiter", "encoding", "sheet", "record_path", "fit")


@router.post(PATH)
async def send(visit: Visit, request: Request) -> Response:
    """Take a file, then show how it would be read."""
    visit.who.need("collector.use", visit.workspace)
    limit = CollectorSettings().max_upload_bytes
    if int(request.headers.get("content-length") or 0) > limit + SLACK:
        raise too_large(limit)
    async with request.form(max_files=1) as form:
        file, dataset = form.get("file"), str(form.get("dataset") or "")
        if not isinstance(file, UploadFile) or not file.size:
            raise Invalid(
                visit.say("Choose a file that is not empty"),
                field="file",
                hint=", ".join(f.title for f in FORMATS.values()),
            )
        name = str(form.get("name") or "").strip()
        blob = await to_thread.run_sync(visit.get(Blobs).put, _chunks(file.file))
        kept = Upload(upload=blob.sha256, size=blob.size, filename=(file.filename or "")[:255])
    await to_thread.run_sync(visit.get(Collector).keep_upload, visit.who, visit.workspace, kept)
    wanted = {"upload": kept.upload, "filename": kept.filename, "dataset": dataset, "name": name}
    address = urlencode({key: value for key, value in wanted.items() if value})
    return visit.go(f"/{visit.workspace}/sources/-/import?{address}")


class Wanted(BaseModel):
    """What the address of the page asks for: the file, where it goes, and how it is written if that is known."""

    upload: str
    filename: str = ""
    dataset: str = ""
    name: str = ""
    format: str = ""
    delimiter: str = ""
    encoding: str = ""
    header: str = ""
    sheet: str = ""
    skip_rows: str = ""
    record_path: str = ""
    widths: str = ""
    sample_rate: str = ""
    clip_ms: str = ""
    width: str = ""
    height: str = ""
    channels: str = ""
    fit: str = ""
    again: bool = False

    def given(self) -> dict[str, Any]:
        """Return what is known of how the file is written."""
        known: dict[str, Any] = {name: getattr(self, name) for name in _SAID if getattr(self, name)}
        for name in ("skip_rows", "sample_rate", "clip_ms", "width", "height", "channels"):
            if text := getattr(self, name).strip():
                known[name] = _whole(text, name)
        if widths := self.widths.replace(",", " ").split():
            known["widths"] = [_whole(width, "widths") for width in widths]
        return known | ({"header": self.header == "yes"} if self.header else {})


def _whole(text: str, field: str) -> int:
    if not text.strip().isdecimal():
        raise Invalid(f"{text!r} is no whole number", field=field, value=text, allowed="0, 1, 2, ...")
    return int(text)


class Confirmed(Wanted):
    """The confirmed types: one for each of the first columns, and the numbers of those that are never empty."""

    types: list[str] = []
    needed: list[int] = []
    mode: str = "append"
    max_reject_percent: float = 20.0


@router.get(PATH)
def propose(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """How will my file be read, is that right, and where does it go?"""
    source = _pinned_source(visit, wanted.dataset)
    if source is not None and not wanted.again:
        visit.who.need("collector.use", visit.workspace, f"source:{source.slug}")
        return visit.render("collector/known.html", wanted=wanted, source=source)
    proposal = _proposal(visit, wanted)
    name = wanted.name or (wanted.filename.rpartition(".")[0] or wanted.filename).strip() or visit.say("New dataset")
    return visit.render(
        "collector/import.html",
        wanted=wanted,
        proposal=proposal,
        shown=proposal.columns[:EDITED],
        name=name,
        types=_types(proposal.format),
        source=source,
        sheets=[(name, name) for name in proposal.sheets],
        options=_options(proposal),
    )


def _types(form: str) -> tuple[str, ...]:
    """Return the types that columns of a format can have."""
    return TYPES + (OF_PICTURES if form == "pictures" else ())


def _options(proposal: Proposal) -> tuple[str, ...]:
    """Return what may be said of a file in this format."""
    return FORMATS.get(proposal.format, FileFormat(title="")).options


@router.post(f"{PATH}/confirm")
def confirm(visit: Visit, wanted: Annotated[Confirmed, Form()]) -> Response:
    """Pin the types and start the collection."""
    proposal = _proposal(visit, wanted)
    source = _pinned_source(visit, wanted.dataset) or _source(visit, wanted)
    collector, columns = visit.get(Collector), _columns(proposal, wanted)
    plan = PinTypes(
        workspace=visit.workspace,
        source=source.slug,
        columns=columns,
        **{name: getattr(proposal, name) for name in READING},
    )
    collector.pin_types(visit.who, plan)
    return _start(visit, source.slug, wanted)


@router.post(f"{PATH}/known")
def collect_known(visit: Visit, source: Annotated[str, Form()], wanted: Annotated[Wanted, Form()]) -> Response:
    """Collect the file by the types that were confirmed before."""
    return _start(visit, source, wanted)


def _start(visit: PageVisit, source: str, wanted: Wanted) -> Response:
    wish = StartCollection(workspace=visit.workspace, source=source, upload=wanted.upload, filename=wanted.filename)
    started = visit.get(Collector).start_collection(visit.who, wish)
    return visit.go(f"/{visit.workspace}/collections/{started.id}")


def _proposal(visit: PageVisit, wanted: Wanted) -> Proposal:
    wish = ProposeTypes(workspace=visit.workspace, upload=wanted.upload, filename=wanted.filename, given=wanted.given())
    return visit.get(Collector).propose_types(visit.who, wish)


def _columns(proposal: Proposal, wanted: Confirmed) -> list[ColumnPlan]:
    """Return the columns as they were confirmed; those that the page did not show as they were proposed."""
    changed = [
        replace(column, type=kind, nullable=number not in wanted.needed)
        for number, (column, kind) in enumerate(zip(proposal.columns, wanted.types, strict=False))
    ]
    allowed = _types(proposal.format)
    return [_planned(column, allowed) for column in (*changed, *proposal.columns[len(changed) :])]


def _planned(column: ProposedColumn, allowed: tuple[str, ...]) -> ColumnPlan:
    if column.type not in allowed:
        raise Invalid(f"type {column.type!r} is unknown", field="types", value=column.type, allowed=list(allowed))
    return ColumnPlan(name=column.name, type=column.type, nullable=column.nullable)  # pyright: ignore[reportArgumentType] one of them


def _source(visit: PageVisit, wanted: Confirmed) -> Source:
    """Return the source of this name that was never confirmed, or a new one with its dataset."""
    known = {source.slug: source for source in _sources(visit)}
    found = known.get(slug_of(wanted.name))
    if found is not None and not found.is_pinned and wanted.dataset in ("", found.dataset):
        return found
    wish = CreateSource(
        workspace=visit.workspace,
        name=wanted.name,
        dataset=wanted.dataset or None,
        mode="replace" if wanted.mode == "replace" else "append",
        max_reject_rate=wanted.max_reject_percent / 100,
    )
    return visit.get(Collector).create_source(visit.who, wish)


def _pinned_source(visit: PageVisit, dataset: str) -> Source | None:
    """Return the source that fills a dataset with confirmed types."""
    return next((s for s in _sources(visit) if dataset and s.dataset == dataset and s.is_pinned), None)


def _sources(visit: PageVisit) -> list[Source]:
    return visit.get(Collector).list_sources(visit.who, ListSources(workspace=visit.workspace, limit=MOST)).items


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk
