"""Answers that are kept, up to a number of bytes; those that were used least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from aimass.gateway.plane.http import Headers, ReplyHead, RequestHead, tokens_of
from aimass.gateway.plane.proxy.cache.asked import values_of
from aimass.gateway.plane.proxy.cache.freshness import Terms
from aimass.gateway.plane.proxy.things import Instance, Route

OVERHEAD = 1024
"""Bytes that an answer takes besides its head and its body."""
_MOST_VARIANTS, _MOST_TOUCHED = 32, 10_000
_UNCHANGED = 304
_CONFIRMED_S = 600.0
"""So long after its time an answer is still there for its service to say that it has not changed."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"age", b"x-cache"})
Key = tuple[bytes, int]
Told = tuple[tuple[bytes, bytes], ...]


class Entry:
    """An answer that is kept.

    Attributes
    ----------
    route, below
        Of whom it is, and the path below that route.
    reply, body, instance
        What a service said, and who said it.
    unchanged
        The same as the answer to somebody who has it already.
    born, until
        When it was fresh from the service, and until when it may be given.
    error_until, renewal_until
        Until when it stands in where fetching it anew fails, and while that is under way.
    gone_at
        From when on it is of no use to anybody.
    vary
        Headers of requests, with the values for which it is the answer.
    """

    __slots__ = (
        "below",
        "body",
        "born",
        "error_until",
        "gone_at",
        "instance",
        "renewal_until",
        "reply",
        "route",
        "size",
        "unchanged",
        "until",
        "vary",
    )

    def __init__(self, reply: ReplyHead, body: bytes, instance: Instance, route: Route, request: RequestHead) -> None:
        headers = [(name, value) for name, value in reply.headers if name not in _FRAMING]
        whole: Headers = [*headers, (b"content-length", b"%d" % len(body))]
        self.reply = replace(reply, headers=whole, length=len(body), is_chunked=False)
        self.unchanged = replace(reply, status=_UNCHANGED, headers=headers, length=0, is_chunked=False)
        self.body = body
        self.instance = instance
        self.route = route
        self.below = request.path[len(route.prefix) :]
        self.vary: Told = tuple((name, values_of(request.headers, name)) for name in _told_apart_by(headers))
        self.size = OVERHEAD + len(body) + sum(len(name) + len(value) for name, value in headers)
        self.born = self.until = self.error_until = self.renewal_until = self.gone_at = 0.0

    def live(self, terms: Terms, asked_at: float) -> Entry:
        """Let its time begin, at the moment when the service was asked."""
        self.born = asked_at - terms.age_s
        self.until = self.born + terms.fresh_s
        self.error_until = self.until + terms.error_s
        self.renewal_until = self.until + terms.renewal_s
        spare_s = _CONFIRMED_S if self.condition else 0.0
        self.gone_at = max(self.until + spare_s, self.error_until, self.renewal_until)
        return self

    @property
    def condition(self) -> tuple[bytes, bytes] | None:
        """The header by which its service is asked whether it has changed; None where the service cannot tell."""
        tag, changed = self.reply.get(b"etag"), self.reply.get(b"last-modified")
        if tag:
            return b"if-none-match", tag
        return (b"if-modified-since", changed) if changed else None

    def renewed(self, reply: ReplyHead, instance: Instance, request: RequestHead) -> Entry:
        """Return the same answer with what its service says of it now (RFC 9111, section 4.3.4)."""
        said = {name for name, _ in reply.headers}
        headers = [*(pair for pair in self.reply.headers if pair[0] not in said), *reply.headers]
        return Entry(replace(self.reply, headers=headers), self.body, instance, self.route, request)

    def stays_with(self, after: Route) -> bool:
        """Tell whether it is still found when its route has become another."""
        before = self.route.cache
        if before is None or after.cache is None:
            return False
        return before.generation(self.below) == after.cache.generation(self.below)

    def suits(self, head: RequestHead) -> bool:
        """Tell whether it is the answer to a request with these headers."""
        return all(values_of(head.headers, name) == value for name, value in self.vary)


def _told_apart_by(headers: Headers) -> list[bytes]:
    """Return the headers of requests by which an answer was chosen; one that is packed was chosen by what the client can unpack.

    Examples
    --------
    >>> _told_apart_by([(b"vary", b"Origin, Accept"), (b"content-encoding", b"gzip")])
    [b'accept', b'accept-encoding', b'origin']
    """
    is_packed = any(name == b"content-encoding" for name, _ in headers)
    return sorted(tokens_of(headers, b"vary") | ({b"accept-encoding"} if is_packed else set()))


class Store:
    """What a worker keeps.

    A key holds the answers that differ by what the service names in ``Vary``.

    Attributes
    ----------
    most, size
        How many bytes may be kept, and how many are.
    evicted
        How many answers had to make room.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = self.count = self.evicted = 0
        self._kept: OrderedDict[Key, list[Entry]] = OrderedDict()
        self._touched: dict[bytes, int] = {}
        self._touches = self._touched_before = 0

    def key(self, digest: bytes, target: bytes) -> Key:
        """Return the key of what a request asks for; it changes when something behind the address has changed."""
        return digest, self._touched.get(target, self._touched_before)

    def touch(self, target: bytes) -> None:
        """Hear that what is behind an address was changed: no answer from before is given again."""
        if len(self._touched) >= _MOST_TOUCHED:
            self._touched.clear()
            self._touched_before = self._touches
        self._touches += 1
        self._touched[target] = self._touches

    def find(self, key: Key, head: RequestHead) -> Entry | None:
        """Return the answer to a request, whatever its age."""
        variants = self._kept.get(key)
        if variants is None:
            return None
        self._kept.move_to_end(key)
        return next((one for one in variants if one.suits(head)), None)

    def kind(self, key: Key, head: RequestHead) -> Told:
        """Return what tells a request from others of the same key, as far as the service has said by what."""
        variants = self._kept.get(key)
        return tuple((name, values_of(head.headers, name)) for name, _ in variants[-1].vary) if variants else ()

    def put(self, key: Key, entry: Entry) -> bool:
        """Keep an answer in place of the one before, where it has room at all; others go for it."""
        if entry.size > self.most:
            return False
        before = self._kept.pop(key, [])
        stay = [one for one in before if one.vary != entry.vary][1 - _MOST_VARIANTS :]
        self._count([one for one in before if one not in stay], -1)
        self._kept[key] = [*stay, entry]
        self._count([entry], 1)
        while self.size > self.most:
            _, gone = self._kept.popitem(last=False)
            self._count(gone, -1)
            self.evicted += len(gone)
        return True

    def _count(self, entries: list[Entry], by: int) -> None:
        self.count += by * len(entries)
        self.size += by * sum(one.size for one in entries)

    def drop(self, key: Key) -> None:
        """Forget what is kept of a key."""
        self._count(self._kept.pop(key, []), -1)

    def follow(self, changes: Mapping[Route, Route | None]) -> None:
        """Hear which routes have become which: answers stay that are still found, the others go."""
        for key in [key for key, variants in self._kept.items() if variants[0].route in changes]:
            variants = self._kept[key]
            after = changes[variants[0].route]
            if after is None or not variants[0].stays_with(after):
                self._count(self._kept.pop(key), -1)
            else:
                for one in variants:
                    one.route = after

    def sweep(self, now: float) -> None:
        """Forget answers that nobody gets any more, those first that were used least recently."""
        while self._kept:
            key = next(iter(self._kept))
            if any(one.gone_at > now for one in self._kept[key]):
                return
            self._count(self._kept.pop(key), -1)
