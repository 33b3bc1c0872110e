"""The Open Inference Protocol (version 2) over HTTP: its addresses, requests, answers and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.calls import Asked, Call, Dialect, Work, Written
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import decode, parameters_of, read_document, request_id, wanted_outputs
from aimass.gateway.plane.describe import describe_model, describe_server, index_of, model_config, statistics_of
from aimass.gateway.plane.encode import encode
from aimass.gateway.plane.entrance import Entrance, chosen, need, new_call, unpacked
from aimass.gateway.plane.errors import InvalidJson, NotReady, UnknownPath, oip_body
from aimass.gateway.plane.http import RequestHead, dump, error_reply, reply
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Answer, Collect, Later
from aimass.gateway.plane.snapshot import Endpoint
from aimass.kernel.errors import AimassError

_SMALL = 64 * 1024


class OpenInference:
    """Answers everything below ``/v2``; what comes after the name of a model may be another dialect's."""

    segments: ClassVar = frozenset({b"v2"})
    verbs: ClassVar = frozenset({"infer"})
    streamed: ClassVar = frozenset[str]()
    has_cheap_path: ClassVar = True

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    # -- addresses

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers; raises what refuses the request."""
        parts = [unquote(part) for part in head.path.decode("latin-1").split("/")[2:] if part]
        if parts[:1] == ["models"] and parts[1:]:
            if parts[1:] == ["stats"] and not self._is_endpoint(head, "stats"):
                return self._statistics(connection, head)
            return self._model(connection, head, raw, parts[1:])
        if parts[:1] == ["repository"]:
            return self._repository(connection, head, parts[1:])
        return _answer(connection, self._server(head, parts))

    def _server(self, head: RequestHead, parts: list[str]) -> Any:
        need(head, b"GET", b"HEAD")
        if not parts:
            return describe_server()
        if parts == ["health", "live"]:
            return {"live": True}
        if parts == ["health", "ready"]:
            if not self._entrance.snapshot.version:
                raise NotReady("no snapshot has been applied yet")
            return {"ready": True}
        raise _unknown(head)

    # -- models

    def _model(self, connection: Connection, head: RequestHead, raw: bytes, parts: list[str]) -> Sink:
        entrance = self._entrance
        key = entrance.key(head)
        endpoint = entrance.endpoint(key, parts[0])
        version, rest = (parts[2], parts[3:]) if parts[1:2] == ["versions"] and parts[2:] else ("", parts[1:])
        if version:
            endpoint.of_version(version)
        dialect: Dialect | None = entrance.verbs.get(rest[0]) if len(rest) == 1 else None
        if dialect is not None:
            need(head, b"POST")
            call = new_call(dialect, key, endpoint, head, version=version, verb=rest[0])
            return entrance.take(connection, head, raw, call)
        need(head, b"GET", b"HEAD")
        shown = _SHOWN.get("/".join(rest))
        if shown is None:
            raise _unknown(head)
        key.admit(wall())
        return _answer(connection, shown(endpoint, version))

    def _is_endpoint(self, head: RequestHead, name: str) -> bool:
        key = self._entrance.key(head)
        return (key.workspace, name) in self._entrance.snapshot.endpoints

    def _statistics(self, connection: Connection, head: RequestHead) -> Sink:
        need(head, b"GET", b"HEAD")
        key = self._entrance.key(head)
        key.admit(wall())
        found = [one for endpoint in self._entrance.usable(key) for one in statistics_of(endpoint, "")["model_stats"]]
        return _answer(connection, {"model_stats": found})

    # -- the repository

    def _repository(self, connection: Connection, head: RequestHead, parts: list[str]) -> Sink:
        key = self._entrance.key(head)
        if parts == ["index"]:
            need(head, b"POST", b"GET")
            key.admit(wall())
            return Collect(connection, _SMALL, lambda body: self._index(connection, key, body))
        if len(parts) != 3 or parts[0] != "models" or parts[2] not in ("load", "unload"):  # noqa: PLR2004 models/x/load
            raise _unknown(head)
        need(head, b"POST")
        key.admit(wall())
        endpoint, repository = self._entrance.endpoint(key, parts[1]), self._entrance.repository
        work = repository.load if parts[2] == "load" else repository.unload

        async def done() -> bytes:
            await work(key, endpoint)
            return dump({"name": endpoint.name, parts[2]: True})

        return Later(connection, done)

    def _index(self, connection: Connection, key: Key, body: bytes) -> None:
        try:
            document = read_document(body) if body.strip() else {}
            found = index_of(self._entrance.usable(key), only_ready=document.get("ready") is True)
            answer = reply(200, dump(found), keep=connection.keep)
        except AimassError as error:
            answer = error_reply(error, keep=connection.keep)
        connection.reply(answer)
        connection.finish()

    # -- bodies

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Read a request: JSON, or JSON with the bytes of tensors after it."""
        document, tail = _parts(call, unpacked(call, body))
        return Asked(
            id=request_id(document),
            wanted=wanted_outputs(document, [spec["name"] for spec in package.signature["outputs"]]),
            decoded=decode(document, tail, package.columns),
            parameters=parameters_of(document),
            document=document,
        )

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Write an answer: JSON, or JSON with the bytes of tensors after it."""
        head = {"model_name": work.call.endpoint.name, "model_version": work.deployment.version, "id": work.id}
        body, tail = encode(head, outputs, work.asked.wanted)
        if tail is None:
            return Written(body=body)
        extra = b"Inference-Header-Content-Length: %d\r\n" % len(body)
        return Written(body=body + tail, kind=b"application/octet-stream", extra=extra)

    def refuse(self, error: AimassError) -> bytes:
        """Write the body of an error."""
        return dump(oip_body(error))


def _parts(call: Call, body: bytes) -> tuple[dict[str, Any], memoryview | None]:
    """Return the JSON document of a body, and the bytes of the binary tensors after it."""
    size = call.json_bytes
    if size is None:
        return read_document(body), None
    if size > len(body):
        raise InvalidJson(
            "Inference-Header-Content-Length is longer than the body", value=size, allowed=f"at most {len(body)}"
        )
    return read_document(body[:size]), memoryview(body)[size:]


def _ready(endpoint: Endpoint, version: str) -> dict[str, Any]:
    if not chosen(endpoint, version).is_ready:
        raise NotReady(f"the worker of endpoint {endpoint.name!r} is not running", value=endpoint.name)
    return {"name": endpoint.name, "ready": True}


_SHOWN: dict[str, Callable[[Endpoint, str], Any]] = {
    "": describe_model,
    "ready": _ready,
    "config": model_config,
    "stats": statistics_of,
}


def _answer(connection: Connection, document: Any) -> Sink:
    return Answer(connection, reply(200, dump(document), keep=connection.keep))


def _unknown(head: RequestHead) -> UnknownPath:
    return UnknownPath(f"there is no {head.path.decode('latin-1')!r}")
