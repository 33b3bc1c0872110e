"""The Open Inference Protocol (version 2) over HTTP: its addresses, requests, answers and errors."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import unquote

from aimass._version import __version__
from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.calls import Asked, Call, Dialect, Work, Written
from aimass.gateway.plane.connection import Connection, Sink
from aimass.gateway.plane.decode import decode, parameters_of, read_document, request_id, wanted_outputs
from aimass.gateway.plane.encode import encode, metadata
from aimass.gateway.plane.entrance import Entrance, chosen, need, new_call, unpacked
from aimass.gateway.plane.errors import InvalidJson, NotReady, UnknownPath, oip_body
from aimass.gateway.plane.http import RequestHead, dump, reply
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.sinks import Answer
from aimass.gateway.plane.snapshot import Endpoint
from aimass.kernel.errors import AimassError


class OpenInference:
    """Answers everything below ``/v2``; what comes after the name of a model may be another dialect's."""

    segments: ClassVar = frozenset({b"v2"})
    verbs: ClassVar = frozenset({"infer"})
    has_cheap_path: ClassVar = True

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    # -- addresses

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers; raises what refuses the request."""
        parts = [unquote(part) for part in head.path.decode("latin-1").split("/")[2:] if part]
        if parts[:1] == ["models"] and parts[1:]:
            return self._model(connection, head, raw, parts[1:])
        document = self._server(head, parts)
        return Answer(connection, reply(200, dump(document), keep=connection.keep))

    def _server(self, head: RequestHead, parts: list[str]) -> Any:
        if parts == ["repository", "index"]:
            need(head, b"POST", b"GET")
            return self._index(self._entrance.key(head))
        need(head, b"GET", b"HEAD")
        if not parts:
            return {"name": "aimass", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}
        if parts == ["health", "live"]:
            return {"live": True}
        if parts == ["health", "ready"]:
            if not self._entrance.snapshot.version:
                raise NotReady("no snapshot has been applied yet")
            return {"ready": True}
        raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")

    def _index(self, key: Key) -> list[dict[str, Any]]:
        endpoints = [e for (workspace, _), e in self._entrance.snapshot.endpoints.items() if workspace == key.workspace]
        return [
            {
                "name": endpoint.name,
                "version": deployment.version,
                "state": "READY" if deployment.is_ready else "UNAVAILABLE",
                "reason": "",
            }
            for endpoint in endpoints
            for deployment in endpoint.deployments
        ]

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
        key.admit(wall())
        if rest == ["ready"]:
            document = _ready(endpoint, version)
        elif not rest:
            document = _metadata(endpoint, version)
        else:
            raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")
        return Answer(connection, reply(200, dump(document), keep=connection.keep))

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


def _metadata(endpoint: Endpoint, version: str) -> dict[str, Any]:
    deployment = chosen(endpoint, version)
    versions = sorted({d.version for d in endpoint.deployments})
    model = deployment.loaded
    return metadata(endpoint.name, versions, model.runtime.platform, model.package.signature)
