"""Connections: where data lives, whether it answers, what it offers, and which of it is collected."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Depends, Form, Request, Response

from aimass.collector.commands import (
    CollectStreams,
    ConnectorInfo,
    CreateConnection,
    ListConnections,
    OneConnection,
    PreviewStream,
    StreamWish,
)
from aimass.collector.domain import ListSources, StartCollection
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import Invalid
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/connections"
ONE = f"{PATH}/{{connection}}"
MOST_SOURCES = 500


@router.get(PATH)
def connections(visit: Visit, cursor: str | None = None) -> Response:
    """Where does data come from, and did it answer when it was last asked?"""
    collector = visit.get(Collector)
    found = collector.list_connections(visit.who, ListConnections(workspace=visit.workspace, cursor=cursor))
    known = {one.name: one for one in collector.list_connectors(visit.who)}
    return visit.render(
        "collector/connections.html", found=found.items, next=found.next, known=known, fields=_fields, q=""
    )


async def filled(request: Request) -> dict[str, str]:
    """Return the fields of the form, whose names the connector decides."""
    return {name: str(value) for name, value in (await request.form()).items()}


@router.post(PATH)
def create(visit: Visit, form: Annotated[dict[str, str], Depends(filled)]) -> Response:
    """Create a connection."""
    info = next(
        (one for one in visit.get(Collector).list_connectors(visit.who) if one.name == form.get("connector")), None
    )
    if info is None:
        raise Invalid("there is no such connector", field="connector", value=form.get("connector"))
    wish = CreateConnection(
        workspace=visit.workspace, name=form.get("name", ""), connector=info.name, parameters=_given(info, form)
    )
    try:
        made = visit.get(Collector).create_connection(visit.who, wish)
    except Invalid as error:
        raise _at_field(error) from error
    return visit.go(
        f"/{visit.workspace}/connections/{made.slug}", toast=visit.say("%(name)s was created", name=made.name)
    )


@router.get(ONE)
def connection(visit: Visit, connection: str) -> Response:
    """How is it reached, does it answer, and which sources read from it?"""
    collector = visit.get(Collector)
    found = collector.get_connection(visit.who, OneConnection(workspace=visit.workspace, connection=connection))
    sources = collector.list_sources(visit.who, ListSources(workspace=visit.workspace, limit=MOST_SOURCES)).items
    info = next((one for one in collector.list_connectors(visit.who) if one.name == found.connector), None)
    mine = [one for one in sources if one.connection == found.slug]
    facts = [
        (name, value if isinstance(value, str) else orjson.dumps(value).decode())
        for name, value in found.parameters.items()
    ]
    return visit.render("collector/connection.html", found=found, info=info, sources=mine, reached=facts)


@router.post(f"{ONE}/check")
def check(visit: Visit, connection: str) -> Response:
    """Try whether it answers."""
    answer = visit.get(Collector).check_connection(visit.who, _one(visit, connection))
    return visit.done(visit.say("It answers") if answer.ok else visit.say("It does not answer as it should"))


@router.post(f"{ONE}/discovery")
def discover(visit: Visit, connection: str) -> Response:
    """Show what it offers."""
    streams = visit.get(Collector).discover_streams(visit.who, _one(visit, connection))
    return visit.render("collector/_streams.html", streams=streams, connection=connection)


@router.post(f"{ONE}/preview")
def preview(visit: Visit, connection: str, stream: Annotated[str, Form()]) -> Response:
    """Show a few rows of a stream as they would be stored."""
    wish = PreviewStream(workspace=visit.workspace, connection=connection, stream=stream)
    shown = visit.get(Collector).preview_stream(visit.who, wish)
    return visit.render("collector/_stream_rows.html", shown=shown, stream=stream)


@router.post(f"{ONE}/sources")
def collect(
    visit: Visit,
    connection: str,
    streams: Annotated[list[str] | None, Form()] = None,
    drift: Annotated[str, Form()] = "evolve",
) -> Response:
    """Make a source of each chosen stream, and collect them for the first time."""
    if not streams:
        raise Invalid("choose at least one", field="streams")
    collector = visit.get(Collector)
    policy: Any = drift if drift in ("propose", "freeze") else "evolve"
    wishes = [StreamWish(stream=name) for name in streams]
    wish = CollectStreams(workspace=visit.workspace, connection=connection, streams=wishes, drift=policy)
    made = collector.collect_streams(visit.who, wish)
    for source in made:
        collector.start_collection(visit.who, StartCollection(workspace=visit.workspace, source=source.slug))
    text = visit.say("%(n)d streams are being collected", n=len(made))
    return visit.go(f"/{visit.workspace}/collections", toast=text)


@router.delete(ONE)
def delete(visit: Visit, connection: str) -> Response:
    """Delete a connection and its secrets."""
    visit.get(Collector).delete_connection(visit.who, _one(visit, connection))
    return visit.go(f"/{visit.workspace}/connections", toast=visit.say("%(name)s is gone for good", name=connection))


def _at_field(error: Invalid) -> Invalid:
    """Name the field of the form instead of the parameter of the connector."""
    if error.field:
        error.field = error.field.replace("parameters.", "p_", 1)
    return error


def _one(visit: PageVisit, connection: str) -> OneConnection:
    return OneConnection(workspace=visit.workspace, connection=connection)


def _fields(info: ConnectorInfo) -> list[dict[str, Any]]:
    """Return what a form asks for: a field for each parameter, by its JSON schema."""
    needed = set(info.parameters.get("required", ()))
    return [
        {
            "name": name,
            "kind": _kind(told, is_secret=name in info.secrets),
            "help": told.get("description", ""),
            "default": _shown(told.get("default")),
            "options": _options(told),
            "is_needed": name in needed,
        }
        for name, told in info.parameters.get("properties", {}).items()
    ]


def _options(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(one), str(one)) for one in told.get("enum", ())]


def _kind(told: dict[str, Any], *, is_secret: bool) -> str:
    kinds = {told.get("type"), *(one.get("type") for one in told.get("anyOf", ()))} - {None, "null"}
    if is_secret:
        return "secret"
    if told.get("enum"):
        return "choice"
    if kinds <= {"string"} and kinds:
        return "text"
    return "boolean" if kinds == {"boolean"} else "json"


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _given(info: ConnectorInfo, form: dict[str, str]) -> dict[str, Any]:
    """Read the parameters of a form; an empty field is left out."""
    given: dict[str, Any] = {}
    for field in _fields(info):
        text = form.get(f"p_{field['name']}", "")
        if field["kind"] == "boolean":
            given[field["name"]] = text == "true"
        elif text.strip():
            given[field["name"]] = _value(field, text)
    return given


def _value(field: dict[str, Any], text: str) -> Any:
    if field["kind"] != "json":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
