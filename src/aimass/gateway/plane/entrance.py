"""The way in that all dialects share: whose key, which endpoint, and the body on its way to inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from aimass.gateway.plane.auth import Key, find_key
from aimass.gateway.plane.calls import Call, Dialect
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import decompress
from aimass.gateway.plane.errors import BadRequest, BodyTooLarge, MethodNotAllowed, NoUse, UnknownEndpoint
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.repository import Repository
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Collect
from aimass.gateway.plane.snapshot import Deployment, Endpoint, Snapshot

_MAX_CACHED_HEAD = 2048
_MAX_CACHED = 1024
_CODINGS = (b"", b"identity")


class Host(Protocol):
    """What the entrance needs from the worker."""

    snapshot: Snapshot
    calls: dict[bytes, Call]

    def infer(self, connection: Connection, call: Call, body: bytes) -> None:
        """Answer an inference request."""
        ...


class Entrance:
    """Finds keys and endpoints, and takes in bodies.

    Attributes
    ----------
    repository
        Loads and unloads models.
    verbs
        Who answers what below ``/v2/models/<name>/``.
    """

    def __init__(self, host: Host, repository: Repository) -> None:
        self._host = host
        self.repository = repository
        self.verbs: dict[str, Dialect] = {}

    @property
    def snapshot(self) -> Snapshot:
        """What is served now."""
        return self._host.snapshot

    def key(self, head: RequestHead) -> Key:
        """Return the key that a request carries, or refuse it."""
        return find_key(head.headers, self.snapshot.keys.get, self.snapshot.tokens.key)

    def endpoint(self, key: Key, name: str) -> Endpoint:
        """Return an endpoint that the key may use, or refuse it."""
        endpoints = self.snapshot.endpoints
        endpoint = endpoints.get((key.workspace, name))
        if endpoint is None:
            known = sorted(n for (workspace, n) in endpoints if workspace == key.workspace)
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

    def usable(self, key: Key) -> list[Endpoint]:
        """Return the endpoints that a key may use."""
        found = self.snapshot.endpoints.items()
        return [e for (workspace, name), e in found if workspace == key.workspace and key.may_use(name)]

    def take(self, connection: Connection, head: RequestHead, raw: bytes, call: Call) -> Sink:
        """Take in the body of an inference request; the head is remembered where the next one may be the same."""
        if connection.entry is not None:
            call.note(connection.entry)
        limit = call.endpoint.max_body_bytes
        if call.length > limit:
            raise BodyTooLarge(value=call.length, allowed=f"at most {limit} bytes")
        is_plain = not head.is_chunked and not head.expects and head.keep_alive and call.length > 0
        calls = self._host.calls
        if is_plain and len(raw) <= _MAX_CACHED_HEAD:
            if len(calls) >= _MAX_CACHED:
                calls.clear()
            calls[raw] = call
        return Collect(connection, limit, lambda body: self._host.infer(connection, self._now(call), body))

    def _now(self, call: Call) -> Call:
        """Return a call as the snapshot has it now: while the body came, another may have been published."""
        old = call.endpoint
        now = self.snapshot.endpoints.get((old.workspace, old.name), old)
        return call if now is old else replace(call, endpoint=now)


def need(head: RequestHead, *methods: bytes) -> None:
    """Refuse a method that is not one of these."""
    if head.method not in methods:
        raise MethodNotAllowed(
            f"{head.method.decode('latin-1')} is not allowed here",
            value=head.method.decode("latin-1"),
            allowed=[method.decode() for method in methods],
        )


def new_call(dialect: Dialect, key: Key, endpoint: Endpoint, head: RequestHead, *, version: str, verb: str) -> Call:
    """Make the call of a request head."""
    coding = (head.get(b"content-encoding") or b"").strip().lower()
    text = head.get(b"inference-header-content-length")
    if text is not None and not text.isdigit():
        raise BadRequest("Inference-Header-Content-Length is no number", value=text.decode("latin-1"))
    return Call(
        key=key,
        endpoint=endpoint,
        version=version,
        dialect=dialect,
        verb=verb,
        length=head.length or 0,
        method=head.method,
        path=head.path,
        kind=(head.get(b"content-type") or b"").partition(b";")[0].strip().lower(),
        json_bytes=None if text is None else int(text),
        coding=b"" if coding in _CODINGS else coding,
        session=_session(endpoint, head),
        is_old=head.is_old,
        accepts=reply_coding(head.get(b"accept-encoding") or b""),
    )


def _session(endpoint: Endpoint, head: RequestHead) -> str | None:
    """Return the header by which an endpoint assigns requests."""
    name = endpoint.split.header
    value = head.get(name) if name else None
    return None if value is None else value.decode("latin-1")


def reply_coding(accepted: bytes) -> bytes:
    """Return how an answer may be packed for a client that accepts these codings; empty for not at all.

    Examples
    --------
    >>> reply_coding(b"gzip, deflate, br"), reply_coding(b"deflate"), reply_coding(b"gzip;q=0, identity")
    (b'gzip', b'deflate', b'')
    """
    for part in accepted.lower().split(b","):
        coding, _, weight = part.strip().partition(b";")
        if coding.strip() in (b"gzip", b"deflate") and weight.replace(b" ", b"") not in (b"q=0", b"q=0.0"):
            return coding.strip()
    return b""


def unpacked(call: Call, body: bytes) -> bytes:
    """Return a body as it was before it was packed."""
    return decompress(body, call.coding, call.endpoint.max_body_bytes) if call.coding else body


def chosen(endpoint: Endpoint, version: str) -> Deployment:
    """Return the deployment of a version, or the first one with traffic, or who answers in its place."""
    if version:
        return endpoint.of_version(version)
    found = endpoint.choose(0.0)
    return endpoint.fallback if endpoint.fallback is not None and not found.is_ready else found
