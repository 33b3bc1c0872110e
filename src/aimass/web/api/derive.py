"""Derive REST routes from use cases: the declaration is the one place where an operation is described."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass
from functools import partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import annotated_types
import orjson
from fastapi import Body, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.fields import FieldInfo
from starlette.responses import Response

from aimass.infra.compute import Stop
from aimass.kernel.errors import Invalid
from aimass.kernel.numbers import whole
from aimass.kernel.usecase import UseCase
from aimass.web.api.callers import caller
from aimass.web.api.waiting import while_waiting
from aimass.web.late import LateRoute, LateRoutes

_PATH_FIELD = re.compile(r"\{(\w+)\}")
_IF_MATCH = "expected_version"


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where each field of a command comes from."""

    command: type | None
    in_path: tuple[str, ...]
    in_query: tuple[str, ...]
    body: type[BaseModel] | None
    if_match: bool


class UseCaseRoutes(LateRoutes):
    """One route per use case, below a prefix; the first that fits answers, as in a router.

    Parameters
    ----------
    services
        Each use case with the service object that carries it.
    """

    def __init__(self, services: Iterable[tuple[UseCase, object]], prefix: str = "") -> None:
        super().__init__(
            LateRoute(prefix + case.path, partial(_route, case, service, prefix)) for case, service in services
        )


def _route(case: UseCase, service: object, prefix: str) -> APIRoute:
    shape = _shape_of(case)
    return APIRoute(
        prefix + case.path,
        _endpoint(case, shape, getattr(service, case.name.rpartition(".")[2])),
        methods=[case.method],
        operation_id=case.name,
        summary=case.summary,
        description=case.help,
        tags=[case.name.partition(".")[0]],
        status_code=204 if case.result is type(None) else case.status,
        response_model=None if case.result is type(None) else case.result,
    )


def _help_of(hint: Any) -> str | None:
    notes = (
        [m for m in get_args(hint)[1:] if isinstance(m, annotated_types.DocInfo)]
        if get_origin(hint) is Annotated
        else []
    )
    return notes[0].documentation if notes else None


def _shape_of(case: UseCase) -> _Shape:
    command = case.command
    if command is None:
        return _Shape(None, (), (), None, if_match=False)
    names = [f.name for f in dataclasses.fields(command)]
    in_path = tuple(n for n in _PATH_FIELD.findall(case.path) if n in names)
    rest = [n for n in names if n not in in_path and n != _IF_MATCH]
    if case.method in ("GET", "DELETE"):
        return _Shape(command, in_path, tuple(rest), None, if_match=_IF_MATCH in names)
    return _Shape(command, in_path, (), _body_model(command, rest), if_match=_IF_MATCH in names)


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return MISSING if field.default_factory is MISSING else field.default_factory()


def _body_model(command: type, names: list[str]) -> type[BaseModel] | None:
    if not names:
        return None
    hints = get_type_hints(command, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(command):
        if field.name in names:
            info: Any = FieldInfo(description=_help_of(hints[field.name]))
            if field.default_factory is not MISSING:
                info = FieldInfo(description=_help_of(hints[field.name]), default_factory=field.default_factory)
            elif field.default is not MISSING:
                info = FieldInfo(description=_help_of(hints[field.name]), default=field.default)
            fields[field.name] = (hints[field.name], info)
    return create_model(command.__name__, __config__={"extra": "forbid"}, **fields)


def _parameters(shape: _Shape) -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("request", keyword, annotation=Request)]
    if shape.command is None:
        return parameters
    hints = get_type_hints(shape.command, include_extras=True)
    for field in dataclasses.fields(shape.command):
        note = _help_of(hints[field.name])
        if field.name in shape.in_path:
            annotation = Annotated[hints[field.name], Path(description=note)]
            parameters.append(inspect.Parameter(field.name, keyword, annotation=annotation))
        elif field.name in shape.in_query:
            default = _default_of(field)
            annotation = Annotated[hints[field.name], Query(description=note)]
            empty = inspect.Parameter.empty if default is MISSING else default
            parameters.append(inspect.Parameter(field.name, keyword, annotation=annotation, default=empty))
    if shape.body is not None:
        needed = any(f.is_required() for f in shape.body.model_fields.values())
        default = inspect.Parameter.empty if needed else shape.body()
        parameters.append(inspect.Parameter("body", keyword, annotation=Annotated[shape.body, Body()], default=default))
    return parameters


def _expected_version(request: Request) -> int | None:
    text = request.headers.get("if-match", "").strip().strip('"')
    if not text or text == "*":
        return None
    number = whole(text)
    if number is None:
        raise Invalid("If-Match wants the ETag of the object", field="If-Match", value=text, allowed='"<version>"')
    return number


def _endpoint(case: UseCase, shape: _Shape, method: Callable[..., Any]) -> Callable[..., Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(case.result)

    def call(given: dict[str, Any], **more: Any) -> Response:
        request: Request = given.pop("request")
        who = caller(request, everywhere=case.is_everywhere)
        command = () if shape.command is None else (_command(shape, shape.command, request, given),)
        return _reply(adapter, method(who, *command, **more), case.status)

    def endpoint(**given: Any) -> Response:
        return call(given)

    async def stoppable(**given: Any) -> Response:
        stop = Stop()
        return await while_waiting(given["request"], stop.stop, lambda: call(given, stop=stop))

    chosen = stoppable if case.is_stoppable else endpoint
    chosen.__name__ = case.name.replace(".", "_")
    chosen.__signature__ = inspect.Signature(_parameters(shape))
    return chosen


def _command(shape: _Shape, kind: type, request: Request, given: dict[str, Any]) -> Any:
    """Build the command from where its fields come."""
    body = given.pop("body", None)
    values = given | ({n: getattr(body, n) for n in type(body).model_fields} if body is not None else {})
    if shape.if_match:
        values[_IF_MATCH] = _expected_version(request)
    return kind(**values)


def _reply(adapter: TypeAdapter[Any], result: Any, status: int) -> Response:
    if result is None:
        return Response(status_code=204)
    headers = {}
    version = getattr(result, "version", None)
    if isinstance(version, int):
        headers["ETag"] = f'"{version}"'
    content = orjson.dumps(adapter.dump_python(result, mode="json"))
    return Response(content, status_code=status, media_type="application/json", headers=headers)
