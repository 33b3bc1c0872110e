"""Requests that took long, or failed, as callers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.gateway.domain.inference import Cursor, Limit, Workspace

Order = Literal["newest", "slowest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowRequest:
    """A request through the gateway that took longer than the threshold, or failed with 500 or more.

    Attributes
    ----------
    at, seconds
        When it came, and how long it took to its end.
    kind, name
        ``route`` for a service, ``endpoint`` for a model, and what that is called.
    service, target, version
        Who answered: the service, the id of its instance and its address; of a model the deployment, its revision and
        the version of the model. Empty when nobody was asked.
    path
        Without its query.
    status, error
        What the client heard, 499 where he had left; and the code of the error.
    first_byte_s
        From asking the instance to the head of its answer.
    queue_s
        How long it waited because its route was paused.
    compute_s
        In the model, with the wait for it.
    retries
        How often it was sent to another instance.
    breaker
        How the breaker of the instance stood: ``closed`` when it was well.
    """

    id: str
    workspace: str
    at: datetime
    seconds: float
    kind: str
    name: str
    service: str
    target: str
    version: str
    consumer: str
    method: str
    path: str
    status: int
    error: str
    first_byte_s: float | None
    queue_s: float | None
    compute_s: float | None
    bytes_in: int | None
    bytes_out: int | None
    retries: int
    breaker: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSlow:
    """Which slow and failed requests are wanted."""

    workspace: Workspace
    route: Annotated[str | None, MaxLen(63), doc("only those to this route")] = None
    endpoint: Annotated[str | None, MaxLen(63), doc("only those to this endpoint")] = None
    consumer: Annotated[str | None, MaxLen(255), doc("only those of this consumer")] = None
    least_s: Annotated[float | None, Ge(0), Le(86400), doc("only those that took so many seconds or longer")] = None
    status: Annotated[int | None, Ge(100), Le(599), doc("only those with this status")] = None
    failed: Annotated[bool | None, doc("true: only those with 500 or more; false: only the others")] = None
    trace: Annotated[str | None, MaxLen(32), doc("only those of this trace: 32 hexadecimal digits")] = None
    since: Annotated[datetime | None, doc("not before this moment")] = None
    until: Annotated[datetime | None, doc("before this moment")] = None
    order: Annotated[Order, doc("newest or slowest first")] = "newest"
    limit: Limit = 50
    cursor: Cursor = None
