"""Subscriptions, deliveries and dead letters, and the rule by which a message may be delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

_MAX_LEASE_S = 12 * 3600
_MAX_RECEIPTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A reader of a topic with a durable place of its own; many processes may pull from one.

    Attributes
    ----------
    waiting
        Messages that were never delivered.
    in_flight
        Messages that are delivered and not acknowledged, held back by a delay, or wait for another try.
    dead
        Dead letters.
    """

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
class CreateSubscription:
    """A new subscription."""

    workspace: str
    topic: str
    subscription: Annotated[str, doc("slug of the subscription")]
    start: Annotated[Literal["begin", "end"], doc("begin: with the oldest message that is kept")] = "end"
    lease_s: Annotated[
        float, Gt(0), Le(_MAX_LEASE_S), doc("time to acknowledge before a message is delivered again")
    ] = 60.0
    max_tries: Annotated[int, Ge(1), Le(100), doc("deliveries before a message becomes a dead letter")] = 5
    is_ordered: Annotated[bool, doc("deliver messages of one key one after the other")] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSubscriptions:
    """Whose subscriptions are wanted."""

    workspace: str
    topic: str
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionName:
    """Which subscription is meant."""

    workspace: str
    topic: str
    subscription: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeekSubscription:
    """Where a subscription shall go on: one of the three. What was in flight is forgotten."""

    workspace: str
    topic: str
    subscription: str
    seq: Annotated[int | None, Ge(0), doc("the first message to deliver again")] = None
    time: Annotated[datetime | None, doc("messages published at or after this moment")] = None
    to: Annotated[Literal["begin", "end"] | None, doc("the oldest message, or behind the newest")] = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.seq, self.time, self.to)) != 1:
            raise Invalid("a place is named by one of seq, time and to", field="to", allowed=["seq", "time", "to"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PullMessages:
    """How many messages are wanted, and how long to wait for the first."""

    workspace: str
    topic: str
    subscription: str
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 10
    wait_s: Annotated[float, Ge(0), Le(30)] = 0.0


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
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AckMessages:
    """Receipts of messages that are dealt with."""

    workspace: str
    topic: str
    subscription: str
    receipts: Annotated[list[str], MinLen(1), MaxLen(_MAX_RECEIPTS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NackMessages:
    """Receipts of messages that could not be dealt with, why, and when to try again."""

    workspace: str
    topic: str
    subscription: str
    receipts: Annotated[list[str], MinLen(1), MaxLen(_MAX_RECEIPTS)]
    delay_s: Annotated[float, Ge(0), Le(86400)] = 0.0
    error: Annotated[str, MaxLen(2000), doc("kept with the message and shown with a dead letter")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many receipts counted; the stale ones had run out, and their messages are somebody else's."""

    count: int
    stale: list[str]


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
    headers: Mapping[str, str]
    body: Any
    published_at: datetime
    tries: int
    error: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeadLetters:
    """Which dead letters are wanted, newest first."""

    workspace: str
    topic: str | None = None
    subscription: str | None = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterId:
    """Which dead letter is meant."""

    workspace: str
    letter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleDeadLetters:
    """Which dead letters of a subscription are meant; all when none is named."""

    workspace: str
    topic: str
    subscription: str
    letters: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message that a subscription has taken up and not acknowledged."""

    seq: int
    key: str
    until: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be delivered and what is dead, by number, and the keys that must wait."""

    deliver: list[int]
    dead: list[int]
    busy_keys: set[str]


def plan(pending: Iterable[Pending], subscription: Subscription, now: datetime, wanted: int) -> Plan:
    """Decide about the messages that a subscription has taken up, oldest first.

    A message is due when its lease or its delay is over. In an ordered subscription it also waits for every older one
    of its key. One that was tried often enough is dead and holds nobody back.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 5, 1, tzinfo=UTC)
    >>> ordered = Subscription(id="", workspace="", topic="", subscription="", lease_s=60, max_tries=3, is_ordered=True,
    ...     seq=0, waiting=0, in_flight=0, dead=0, created_at=now, version=1)
    >>> leased = Pending(seq=1, key="a", until=now + timedelta(seconds=9), tries=1)
    >>> due = [Pending(seq=n, key=key, until=now, tries=tries) for n, key, tries in ((2, "a", 0), (3, "b", 3), (4, "b", 0))]
    >>> decided = plan([leased, *due], ordered, now, 10)
    >>> decided.deliver, decided.dead, sorted(decided.busy_keys)
    ([4], [3], ['a', 'b'])
    """
    decided = Plan(deliver=[], dead=[], busy_keys=set())
    for message in pending:
        is_blocked = bool(message.key) and message.key in decided.busy_keys
        is_due = message.until <= now
        if is_due and not is_blocked and message.tries >= subscription.max_tries:
            decided.dead.append(message.seq)
            continue
        if is_due and not is_blocked and len(decided.deliver) < wanted:
            decided.deliver.append(message.seq)
        if subscription.is_ordered and message.key:
            decided.busy_keys.add(message.key)
    return decided
