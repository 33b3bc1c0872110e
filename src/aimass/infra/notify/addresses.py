"""Where a call to the outside may go: names are resolved once, and addresses inside are refused (SSRF)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from aimass.kernel.errors import Invalid, Unavailable

Address = IPv4Address | IPv6Address
_PORTS = {"http": 80, "https": 443}
_TRANSLATED = (
    ip_network("64:ff9b::/96"),
    ip_network("64:ff9b:1::/48"),
    ip_network("2002::/16"),
    ip_network("2001::/32"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was checked: connect to ``address``, and speak to ``host``."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def connect_url(self) -> str:
        """Return the URL with the checked address in place of the name."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """Return what the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class AddressGuard:
    """Lets calls go to public addresses, and inside only to what is on the list.

    Parameters
    ----------
    allow
        Hosts (``hooks.corp.example``) and networks (``10.1.0.0/16``) that may be reached although they are inside.

    setting, field
        Where that list is kept, and what the caller calls the address, for those who are refused.

    Examples
    --------
    >>> AddressGuard().check("http://8.8.8.8/hook").connect_url
    'http://8.8.8.8:80/hook'
    """

    def __init__(self, allow: Sequence[str] = (), *, setting: str = "AIMASS_NOTIFY_ALLOW", field: str = "url") -> None:
        self._setting = setting
        self._field = field
        self._hosts: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allow:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.casefold().rstrip("."))

    def check(self, url: str) -> Target:
        """Resolve the host once and return where to connect; refuse an address inside."""
        parts, port = _split(url, self._field)
        host = (parts.hostname or "").rstrip(".")
        found = _resolve(host, port)
        inside = [address for address in found if not self._is_allowed(host, address)]
        if inside:
            raise Invalid(
                f"{host!r} is inside: {inside[0]}",
                field=self._field,
                value=host,
                allowed="public addresses",
                hint=f"an administrator can list it in {self._setting}",
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(scheme=parts.scheme, host=host, port=port, path=path, address=str(found[0]))

    def _is_allowed(self, host: str, address: Address) -> bool:
        if host.casefold() in self._hosts or any(address in network for network in self._networks):
            return True
        return is_public(address)


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet, also when it is written inside another one.

    Examples
    --------
    >>> [is_public(ip_address(a)) for a in ("8.8.8.8", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


def _split(url: str, field: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as reason:
        raise Invalid("this is no address", field=field, allowed="https://host/path") from reason
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise Invalid(
            "this is no address that can be called", field=field, allowed="https://host/path, without a name in it"
        )
    return parts, port


def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as reason:
        raise Unavailable(f"the host {host!r} is not known", value=host) from reason
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
