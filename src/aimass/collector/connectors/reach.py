"""What connectors may reach: folders and networks are the operator's decision, not that of who writes a connection.

A field of a connector's parameters says what it names: ``json_schema_extra={"reach": "host"}`` (or ``url``, ``path``, ``module``). Those
fields are checked before the connection is opened; a connector that follows links asks :func:`check_host` for each.

A name may lead elsewhere a moment after it was looked up. So each connection that Python opens is checked once more, by the address
that it goes to (:func:`guarded`), and libraries that look names up by themselves are given the addresses that were checked.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from aimass.collector.settings import REFUSED
from aimass.kernel.errors import Forbidden, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What connectors may reach.

    Attributes
    ----------
    folders
        Folders whose files may be read; none: no file of this machine.
    refused
        Networks that are refused: those where clouds tell a machine its own credentials.
    loopback
        True: this machine's own services may be reached, by address or by socket.
    modules
        Python modules whose functions may be called, with what lies below them; none: no program of others.
    """

    folders: tuple[str, ...] = ()
    refused: tuple[str, ...] = REFUSED
    loopback: bool = False
    modules: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """Write it as JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def reach_of(told: Mapping[str, Any]) -> Reach:
    """Read it back.

    Examples
    --------
    >>> reach_of({"folders": ["/data"]}).folders
    ('/data',)
    """
    usual = Reach()
    return Reach(
        folders=tuple(told.get("folders", usual.folders)),
        refused=tuple(told.get("refused", usual.refused)),
        loopback=bool(told.get("loopback", usual.loopback)),
        modules=tuple(told.get("modules", usual.modules)),
    )


_LIMIT: ContextVar[Reach] = ContextVar("reach", default=Reach())  # noqa: B039 it is frozen


def limit_to(reach: Reach) -> None:
    """Let the connectors of this process reach so much."""
    _LIMIT.set(reach)


def check_reach(model: type[BaseModel], values: BaseModel) -> None:
    """Check every field that names a host, an address or a path."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        kind = extra.get("reach") if isinstance(extra, dict) else None
        value = getattr(values, name)
        if kind is None or value is None or value == "":
            continue
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        {"host": check_host, "url": check_url, "path": check_path, "module": check_module}[str(kind)](text, name)


def check_path(path: str, field: str = "path") -> Path:
    """Return where a path leads, links followed, or refuse it."""
    found = Path(path).expanduser().resolve()
    folders = [Path(folder).resolve() for folder in _LIMIT.get().folders]
    if not any(found.is_relative_to(folder) for folder in folders):
        raise Forbidden(
            f"the path {path!r} lies in no folder that connectors may read",
            field=field,
            value=path,
            allowed=[str(folder) for folder in folders],
            hint="an administrator lists folders in AIMASS_COLLECTOR_FOLDERS",
        )
    return found


def check_module(function: str, field: str = "function") -> None:
    """Refuse a function, ``module:name``, of a module that is not listed."""
    module = function.partition(":")[0]
    allowed = _LIMIT.get().modules
    if not any(module == one or module.startswith(f"{one}.") for one in allowed):
        raise Forbidden(
            f"the module {module!r} is not among those whose functions connectors may call",
            field=field,
            value=module,
            allowed=list(allowed),
            hint="an administrator lists modules in AIMASS_COLLECTOR_MODULES",
        )


def check_url(url: str, field: str = "url") -> None:
    """Refuse the address of a host that must not be reached."""
    host = urlsplit(url).hostname
    if host:
        check_host(host, field)


def check_host(host: str, field: str = "host") -> list[str]:
    """Refuse a host that must not be reached, by every address that it has; a path names a socket of this machine.

    Returns
    -------
    list
        The addresses, none for a path: what looks the name up by itself is given these, because the name may lead elsewhere
        a moment later.
    """
    limit = _LIMIT.get()
    if host.startswith(("/", "@")):
        if not limit.loopback:
            raise _own(host, field)
        return []
    found = _addresses(host, field)
    for address in found:
        _check_address(address, host, field, limit)
    return [str(address) for address in found]


def _check_address(address: IPv4Address | IPv6Address, host: str, field: str, limit: Reach) -> None:
    found = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
    if (found.is_loopback or found.is_unspecified) and not limit.loopback:
        raise _own(host, field)
    if any(found in ip_network(network) for network in limit.refused if not found.is_loopback):
        raise Forbidden(
            f"the host {host!r} has the address {found}, which connectors must not reach",
            field=field,
            value=host,
            hint="an administrator lists refused networks in AIMASS_COLLECTOR_REFUSED_NETWORKS",
        )


_guard: list[Reach] = []


@contextmanager
def guarded(reach: Reach) -> Iterator[None]:
    """Refuse, while it lasts, every connection that Python opens in this process to an address that must not be reached."""
    _hook()
    _guard.append(reach)
    try:
        yield
    finally:
        _guard.remove(reach)


@cache
def _hook() -> None:
    """Hear of each connection; a hook stays as long as its process."""
    sys.addaudithook(_heard)


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _guard or args[0].family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(args[1][0])
    try:
        for address in _addresses(host, "host"):
            _check_address(address, host, "host", _guard[-1])
    except Forbidden:
        args[0].close()  # who opened it expects errors of the system alone
        raise


def _own(host: str, field: str) -> Forbidden:
    return Forbidden(
        f"the host {host!r} is this machine itself",
        field=field,
        value=host,
        hint="an administrator allows it with AIMASS_COLLECTOR_LOOPBACK=true",
    )


def _addresses(host: str, field: str) -> list[IPv4Address | IPv6Address]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError as reason:
        raise Unavailable(f"the host {host!r} is not known: {reason}", field=field, value=host) from reason
    return [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
