"""The gRPC server of one worker: bytes to and from the service, errors to their codes, and a drain like that of HTTP.

Every method is served as one that takes and gives many messages: the wire is the same, and so a caller is known before
his request is taken in, and one that does not read his answer can be let go. Requests are taken by ``read``: the
iterator of gRPC, and errors with their frames, would keep them until the garbage is collected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from aimass.gateway.plane.auth import Key, find_key
from aimass.gateway.plane.entrance import Entrance
from aimass.gateway.plane.errors import InvalidJson, Overloaded, RateLimited, TooSlow
from aimass.gateway.plane.limits import Budget
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.rpc.answers import PUBLIC
from aimass.gateway.plane.rpc.codec import PROTO
from aimass.gateway.plane.rpc.places import Places
from aimass.gateway.plane.rpc.renewed import Renewed
from aimass.gateway.plane.rpc.service import Host, Service, Visitor
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import AimassError, Conflict, Failed, Unavailable

_LOG = logging.getLogger(__name__)
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_MAX_SENTENCE = 1000
_OF_ONE_CONNECTION = 256
Handler = Callable[[Any], Awaitable[None]]


class RpcServer:
    """Serves one worker's models over gRPC.

    Attributes
    ----------
    port
        The port that it serves on.
    """

    def __init__(
        self, host: Host, entrance: Entrance, metrics: Metrics, settings: GatewaySettings, budget: Budget
    ) -> None:
        self._entrance = entrance
        self._metrics = metrics
        self._service = Service(host, entrance)
        self._settings = settings
        self._budget = budget
        self._places = Places(settings)
        self._waiting: set[asyncio.Task[Any]] = set()
        self._is_stopping = False
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Begin to serve.

        Raises
        ------
        Conflict
            The port is taken.
        """
        settings = self._settings
        server = grpc.aio.server(options=_options(settings), maximum_concurrent_rpcs=2 * settings.max_rpcs)
        handlers = {
            name: grpc.stream_stream_rpc_method_handler(self._handler(name, takes_many=takes_many))
            for name, (takes_many, _) in PROTO.methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PROTO.service, handlers),))
        address = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            self.port = _open(server, f"{address}:{settings.grpc_port}", settings)
        except RuntimeError as reason:
            raise Conflict(
                f"port {settings.grpc_port} on {settings.host} cannot be used for gRPC",
                field="grpc_port",
                value=settings.grpc_port,
                hint="stop the other program, choose another port with --grpc-port, or none with --grpc-port 0",
            ) from reason
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Finish the calls that are under way, and let everybody go; a stream that waits for requests ends at once."""
        self._is_stopping = True
        for task in self._waiting:
            task.cancel()
        if self._server is not None:
            await self._server.stop(self._settings.drain_timeout_s)

    # -- calls

    def _handler(self, name: str, *, takes_many: bool) -> Any:
        """Return what gRPC calls; an error ends the call with its code."""
        answer: Handler = self._answer_many if takes_many else self._unary(name)

        async def handler(_: Any, context: Any) -> None:
            try:
                await answer(context)
                return
            except AimassError as error:
                reason = _bare(error)
            except Exception:  # noqa: BLE001 one call must never end the worker; the log has the trace
                _LOG.exception("a call of %s failed", name)
                reason = Failed()
            await self._abort(context, reason)

        return handler

    def _unary(self, name: str) -> Handler:
        method = self._service.unary(name)
        is_public = name in PUBLIC

        async def answer(context: Any) -> None:
            with self._places.call(is_stream=False):
                visitor = self._visitor(context)
                data = b"" if is_public else await self._one(context, visitor.key())
                message, about = await method(data, visitor)
                if about:
                    context.set_trailing_metadata(about)
                await self._write(context, message)

        return answer

    async def _answer_many(self, context: Any) -> None:
        visitor = self._visitor(context)
        visitor.key()
        with self._places.call(is_stream=True):
            async for data in self._many(context):
                async for message in self._service.stream(data, visitor):
                    await self._write(context, message)

    # -- messages

    async def _one(self, context: Any, key: Key) -> bytes:
        async with self._places.arrival(key):
            data = await context.read()
        if not isinstance(data, bytes):  # the mark of the end
            raise InvalidJson("the call ended without a request")
        return data

    async def _many(self, context: Any) -> AsyncIterator[bytes]:
        """Yield the requests of a stream until it ends, or the worker does."""
        task = asyncio.current_task()
        while not self._is_stopping and task is not None:
            self._waiting.add(task)
            try:
                data = await context.read()
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
                task.uncancel()
                break
            finally:
                self._waiting.discard(task)
            if not isinstance(data, bytes):  # the mark of the end
                return
            yield data
        raise Unavailable("this gateway worker ends", hint="open the stream again")

    async def _write(self, context: Any, message: bytes) -> None:
        """Send a message to a client who reads it."""
        try:
            if not self._budget.take(len(message)):
                raise Overloaded("the gateway holds as many bytes as it may")
            async with asyncio.timeout(self._settings.write_timeout_s):
                await context.write(message)
        except TimeoutError as reason:
            raise TooSlow("the answer was not read in time") from reason
        finally:
            self._budget.take(-len(message))

    def _visitor(self, context: Any) -> Visitor:
        given = [
            (name.encode(), value.encode() if isinstance(value, str) else value)
            for name, value in context.invocation_metadata()
        ]

        def key() -> Key:
            snapshot = self._entrance.snapshot  # that of this moment: a key that was taken back ends its stream
            return find_key(given, snapshot.keys.get, snapshot.tokens.key)

        return Visitor(given, key)

    async def _abort(self, context: Any, error: AimassError) -> None:
        """End a call with the code of an error; which error it was stands in the trailing metadata."""
        self._metrics.count("gateway_rpc_refused", (("code", error.code),))
        trailing = [("aimass-code", error.code)]
        if error.hint and error.hint.isascii() and error.hint.isprintable():
            trailing.append(("aimass-hint", error.hint))
        if isinstance(error, RateLimited):
            trailing.append(("retry-after", str(error.retry_after_s)))
        code = _CODES.get(error.status, grpc.StatusCode.INTERNAL)
        await context.abort(code, error.message[:_MAX_SENTENCE], tuple(trailing))


def _bare(error: AimassError) -> AimassError:
    """Return an error without the frames that it went through, which hold the request."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _open(server: grpc.aio.Server, address: str, settings: GatewaySettings) -> int:
    """Open the port; under TLS with the certificates as their files are at each handshake."""
    if not settings.is_tls:
        return server.add_insecure_port(address)
    renewed = Renewed(settings)
    is_asked = settings.tls_clients == "required"
    secure = grpc.dynamic_ssl_server_credentials(renewed.first, renewed, require_client_authentication=is_asked)
    return server.add_secure_port(address, secure)


def _options(settings: GatewaySettings) -> tuple[tuple[str, int], ...]:
    def ms(seconds: float) -> int:
        return max(1, int(seconds * 1000))

    return (
        ("grpc.so_reuseport", 1 if settings.workers > 1 else 0),
        ("grpc.max_receive_message_length", settings.max_rpc_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_head_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_head_bytes),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_concurrent_streams", _OF_ONE_CONNECTION),
        ("grpc.max_allowed_incoming_connections", settings.max_rpc_connections),
        ("grpc.server_handshake_timeout_ms", ms(settings.head_timeout_s)),
        ("grpc.max_connection_idle_ms", ms(settings.idle_timeout_s)),
        ("grpc.keepalive_time_ms", ms(settings.idle_timeout_s)),
        ("grpc.keepalive_timeout_ms", ms(settings.head_timeout_s)),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    )
