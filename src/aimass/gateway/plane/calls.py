"""What is asked for: a request head that was understood, the language it speaks, and the request on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from aimass.gateway.plane.access_log import Entry
from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Decoded, Wanted
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.policy import PARAMETER
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.snapshot import Deployment, Endpoint
from aimass.kernel.errors import AimassError


@dataclass(slots=True, kw_only=True)
class Call:
    """A request head that was understood: who asks for what; kept, since clients repeat their heads.

    Attributes
    ----------
    verb
        What is asked for, where a dialect knows several things.
    method, path
        How it was asked for.
    json_bytes
        How much of the body is JSON; None when all of it is.
    coding, accepts
        How the body is packed, and how the answer may be packed; empty for not at all.
    is_old
        Whether the client speaks HTTP/1.0, which knows no chunks.
    session
        The header by which the endpoint assigns requests, where it has one.
    share
        Where the caller stands in the split of the traffic; None where that is left to chance, or to the body.
    is_bare
        Whether the body is JSON of the Open Inference Protocol and nothing else, so that the cheap path may read it.
    """

    key: Key
    endpoint: Endpoint
    version: str
    dialect: Dialect
    verb: str = ""
    length: int = 0
    kind: bytes = b""
    json_bytes: int | None = None
    coding: bytes = b""
    accepts: bytes = b""
    method: bytes = b"POST"
    path: bytes = b""
    is_old: bool = False
    session: str | None = None
    share: float | None = field(init=False)
    is_bare: bool = field(init=False)
    is_streamed: bool = field(init=False)

    def __post_init__(self) -> None:
        """Note where the caller stands in a split by consumer or header, and whether the cheap path may read the body."""
        split = self.endpoint.split
        self.share = None if split.by == PARAMETER else split.share(self.key.consumer, self.session)
        is_plain = self.json_bytes is None and not self.coding and split.by != PARAMETER
        self.is_streamed = self.verb in self.dialect.streamed
        self.is_bare = self.dialect.has_cheap_path and is_plain

    def note(self, entry: Entry) -> None:
        """Say in the access log who asks for what."""
        entry.consumer = self.key.consumer
        entry.about = ("endpoint", self.endpoint.workspace, self.endpoint.name)


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request that was read and keeps to the signature.

    Attributes
    ----------
    parameters
        What the caller wants to tell the model besides its inputs.
    document
        The request as it was written, for the cheap path to learn from.
    trace
        Which trace the client put it in, as :mod:`~aimass.gateway.plane.tracing` writes it; empty without one.
    size
        How many bytes it had.
    plan
        What the dialect needs to make its answer from the outputs. A request with a plan is no traffic of the model: it
        is not recorded, and not counted among its answers.
    """

    decoded: Decoded
    wanted: list[Wanted]
    id: str = ""
    trace: bytes = b""
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    document: dict[str, Any] | None = None
    size: int = 0
    plan: Any = None


@dataclass(slots=True, kw_only=True)
class Written:
    """An answer as the body of a reply; ``extra`` are header lines, each with its line end."""

    body: bytes
    kind: bytes = b"application/json"
    extra: bytes = b""


Read = Callable[[Package], Asked]


class Dialect(Protocol):
    """A language in which programs ask for inference.

    Attributes
    ----------
    segments
        The first parts of the addresses that it answers.
    verbs
        What it answers below ``/v2/models/<name>/``.
    streamed
        Which of these it answers chunk by chunk.
    """

    segments: ClassVar[frozenset[bytes]]
    verbs: ClassVar[frozenset[str]]
    streamed: ClassVar[frozenset[str]]
    has_cheap_path: ClassVar[bool]

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers a request below one of the segments; raises what refuses it."""
        ...

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Read a request and check it against the signature."""
        ...

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Write an answer."""
        ...

    def refuse(self, error: AimassError) -> bytes:
        """Write the body of an error."""
        ...


class Source(Protocol):
    """Where the chunks of an answer come from."""

    def more(self, count: int) -> None:
        """Let so many further chunks come."""
        ...

    def cancel(self) -> None:
        """Stop the model's work."""
        ...


class ChunkCaller(Protocol):
    """Whoever takes an answer in chunks."""

    def begin(self, work: Work, source: Source, gone: Callable[[], None]) -> None:
        """Hear where chunks come from, and whom to tell when nobody reads them any more."""
        ...

    def part(self, work: Work, outputs: dict[str, Any]) -> None:
        """Send a chunk, and ask for more when there is room."""
        ...

    def ended(self, work: Work, error: AimassError | None) -> None:
        """Send the end."""
        ...


class Caller(Protocol):
    """Who gets the answer: a client's connection, a call of gRPC, or nobody."""

    @property
    def chunks(self) -> ChunkCaller | None:
        """Return who takes the answer in chunks; None when it is wanted whole."""
        ...

    @property
    def is_gone(self) -> bool:
        """Tell whether nobody waits for the answer any more."""
        ...

    @property
    def trace(self) -> bytes:
        """Return the trace that the client put the request in; empty without one."""
        ...

    def write(self, work: Work, outputs: dict[str, Any]) -> Any:
        """Return the answer in the form in which :meth:`send` sends it."""
        ...

    def send(self, work: Work, answer: Any) -> None:
        """Send an answer; its record is written first."""
        ...

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Send an error; there may be no deployment that it is about."""
        ...


@dataclass(slots=True, kw_only=True)
class Work:
    """A request on the general path that was read.

    Attributes
    ----------
    now
        When it came, in seconds since the epoch.
    started, read_at
        When it came and when it was read, in seconds of ``perf_counter``.
    rescue
        Who failed and how, when another answers in place of the chosen deployment; empty otherwise.
    """

    call: Call
    caller: Caller
    deployment: Deployment
    asked: Asked
    now: float
    started: float
    read_at: float
    read: Read | None = None
    rescue: str = ""

    @property
    def id(self) -> str:
        """Return the id of the request."""
        return self.asked.id
