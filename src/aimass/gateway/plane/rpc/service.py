"""The methods of ``inference.GRPCInferenceService``: bytes in, bytes out, behind the same door as HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, Protocol

from google.protobuf.message import DecodeError

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.calls import Asked, Call, Caller, Work, Written
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.entrance import Entrance
from aimass.gateway.plane.errors import BodyTooLarge, InvalidJson, UnknownKey, UnknownPath, oip_body
from aimass.gateway.plane.http import Headers, RequestHead, dump
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.policy import PARAMETER
from aimass.gateway.plane.rpc.answers import Answers
from aimass.gateway.plane.rpc.callers import InChunks, OneAnswer, failed
from aimass.gateway.plane.rpc.codec import PROTO, read_request
from aimass.gateway.plane.rpc.rows import RowMessage
from aimass.gateway.plane.rpc.wire import Parts, cut
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.tracing import continued
from aimass.kernel.errors import AimassError

Metadata = tuple[tuple[str, str], ...]
_INFER = b"/inference.GRPCInferenceService/ModelInfer"


class Visitor:
    """Who calls: the key is looked up for each request, so that one that was taken back ends a stream, too.

    Parameters
    ----------
    metadata
        What came with the call.
    key
        Returns the key that came with it, or refuses.

    Attributes
    ----------
    trace
        Which trace the client put the call in; empty without one.
    """

    def __init__(self, metadata: Headers, key: Callable[[], Key]) -> None:
        self._metadata = metadata
        self.key = key
        parent = self.header(b"traceparent")
        self.trace = b"" if parent is None else continued(parent.encode("latin-1"))

    def header(self, name: bytes) -> str | None:
        """Return what stands under a name."""
        return next((value.decode("latin-1") for found, value in self._metadata if found == name), None)


Method = Callable[[bytes, Visitor], Awaitable[tuple[bytes, Metadata]]]


class Host(Protocol):
    """What the service needs from the worker."""

    @property
    def ask(self) -> Callable[..., None]:
        """Answer an inference request."""
        ...

    def will_write(self, writer: Any) -> None:
        """Call ``written`` of this at the end of the turn, after the records."""
        ...


class Messages:
    """The dialect of gRPC: its requests are messages, so it has no addresses and reads no bodies."""

    segments: ClassVar = frozenset[bytes]()
    verbs: ClassVar = frozenset[str]()
    streamed: ClassVar = frozenset[str]()
    has_cheap_path: ClassVar = False

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Refuse: nothing of this comes over HTTP/1."""
        raise UnknownPath

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Refuse, as :meth:`open` does."""
        raise UnknownPath

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Refuse, as :meth:`open` does."""
        raise UnknownPath

    def refuse(self, error: AimassError) -> bytes:
        """Write an error for whoever asks."""
        return dump(oip_body(error))


class Service:
    """Answers the methods; each raises an :class:`~aimass.kernel.errors.AimassError` for what it refuses."""

    def __init__(self, host: Host, entrance: Entrance) -> None:
        self._host = host
        self._entrance = entrance
        self._answers = Answers(entrance)
        self._dialect = Messages()

    def unary(self, name: str) -> Method:
        """Return what answers a method that takes one message and gives one."""
        if name == "ModelInfer":
            return self.infer
        message = getattr(PROTO, f"{name}Request")

        async def method(data: bytes, visitor: Visitor) -> tuple[bytes, Metadata]:
            answer = await self._answers.answer(name, parsed(message, data), visitor.key)
            return answer.SerializeToString(), ()

        return method

    async def infer(self, data: bytes, visitor: Visitor) -> tuple[bytes, Metadata]:
        """Answer one request."""
        caller = OneAnswer(self._host, visitor.trace)
        parts = cut(data)
        if parts is None or not self._ask_row(parts, data, visitor, caller):
            self._ask(parsed(PROTO.ModelInferRequest, data), len(data), visitor, caller)
        return await caller.future, caller.about

    def _ask_row(self, parts: Parts, data: bytes, visitor: Visitor, caller: OneAnswer) -> bool:
        """Ask in the way that is cheap for one row, or tell that the request has to be read as a whole first."""
        try:
            name, version = parts.name.decode(), parts.version.decode()
        except UnicodeDecodeError:
            return False
        call = self._call(name, version, len(data), visitor)

        def read(package: Package) -> Asked:
            return read_request(parsed(PROTO.ModelInferRequest, data), package, len(data))

        row = None if call.endpoint.split.by == PARAMETER else (RowMessage(parts, caller, read), data)
        self._host.ask(call, caller, read, row)
        return True

    async def stream(self, data: bytes, visitor: Visitor) -> AsyncIterator[bytes]:
        """Answer one request of a stream; only a key that is not known any more ends the stream."""
        request = None
        try:
            request = parsed(PROTO.ModelInferRequest, data)
            caller = InChunks(self._host, request.id, visitor.trace)
            self._ask(request, len(data), visitor, caller)
        except UnknownKey:
            raise
        except AimassError as error:
            yield failed(error, request.model_name, request.id) if request is not None else failed(error)
            return
        try:
            while (message := await caller.take()) is not None:
                yield message
        finally:
            caller.leave()

    def _ask(self, request: Any, size: int, visitor: Visitor, caller: Caller) -> None:
        call = self._call(request.model_name, request.model_version, size, visitor)
        self._host.ask(call, caller, lambda package: read_request(request, package, size))

    def _call(self, name: str, version: str, size: int, visitor: Visitor) -> Call:
        key = visitor.key()
        endpoint = self._entrance.endpoint(key, name)
        if size > endpoint.max_body_bytes:
            raise BodyTooLarge(value=size, allowed=f"at most {endpoint.max_body_bytes} bytes")
        header = endpoint.split.header
        return Call(
            key=key,
            endpoint=endpoint,
            version=version,
            dialect=self._dialect,
            verb="ModelInfer",
            path=_INFER,
            session=visitor.header(header) if header else None,
        )


def parsed(message: Any, data: bytes) -> Any:
    """Read a message, or refuse what is none."""
    try:
        return message.FromString(data)
    except DecodeError as reason:
        raise InvalidJson(f"the message is no {message.DESCRIPTOR.name}") from reason
