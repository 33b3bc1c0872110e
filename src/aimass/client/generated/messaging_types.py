"""Objects of messaging. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many receipts counted; the stale ones had run out, and their messages are somebody else's."""

    count: int
    stale: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Something that happens by the clock."""

    id: str
    workspace: str
    schedule: str
    name: str
    cron: str
    zone: str
    missed: Literal["skip", "once", "all"]
    job: JobAction | None
    message: MessageAction | None
    is_paused: bool
    next_at: datetime | None
    next_times: list[datetime]
    last_at: datetime | None
    runs: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """Start a job of a kind that schedules may start."""

    kind: str
    title: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAction:
    """Publish a message."""

    topic: str
    body: Any = None
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A named log of messages."""

    id: str
    workspace: str
    topic: str
    title: str
    retention_h: float
    messages: int
    last_seq: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A reader of a topic with a durable place of its own; many processes may pull from one."""

    id: str
    workspace: str
    topic: str
    subscription: str
    lease_s: float
    max_tries: int
    is_ordered: bool
    seq: int
    waiting: int
    in_flight: int
    dead: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that a subscription could not digest."""

    id: str
    workspace: str
    topic: str
    subscription: str
    seq: int
    message_id: str
    key: str
    headers: dict[str, str]
    body: Any
    published_at: datetime
    tries: int
    error: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message on a topic."""

    seq: int
    id: str
    key: str
    time: datetime
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message that is kept now; ``is_new`` is False when its id was known."""

    id: str
    seq: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be published."""

    body: Any
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivered message; acknowledge its receipt before ``until``, or it comes again."""

    receipt: str
    until: datetime
    tries: int
    seq: int
    id: str
    key: str
    time: datetime
    headers: dict[str, str]
    body: Any
