"""The addresses of the Open Inference Protocol: who is asked for what, before any body is read."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import unquote

from aimass._version import __version__
from aimass.gateway.plane.auth import Key, find_key
from aimass.gateway.plane.calls import Call
from aimass.gateway.plane.connection import Connection, Sink
from aimass.gateway.plane.encode import metadata
from aimass.gateway.plane.errors import (
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    NotReady,
    NoUse,
    UnknownEndpoint,
    UnknownPath,
)
from aimass.gateway.plane.http import RequestHead, dump, reply
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.sinks import Answer, Collect
from aimass.gateway.plane.snapshot import Deployment, Endpoint, Snapshot

_MAX_CACHED_HEAD = 2048
_MAX_CACHED = 1024
_CODINGS = (b"", b"identity")


class Worker(Protocol):
    """What this door needs from the worker."""

    snapshot: Snapshot
    calls: dict[bytes, Call]

    def infer(self, connection: Connection, call: Call, body: bytes) -> None:
        """Answer an inference request."""
        ...


class Door:
    """Answers everything below ``/v2``."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers; raises what refuses the request."""
        parts = [unquote(part) for part in head.path.decode("latin-1").split("/")[2:] if part]
        if parts[:1] == ["models"] and parts[1:]:
            return self._model(connection, head, raw, parts[1:])
        document = self._server(head, parts)
        return Answer(connection, reply(200, dump(document), keep=connection.keep))

    def _server(self, head: RequestHead, parts: list[str]) -> Any:
        snapshot = self._worker.snapshot
        if parts == ["repository", "index"]:
            _need(head, b"POST", b"GET")
            return self._index(find_key(head.headers, snapshot.keys.get))
        _need(head, b"GET", b"HEAD")
        if not parts:
            return {"name": "aimass", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}
        if parts == ["health", "live"]:
            return {"live": True}
        if parts == ["health", "ready"]:
            if not snapshot.version:
                raise NotReady("no snapshot has been applied yet")
            return {"ready": True}
        raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")

    def _index(self, key: Key) -> list[dict[str, Any]]:
        endpoints = [e for (workspace, _), e in self._worker.snapshot.endpoints.items() if workspace == key.workspace]
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
        key = find_key(head.headers, self._worker.snapshot.keys.get)
        endpoint = self._endpoint(key, parts[0])
        version, rest = (parts[2], parts[3:]) if parts[1:2] == ["versions"] and parts[2:] else ("", parts[1:])
        if version:
            endpoint.of_version(version)
        if rest == ["infer"]:
            _need(head, b"POST")
            return self._infer(connection, head, raw, _call(key, endpoint, version, head))
        _need(head, b"GET", b"HEAD")
        key.admit(wall())
        if rest == ["ready"]:
            document = _ready(endpoint, version)
        elif not rest:
            document = _metadata(endpoint, version)
        else:
            raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")
        return Answer(connection, reply(200, dump(document), keep=connection.keep))

    def _endpoint(self, key: Key, name: str) -> Endpoint:
        endpoint = self._worker.snapshot.endpoints.get((key.workspace, name))
        if endpoint is None:
            known = sorted(n for (workspace, n) in self._worker.snapshot.endpoints if workspace == key.workspace)
            raise UnknownEndpoint(
                f"there is no endpoint {name[:80]!r} in workspace {key.workspace!r}",
                field="model",
                value=name,
                allowed=[n for n in known if key.may_use(n)],
            )
        if not key.may_use(name):
            raise NoUse(
                f"the key of {key.consumer!r} may not use endpoint {name!r}",
                value=name,
                hint="ask for a key with USE on this endpoint",
            )
        return endpoint

    def _infer(self, connection: Connection, head: RequestHead, raw: bytes, call: Call) -> Sink:
        limit = call.endpoint.max_body_bytes
        if call.length > limit:
            raise BodyTooLarge(value=call.length, allowed=f"at most {limit} bytes")
        is_plain = not head.is_chunked and not head.expects and head.keep_alive and call.length > 0
        calls = self._worker.calls
        if is_plain and len(raw) <= _MAX_CACHED_HEAD:
            if len(calls) >= _MAX_CACHED:
                calls.clear()
            calls[raw] = call
        return Collect(connection, limit, lambda body: self._worker.infer(connection, call, body))


def _need(head: RequestHead, *methods: bytes) -> None:
    if head.method not in methods:
        raise MethodNotAllowed(
            f"{head.method.decode('latin-1')} is not allowed here",
            value=head.method.decode("latin-1"),
            allowed=[method.decode() for method in methods],
        )


def _call(key: Key, endpoint: Endpoint, version: str, head: RequestHead) -> Call:
    coding = (head.get(b"content-encoding") or b"").strip().lower()
    text = head.get(b"inference-header-content-length")
    if text is not None and not text.isdigit():
        raise BadRequest("Inference-Header-Content-Length is no number", value=text.decode("latin-1"))
    return Call(
        key=key,
        endpoint=endpoint,
        version=version,
        length=head.length or 0,
        json_bytes=None if text is None else int(text),
        coding=b"" if coding in _CODINGS else coding,
    )


def _chosen(endpoint: Endpoint, version: str) -> Deployment:
    return endpoint.of_version(version) if version else endpoint.choose(0.0)


def _ready(endpoint: Endpoint, version: str) -> dict[str, Any]:
    if not _chosen(endpoint, version).is_ready:
        raise NotReady(f"the worker of endpoint {endpoint.name!r} is not running", value=endpoint.name)
    return {"name": endpoint.name, "ready": True}


def _metadata(endpoint: Endpoint, version: str) -> dict[str, Any]:
    deployment = _chosen(endpoint, version)
    versions = sorted({d.version for d in endpoint.deployments})
    model = deployment.loaded
    return metadata(endpoint.name, versions, model.runtime.platform, model.package.signature)
