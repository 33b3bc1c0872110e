"""What can be called behind the gateway, as one OpenAPI document, and requests that somebody tries."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import orjson

from aimass.gateway.domain.interfaces import (
    GetOpenapi,
    Interface,
    ListInterfaces,
    Tried,
    TryRequest,
)
from aimass.gateway.domain.openapi import Pieces, add_model, add_service, add_unknown, document_of
from aimass.gateway.domain.routes import Route
from aimass.gateway.service.ground import Part, route_row
from aimass.gateway.service.routes import told
from aimass.gateway.store import routes_like
from aimass.kernel.errors import AimassError, Invalid, NotFound
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.serving import GetSignature, PublishedEndpoint, RawOrder

USE = "gateway.use"
LEFT_OUT = "x-left-out"
_ASKED_S, _ALL_S = 3.0, 20.0
_MOST_BYTES = 2 << 20
_MOST = 500
_MODEL, _SERVICE = "model:", "service:"
_TARGET = re.compile(r"/[\x21-\x22\x24-\x7e]*")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")
_NOT_TRIED = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "transfer-encoding", "upgrade", "x-api-key"}
)


class Interfaces(Part):
    """Use cases of people who look for something to call."""

    @use_case("GET /workspaces/{workspace}/interfaces", permission="gateway.read", cli="gateway interfaces")
    def list_interfaces(self, who: Principal, command: ListInterfaces) -> Page[Interface]:
        """List what can be called: endpoints of models, then routes to services."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        models = [
            _model(one)
            for one in self._endpoints(command.workspace)
            if command.q in one.name and _MODEL + one.name > after
        ]
        wanted = command.limit + 1 - len(models)
        found = [*models, *self._services(command, after, wanted)] if wanted > 0 else models
        return page_of(found[: command.limit + 1], command.limit, lambda one: f"{one.kind}:{one.name}")

    def _endpoints(self, workspace: str) -> list[PublishedEndpoint]:
        found = [one for one in self._serving.published() if one.workspace == workspace]
        return sorted(found, key=lambda one: one.name)

    def _services(self, command: ListInterfaces, after: str, count: int) -> list[Interface]:
        begun = after.removeprefix(_SERVICE) if after.startswith(_SERVICE) else ""
        with self._database.read() as conn:
            found = [told(row) for row in routes_like(conn, command.workspace, command.q, begun, count)]
        return [Interface(kind="service", name=one.route, path=one.path, about=_about(one)) for one in found]

    @use_case("GET /workspaces/{workspace}/openapi", permission="gateway.read", cli="gateway openapi")
    def get_openapi(self, who: Principal, command: GetOpenapi) -> dict[str, Any]:
        """Describe what can be called as one OpenAPI document: models from their signatures, services as they say themselves.

        Its extension ``x-left-out`` says of each model and service that is not described further why: nothing answers
        there, it publishes no description, or one that cannot be taken over.

        Raises
        ------
        NotFound
            There is no such endpoint or route.
        """
        pieces, left_out = Pieces(), dict[str, str]()
        end = time.monotonic() + _ALL_S
        for name, add in self._wanted(who, command):
            if time.monotonic() > end:
                left_out[name] = "the others took too long; ask for it alone"
                continue
            try:
                add(pieces)
            except AimassError as error:
                left_out[name] = error.message
        title = command.of or command.workspace
        return {**document_of(title, "/", pieces), LEFT_OUT: left_out}

    def _wanted(self, who: Principal, command: GetOpenapi) -> Iterable[tuple[str, Any]]:
        """Yield what is to be described, each with what adds it."""
        workspace, of = command.workspace, command.of
        models = {one.name: one for one in self._endpoints(workspace)}
        if of.startswith(_MODEL) and of.removeprefix(_MODEL) in models:
            chosen, services = [models[of.removeprefix(_MODEL)]], []
        elif of.startswith(_SERVICE):
            with self._database.read() as conn:
                chosen, services = [], [told(route_row(conn, workspace, of.removeprefix(_SERVICE)))]
        elif of:
            raise NotFound(
                f"there is nothing {of!r}", field="of", value=of, allowed=["model:<endpoint>", "service:<route>"]
            )
        else:
            chosen = list(models.values())[:_MOST]
            with self._database.read() as conn:
                services = [told(row) for row in routes_like(conn, workspace, "", "", _MOST)]
        return chain(
            ((_MODEL + one.name, self._model_adder(who, one)) for one in chosen),
            ((_SERVICE + one.route, self._service_adder(who, one)) for one in services),
        )

    def _model_adder(self, who: Principal, endpoint: PublishedEndpoint) -> Any:
        def add(pieces: Pieces) -> None:
            wish = GetSignature(workspace=endpoint.workspace, endpoint=endpoint.name)
            signature = self._serving.get_signature(who, wish)
            add_model(pieces, endpoint.name, _model(endpoint).about, signature.inputs)

        return add

    def _service_adder(self, who: Principal, route: Route) -> Any:
        needs_key = route.access == "key"

        def add(pieces: Pieces) -> None:
            try:
                description = self._asked(who, route)
                add_service(pieces, route.route, route.path, _about(route), needs_key=needs_key, told=description)
            except AimassError:
                add_unknown(pieces, route.route, route.path, _about(route), needs_key=needs_key)
                raise

        return add

    def _asked(self, who: Principal, route: Route) -> Mapping[str, Any]:
        """Ask a service for its description, through the gateway, as whoever looks."""
        if not route.openapi_path:
            raise NotFound("its route names no description", field="openapi_path")
        scope = USE if who.allows(USE, route.workspace, f"route:{route.route}") else "gateway.read"
        order = RawOrder(
            method="GET",
            target=route.path + route.openapi_path,
            headers={"Accept": "application/json"},
            within_s=_ASKED_S,
            most_bytes=_MOST_BYTES,
        )
        said = self._tryouts.send(who, route.workspace, scope, order)
        if said.status != 200 or said.is_cut:  # noqa: PLR2004 what HTTP calls well
            why = "it is too long" if said.is_cut else f"the answer is {said.status}"
            raise NotFound(f"no description at {route.openapi_path}: {why}", field="openapi_path")
        try:
            document = orjson.loads(said.body)
        except orjson.JSONDecodeError as reason:
            raise Invalid(f"the description at {route.openapi_path} is not JSON: {reason}") from reason
        if not isinstance(document, dict):
            raise Invalid(f"the description at {route.openapi_path} is no object")
        return document

    @use_case("POST /workspaces/{workspace}/try", permission="gateway.read", cli="gateway try")
    def try_request(self, who: Principal, command: TryRequest) -> Tried:
        """Send one request through the gateway with a short-lived key of your own, and show what came back.

        It is checked, limited and counted like that of any program; what it changes behind the gateway, it changes.

        Raises
        ------
        Forbidden
            You may not call models, or services, of this workspace.
        """
        scope = _scope_of(command)
        headers = _checked_headers(command.headers)
        if command.body and "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
        order = RawOrder(
            method=command.method,
            target=command.path,
            headers=headers,
            body=command.body.encode(),
            within_s=command.within_s,
        )
        said = self._tryouts.send(who, command.workspace, scope, order)
        text = said.body.decode(errors="replace")
        return Tried(status=said.status, headers=said.headers, body=text, is_cut=said.is_cut, seconds=said.seconds)


def _model(one: PublishedEndpoint) -> Interface:
    serving = ", ".join(dict.fromkeys(f"{each.model} v{each.version}" for each in one.deployments))
    return Interface(kind="model", name=one.name, path=f"/v2/models/{one.name}", about=serving)


def _about(route: Route) -> str:
    return route.title or route.upstream


def _scope_of(command: TryRequest) -> str:
    """Return the right that a path takes; refuse one that leads anywhere else than to models and services."""
    path = command.path
    if not _TARGET.fullmatch(path) or _DOTS.search(path.partition("?")[0]):
        raise Invalid(
            f"{path[:100]!r} is no path", field="path", value=path[:100], allowed="/v2/models/<endpoint>/infer"
        )
    if "{" in path:
        left = path.partition("{")[2].partition("}")[0]
        raise Invalid(
            f"{{{left[:80]}}} stands for a value", field="path", value=path[:100], hint="write the value there"
        )
    if path.startswith(f"/s/{command.workspace}/"):
        return USE
    if path.startswith(("/v2/", "/mlflow/")):
        return "serving.use"
    raise Invalid(
        f"{path[:100]!r} is neither a model nor a service of this workspace",
        field="path",
        value=path[:100],
        allowed=["/v2/models/...", "/mlflow/...", f"/s/{command.workspace}/..."],
    )


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _NOT_TRIED or not _VALUE.fullmatch(value):
            raise Invalid(
                f"header {name[:100]!r} cannot be sent from here", field="headers", value=name[:100],
                hint="the key is added by itself",
            )  # fmt: skip
    return dict(headers)
