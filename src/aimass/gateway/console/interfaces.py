"""Pages about what can be called: every model and service behind the gateway, described, and tried out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Form, Response

from aimass.gateway.domain.interfaces import GetOpenapi, ListInterfaces, TryRequest
from aimass.gateway.domain.openapi import METHODS
from aimass.gateway.service import Gateway
from aimass.gateway.service.interfaces import LEFT_OUT
from aimass.kernel.errors import Invalid
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/gateway/interfaces"
_MOST_SHOWN = 200_000
_BODIES = frozenset({"post", "put", "patch", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation, as it is shown."""

    name: str
    where: str
    kind: str
    is_required: bool
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation, as it is shown; ``schema`` and ``example`` are JSON to read, empty without a body."""

    method: str
    path: str
    summary: str
    about: str
    parameters: list[Parameter]
    schema: str
    example: str
    takes_body: bool


@router.get(PATH)
def interfaces(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """What can be called behind this gateway, and where?"""
    wish = ListInterfaces(workspace=visit.workspace, q=q.strip(), cursor=cursor)
    found = visit.get(Gateway).list_interfaces(visit.who, wish)
    return visit.render(
        "gateway/interfaces.html",
        parts={"interfaces": "gateway/_interfaces.html"},
        tab="interfaces",
        found=found.items,
        next=found.next,
        q=q,
    )


@router.get(f"{PATH}/-/openapi.json")
def document(visit: Visit, of: str = "") -> Response:
    """Give the OpenAPI document of everything, or of one model or service, to a tool that reads it."""
    found = visit.get(Gateway).get_openapi(visit.who, GetOpenapi(workspace=visit.workspace, of=of))
    name = of.replace(":", "-") or visit.workspace
    headers = {"Content-Disposition": f'attachment; filename="{name}-openapi.json"'}
    return Response(orjson.dumps(found), media_type="application/json", headers=headers)


@router.get(f"{PATH}/{{kind}}/{{name}}")
def interface(visit: Visit, kind: str, name: str, op: int = 0) -> Response:
    """How is this one called, with which values, and what does it answer?"""
    of = f"{kind}:{name}"
    found = visit.get(Gateway).get_openapi(visit.who, GetOpenapi(workspace=visit.workspace, of=of))
    operations = operations_of(found)
    return visit.render(
        "gateway/interface.html",
        kind=kind,
        name=name,
        of=of,
        operations=operations,
        number=max(0, min(op, len(operations) - 1)),
        why=found[LEFT_OUT].get(of, ""),
        may_try=visit.allows("gateway.use" if kind == "service" else "serving.use"),
    )


@router.post(f"{PATH}/-/try")
def send(
    visit: Visit,
    method: Annotated[str, Form()],
    path: Annotated[str, Form()],
    headers: Annotated[str, Form()] = "",
    body: Annotated[str, Form()] = "",
) -> Response:
    """Send a request through the gateway and show the answer."""
    given: Any = method.upper()
    wish = TryRequest(
        workspace=visit.workspace, method=given, path=path.strip(), headers=_headers(headers), body=body.strip()
    )
    said = visit.get(Gateway).try_request(visit.who, wish)
    return visit.render("gateway/_tried.html", said=said, shown=_readable(said.body)[:_MOST_SHOWN])


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a document in the order in which it names them."""
    found: list[Operation] = []
    for path, item in document["paths"].items():
        shared = item.get("parameters")
        found += [
            _operation(document, path, method, item[method], shared)
            for method in METHODS
            if isinstance(item.get(method), dict)
        ]
    return found


def _operation(document: Mapping[str, Any], path: str, method: str, said: Mapping[str, Any], shared: Any) -> Operation:
    asked = [*_list(shared), *_list(said.get("parameters"))]
    content = _mapping(_resolved(document, said.get("requestBody")).get("content"))
    body = _mapping(content.get("application/json") or next(iter(content.values()), {}))
    schema = _resolved(document, body.get("schema"))
    example = body.get("example", schema.get("example"))
    return Operation(
        method=method.upper(),
        path=path,
        summary=str(said.get("summary") or ""),
        about=str(said.get("description") or ""),
        parameters=[_parameter(_resolved(document, one)) for one in asked],
        schema=_pretty(schema) if schema else "",
        example="" if example is None else _pretty(example),
        takes_body=method in _BODIES,
    )


def _parameter(said: Mapping[str, Any]) -> Parameter:
    schema = _mapping(said.get("schema"))
    kind = schema.get("type", "")
    return Parameter(
        name=str(said.get("name", "")),
        where=str(said.get("in", "")),
        kind=", ".join(map(str, kind)) if isinstance(kind, list) else str(kind),
        is_required=bool(said.get("required")),
        about=str(said.get("description") or ""),
    )


def _resolved(document: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Return what a value says, or what it refers to in the document; nothing where that is not there."""
    found = _mapping(value)
    reference = found.get("$ref")
    if not isinstance(reference, str):
        return found
    place: Any = document
    for part in reference.removeprefix("#/").split("/"):
        place = _mapping(place).get(part)
    return _mapping(place)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _readable(text: str) -> str:
    """Return JSON with line ends, and anything else as it is."""
    try:
        return _pretty(orjson.loads(text))
    except (orjson.JSONDecodeError, RecursionError):
        return text


def _headers(text: str) -> dict[str, str]:
    """Read headers, one on a line.

    Examples
    --------
    >>> _headers("Accept: text/plain")
    {'Accept': 'text/plain'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise Invalid(f"{line[:80]!r} is no header", field="headers", value=line[:80], allowed="Name: value")
        if line.strip():
            found[name.strip()] = value.strip()
    return found
