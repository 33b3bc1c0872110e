"""The connections of one worker: how many, from where, and who goes when there is no room."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.errors import TooManyConnections
from aimass.kernel.errors import AimassError

_NETWORK_BITS = 64
_LEAVING = 64


class Crowd:
    """All connections of a worker.

    When it is full, a new client is let in at the expense of those that have asked for nothing yet, and of the address
    with the most connections first: who only holds connections locks nobody out. Without such a one he is refused.

    Parameters
    ----------
    most, most_per_address
        How many there may be, in all and from one address; 0 for the latter means no limit.
    """

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._all: set[Connection] = set()
        self._leaving: set[Connection] = set()
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)

    def admit(self, connection: Connection) -> AimassError | None:
        """Take a new connection; return why not when there are too many."""
        address = connection.address = network_of(connection.peer)
        self._all.add(connection)
        self._counts[address] += 1
        if self._most_per_address and self._counts[address] > self._most_per_address:
            return TooManyConnections(
                "this address has as many connections as it may have", allowed=f"at most {self._most_per_address}"
            )
        if len(self._all) - len(self._leaving) > self._most and not self._make_room(connection):
            return TooManyConnections(allowed=f"at most {self._most}")
        return None

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._all:
            self._all.remove(connection)
            self._leaving.discard(connection)
            self._counts[connection.address] -= 1
            if not self._counts[connection.address]:
                del self._counts[connection.address]

    def late(self, now: float) -> list[Connection]:
        """Return the connections whose time is over."""
        return [connection for connection in self._all if connection.deadline and connection.deadline < now]

    def wait_for_us(self, seconds: float) -> None:
        """Give everybody the time in which the worker was busy: what they sent may wait in the kernel."""
        for connection in self._all:
            if connection.deadline:
                connection.deadline += seconds

    def _make_room(self, new: Connection) -> bool:
        """Let a few go that wait; several at once, since each look takes a while."""
        waiting = [c for c in self._all if c.is_waiting and c is not new and c not in self._leaving]
        counts = self._counts
        wanted = max(1, min(_LEAVING, self._most // 10))
        gone = heapq.nsmallest(wanted, waiting, key=lambda c: (-counts[c.address], c.deadline))
        for connection in gone:
            self._leaving.add(connection)
            connection.timed_out()
        return bool(gone)


def network_of(peer: str) -> str:
    """Return what counts as one address: an IPv4 address, or the network of an IPv6 address.

    Examples
    --------
    >>> network_of("10.0.0.1"), network_of("::ffff:10.0.0.1"), network_of("2001:db8:1:2:3::4")
    ('10.0.0.1', '10.0.0.1', '2001:db8:1:2::')
    """
    if ":" not in peer:
        return peer
    address = ip_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS))
