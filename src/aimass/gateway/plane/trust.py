"""Who asks, where an outer edge stands in front of the gateway: told by the edge, and believed from listed addresses alone."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import Headers, RequestHead
from aimass.gateway.settings import Network

_SCHEMES = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}  # Traefik says wss of a WebSocket
_MOST_HOPS = 32


class Trust:
    """The addresses whose word on the client counts.

    Parameters
    ----------
    networks
        Outer edges; none means that nobody is believed.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks

    def look(self, connection: Connection, head: RequestHead) -> None:
        """Note the client of a request; several may come over one connection of an edge."""
        if not self._networks:
            return
        direct = _address(connection.direct)
        if direct is None or not self._counts(direct):
            return
        connection.peer = self.client_of(head.headers, connection.direct)
        connection.scheme = scheme_of(head.headers)

    def client_of(self, headers: Headers, direct: str) -> str:
        """Return the client: the last address in the chain that is no edge of ours.

        Each edge adds at the end whom it has seen, so what stands further left may have been written by anybody. A part
        that is no address ends the chain: then the edge that wrote it down is the last that is known.

        Examples
        --------
        >>> from ipaddress import ip_network
        >>> trust = Trust([ip_network("10.0.0.0/8")])
        >>> trust.client_of([(b"x-forwarded-for", b"1.1.1.1, 203.0.113.7, 10.0.0.9")], "10.0.0.1")
        '203.0.113.7'
        >>> trust.client_of([(b"x-forwarded-for", b"203.0.113.7, unknown")], "10.0.0.1")
        '10.0.0.1'
        """
        client = direct
        chain = b",".join(value for name, value in headers if name == b"x-forwarded-for").split(b",")
        for part in reversed(chain[-_MOST_HOPS:]):
            address = _address(part.decode("latin-1").strip())
            if address is None:
                return client
            client = str(address)
            if not self._counts(address):
                return client
        return client

    def _counts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def scheme_of(headers: Headers) -> bytes:
    """Return how the client reached the edge; ``http`` where the edge does not say, or says something else.

    Examples
    --------
    >>> scheme_of([(b"x-forwarded-proto", b"http, https")]), scheme_of([(b"x-forwarded-proto", b"gopher")])
    (b'https', b'http')
    """
    told = [value for name, value in headers if name == b"x-forwarded-proto"]
    last = told[-1].rpartition(b",")[2].strip().lower() if told else b""
    return _SCHEMES.get(last, b"http")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; one of IPv4 that was written as one of IPv6 counts as what it is."""
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
