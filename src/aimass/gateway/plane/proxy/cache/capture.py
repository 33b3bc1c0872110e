"""A request on its way whose answer may be kept, and one that goes past the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

from aimass.gateway.plane.connection import BY_UPSTREAM, Connection
from aimass.gateway.plane.errors import BadReply
from aimass.gateway.plane.http import ReplyHead
from aimass.gateway.plane.proxy.cache.asked import Asked
from aimass.gateway.plane.proxy.cache.flights import Flight, Outcome
from aimass.gateway.plane.proxy.cache.freshness import Terms, terms
from aimass.gateway.plane.proxy.cache.given import give
from aimass.gateway.plane.proxy.cache.store import Entry, Key
from aimass.gateway.plane.proxy.courses import Order
from aimass.gateway.plane.proxy.forward import REPLACED, SICK, Forward, Way
from aimass.gateway.plane.proxy.things import Instance
from aimass.gateway.plane.slow import SERVER_ERROR
from aimass.kernel.errors import AimassError

_UNCHANGED, _ERROR = 304, 400
_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})


class Wish(NamedTuple):
    """What is to be fetched.

    Attributes
    ----------
    asked, key
        Who wants it, and where it is kept.
    old
        What is kept, but too old.
    word
        What is said of the answer.
    """

    asked: Asked
    key: Key
    old: Entry | None
    word: bytes


class Keeper(Protocol):
    """Who keeps answers, and lets those go on who wait for them."""

    def keep(self, key: Key, entry: Entry) -> bool:
        """Keep an answer; tell whether it has room."""
        ...

    def landed(self, flight: Flight, outcome: Outcome) -> None:
        """Let those go on who wait."""
        ...


class Past(Forward):
    """A request that the cache has no part in; one that changes something makes it forget what it had of the address."""

    def __init__(
        self, way: Way, connection: Connection, order: Order, word: bytes, changed: Callable[[], None] | None
    ) -> None:
        super().__init__(way, connection, order)
        self._said += b"x-cache: " + word + b"\r\n"
        self._changed = changed

    def head(self, reply: ReplyHead) -> None:
        """Send the head on, after what it changed was noted."""
        if self._changed is not None and reply.status < _ERROR:
            self._changed()
        super().head(reply)


class Capture(Forward):
    """A request whose answer is read into memory too, while it goes to the client who asked first.

    While others wait, the client who asked first may be slow, or gone, without harm to them. Where there is an older answer
    its service is asked whether that has changed, and it stands in for as long as it may when the service fails.
    """

    def __init__(self, way: Way, connection: Connection, order: Order, wish: Wish, keeper: Keeper) -> None:
        self._wish = wish
        self._keeping = wish.asked.keeping
        self._keeper = keeper
        self._flight: Flight | None = None
        self._kept_parts: list[bytes] = []
        self._held = 0
        self._is_capturing = True
        self._is_slow = False
        self._found: tuple[ReplyHead, Instance, Terms] | None = None
        self._wanted = order
        self._asked_at = way.loop.time()
        super().__init__(way, connection, _whole(order, wish.old))
        self._said += b"x-cache: " + wish.word + b"\r\n"

    def lead(self, flight: Flight) -> Capture:
        """Fetch for all who wait."""
        self._flight = flight
        flight.leader = self
        return self

    # -- what the service says

    def head(self, reply: ReplyHead) -> None:
        """Send the head on, and look whether the answer may be kept."""
        old = self._wish.old
        if old is not None and not self._fell and self._instance is not None:
            if reply.status == _UNCHANGED and old.condition is not None:
                self._confirm(old, reply, self._instance)
                return
            if reply.status >= SERVER_ERROR and self._may_stand_in(old):
                self._avoid(reply.status, self._instance)
                return
        super().head(reply)
        instance = self._instance
        if self._is_done or instance is None or not self._connection.is_replying:
            return
        if reply.status >= SERVER_ERROR:
            self._give_up(Outcome.FAILED)
            return
        found = None if self._fell else self._terms(reply)
        if found is None or (reply.length or 0) > self._keeping.most_bytes:
            self._give_up(Outcome.UNKEEPABLE)
        else:
            self._found = reply, instance, found

    def _confirm(self, old: Entry, reply: ReplyHead, instance: Instance) -> None:
        """Give what is kept, which has not changed, and keep it on."""
        self._note(instance, reply.status)
        self._wait()
        renewed = old.renewed(reply, instance, self._head)
        found = self._terms(renewed.reply)
        if found is None:
            self._land(Outcome.UNKEEPABLE)
        else:
            self._store(renewed.live(found, self._asked_at))
        self._connection.is_replying = True
        self._count(give(self._connection, self._wanted, renewed, b"REVALIDATED", self._way.loop.time()))

    def _avoid(self, status: int, instance: Instance) -> None:
        """Ask somebody else after an error, or else give an older answer in place of it."""
        if status in SICK and self._is_passed_on():
            return
        self._note(instance, status)
        self._refuse(BadReply(f"service {self._order.upstream.name!r} answered {status}"))

    def _terms(self, reply: ReplyHead) -> Terms | None:
        """Return how an answer may be kept; None when it may not, or not for those who would get it."""
        found = terms(reply, self._keeping.default_s, self._keeping.stale_s)
        return found if found is not None and self._is_allowed(found) else None

    def _is_allowed(self, found: Terms) -> bool:
        """Tell whether others, or the same caller, may have the answer again."""
        asked, is_shared = self._wish.asked, self._keeping.is_shared
        if found.is_private and (is_shared or not asked.is_known):
            return False
        return not (is_shared and asked.is_signed) or found.is_for_all

    def part(self, data: bytes) -> None:
        """Send a part on, and keep it."""
        if self._is_capturing:
            self._held += len(data)
            has_room = self._connection.host.budget.take(len(data))
            if has_room and self._held <= self._keeping.most_bytes:
                self._kept_parts.append(data)
            else:
                self._give_up(Outcome.UNKEEPABLE)
        super().part(data)

    def complete(self) -> None:
        """Keep the answer, and end it for the client."""
        if self._is_capturing and self._found is not None:
            reply, instance, found = self._found
            entry = Entry(reply, b"".join(self._kept_parts), instance, self._route, self._head)
            self._store(entry.live(found, self._asked_at))
        super().complete()

    def _store(self, entry: Entry) -> None:
        if self._keeper.keep(self._wish.key, entry):
            self._land(Outcome.KEPT, entry)
        else:
            self._land(Outcome.UNKEEPABLE)

    def _may_stand_in(self, old: Entry) -> bool:
        return old.error_until > self._way.loop.time() and not self._connection.is_replying

    def _refuse(self, error: AimassError) -> None:
        """Give an older answer in place of the error, where there is one that may stand in."""
        old = self._wish.old
        if self._is_done or old is None or not isinstance(error, REPLACED) or not self._may_stand_in(old):
            super()._refuse(error)
            return
        self._leave()
        self._drop()
        self._land(Outcome.KEPT, old, b"STALE")
        self._count(give(self._connection, self._wanted, old, b"STALE", self._way.loop.time()))
        self._error = error.code
        self._done()
        self._connection.release(BY_UPSTREAM)
        self._connection.finish()

    def _done(self) -> None:
        super()._done()
        self._land(Outcome.FAILED)

    def _give_up(self, outcome: Outcome) -> None:
        """Keep nothing of this answer; a client who is slow holds the service back from now on, and one who is gone ends it."""
        self._land(outcome)
        if self._connection.is_lost:
            super().lost()
        elif self._is_slow:
            super().writable(is_open=False)

    def _land(self, outcome: Outcome, entry: Entry | None = None, word: bytes = b"HIT") -> None:
        """Have done with capturing; those who wait go on when this turn's work is done."""
        if not self._is_capturing:
            return
        self._is_capturing = False
        self._kept_parts = []
        self._connection.host.budget.take(-self._held)
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.leader, flight.entry, flight.word = None, entry, word
            self._way.loop.call_soon(self._keeper.landed, flight, outcome)

    # -- the client who asked first

    def lost(self) -> None:
        """Go on where others wait."""
        if self._flight is None or not self._flight.waiting:
            super().lost()

    def left(self) -> None:
        """Stop where nobody waits any more, not even the client."""
        if self._connection.is_lost:
            super().lost()

    def writable(self, *, is_open: bool) -> None:
        """Hold the service back only where nobody else waits for it: what is captured fits into memory."""
        self._is_slow = not is_open
        if not self._is_capturing:
            super().writable(is_open=is_open)


def _whole(order: Order, old: Entry | None) -> Order:
    """Return an order without the conditions of its client: what is kept has to be whole; what is kept sets its own."""
    head = order.head
    headers = [pair for pair in head.headers if pair[0] not in _CONDITIONS]
    condition = None if old is None else old.condition
    if condition is not None:
        headers.append(condition)
    elif len(headers) == len(head.headers):
        return order
    return replace(order, head=replace(head, headers=headers))
