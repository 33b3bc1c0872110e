"""Who gets an answer over gRPC: a call that wants one answer, or a stream that takes it in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from aimass.gateway.plane.calls import Call, Source, Work
from aimass.gateway.plane.rpc.codec import FINAL, PROTO, WANTS_FINAL, write_answer
from aimass.gateway.plane.snapshot import Deployment
from aimass.kernel.errors import AimassError


class Host(Protocol):
    """What a caller needs from the worker."""

    def will_write(self, writer: Any) -> None:
        """Call ``written`` of this at the end of the turn, after the records."""
        ...


class OneAnswer:
    """A call that waits for one answer; it hears of it when the record is written."""

    chunks = None

    def __init__(self, host: Host, trace: bytes) -> None:
        self._host = host
        self.trace = trace
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.about: tuple[tuple[str, str], ...] = ()
        self._answer = b""

    @property
    def is_gone(self) -> bool:
        """Tell whether the call was given up."""
        return self.future.cancelled()

    def write(self, work: Work, outputs: dict[str, Any]) -> bytes:
        """Return the message as bytes."""
        self.about = (*about(work), *answered_in(self.trace))
        return write_answer(work, outputs).SerializeToString()

    def send(self, work: Work, answer: bytes) -> None:
        """Answer at the end of the turn."""
        self._answer = answer
        self._host.will_write(self)

    def answered(self, message: bytes, about: tuple[tuple[str, str], ...]) -> None:
        """Answer with a message that is written already."""
        self.about = (*about, *answered_in(self.trace))
        self._answer = message
        self._host.will_write(self)

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Fail."""
        if not self.future.done():
            self.future.set_exception(error)

    def written(self) -> None:
        """Hear that the records of the turn are written."""
        if not self.future.done():
            self.future.set_result(self._answer)


class InChunks:
    """A request of a stream: its answers wait in a queue, and the model waits while nobody takes them."""

    def __init__(self, host: Host, request_id: str, trace: bytes) -> None:
        self._host = host
        self.trace = trace
        self._id = request_id
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._held: list[bytes | None] = []
        self._source: Source | None = None
        self._gone: Callable[[], None] | None = None
        self._is_left = False

    @property
    def chunks(self) -> InChunks:
        """Return this: chunks are welcome."""
        return self

    @property
    def is_gone(self) -> bool:
        """Tell whether the client left the stream."""
        return self._is_left

    async def take(self) -> bytes | None:
        """Return the next message; None at the end. Taking one lets the model come up with another."""
        message = await self._queue.get()
        if message is not None and self._source is not None:
            self._source.more(1)
        return message

    def leave(self) -> None:
        """Hear that the client is gone, when the end was not taken yet."""
        gone, self._gone, self._source = self._gone, None, None
        self._is_left = True
        if gone is not None:
            gone()

    # -- a caller

    def write(self, work: Work, outputs: dict[str, Any]) -> bytes:
        """Return the message of a whole answer."""
        return _message(work, outputs, is_final=True)

    def send(self, work: Work, answer: bytes) -> None:
        """Send a whole answer."""
        self._put(answer, None)

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Send an error; the stream goes on with the next request."""
        self._source = self._gone = None
        self._put(failed(error, call.endpoint.name, self._id), None)

    # -- of chunks

    def begin(self, work: Work, source: Source, gone: Callable[[], None]) -> None:
        """Hear where chunks come from."""
        self._source, self._gone = source, gone

    def part(self, work: Work, outputs: dict[str, Any]) -> None:
        """Send a chunk."""
        self._put(_message(work, outputs, is_final=False))

    def ended(self, work: Work, error: AimassError | None) -> None:
        """Send the end."""
        self._source = self._gone = None
        if error is not None:
            self._put(failed(error, work.call.endpoint.name, self._id), None)
        elif work.asked.parameters.get(WANTS_FINAL):
            answer = PROTO.ModelInferResponse(
                model_name=work.call.endpoint.name, model_version=work.deployment.version, id=work.id
            )
            answer.parameters[FINAL].bool_param = True
            self._put(PROTO.ModelStreamInferResponse(infer_response=answer).SerializeToString(), None)
        else:
            self._put(None)

    def _put(self, *messages: bytes | None) -> None:
        self._held += messages
        self._host.will_write(self)

    def written(self) -> None:
        """Hand on what was said in this turn."""
        held, self._held = self._held, []
        for message in held:
            self._queue.put_nowait(message)


def failed(error: AimassError, name: str = "", request_id: str = "") -> bytes:
    """Return the message by which a stream says that one of its requests failed."""
    answer = PROTO.ModelInferResponse(model_name=name, id=request_id)
    answer.parameters["code"].string_param = error.code
    return PROTO.ModelStreamInferResponse(error_message=error.message, infer_response=answer).SerializeToString()


def _message(work: Work, outputs: dict[str, Any], *, is_final: bool) -> bytes:
    answer = write_answer(work, outputs)
    answer.parameters[FINAL].bool_param = is_final
    return PROTO.ModelStreamInferResponse(infer_response=answer).SerializeToString()


def about(work: Work) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that say who answered what."""
    found = about_deployment(work.deployment)
    return (*found, ("x-aimass-fallback", work.rescue.encode("ascii", "replace").decode())) if work.rescue else found


def answered_in(trace: bytes) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that say in which trace a call was answered; none without one."""
    return (("traceresponse", f"00-{trace.decode()}"),) if trace else ()


def about_deployment(deployment: Deployment) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that say which deployment answered."""
    return _of_lines(deployment.head_lines)


@lru_cache(1024)
def _of_lines(head_lines: bytes) -> tuple[tuple[str, str], ...]:
    lines = [line.split(": ", 1) for line in head_lines.decode("latin-1").split("\r\n") if line]
    return tuple((name.lower(), value) for name, value in lines)
