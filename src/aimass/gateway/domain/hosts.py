"""Names of hosts at which routes answer beside ``/s/<workspace>/...``: how they are written, and which of them meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from annotated_types import MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug

MOST_HOSTS = 20
MOST_HOST_PARTS = 4
_ANY = "*."
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+(?=[a-z0-9-]*[a-z]){_LABEL}")
_LONGEST = 253
_ALLOWED = "api.example.org, or *.example.org for every name directly below"

Hosts = Annotated[
    list[str],
    MaxLen(MOST_HOSTS),
    doc("names of hosts at which the route answers too, without /s/<workspace>/: api.example.org, *.example.org"),
]
HostPath = Annotated[str, MaxLen(255), doc("path at these hosts below which it answers; empty for the whole host")]


def clean_host(text: str) -> str:
    """Return the name of a host in the form in which requests name it: small letters, and punycode for others than ASCII.

    Raises
    ------
    Invalid
        It is no name with a dot: an address, a port with it, or a star elsewhere than in front.

    Examples
    --------
    >>> clean_host("API.Example.org."), clean_host("*.bücher.example")
    ('api.example.org', '*.xn--bcher-kva.example')
    """
    plain = text.strip().removesuffix(".")
    star = _ANY if plain.startswith(_ANY) else ""
    try:
        name = star + plain.removeprefix(_ANY).encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise Invalid(f"{text[:100]!r} is no name of a host", field="hosts", value=text[:100], allowed=_ALLOWED)
    return name


def clean_hosts(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a policy says of hosts as it is kept; what it does not say stays unsaid.

    Examples
    --------
    >>> clean_hosts({"hosts": ["B.example.org", "b.example.org"], "host_path": "/tiles/"})
    {'hosts': ['b.example.org'], 'host_path': 'tiles'}
    """
    found: dict[str, Any] = {}
    if policy.get("hosts") is not None:
        found["hosts"] = list(dict.fromkeys(clean_host(one) for one in policy["hosts"]))
    if policy.get("host_path") is not None:
        found["host_path"] = _clean_path(policy["host_path"])
    return found


def _clean_path(path: str) -> str:
    parts = path.strip("/").split("/") if path.strip("/") else []
    if len(parts) > MOST_HOST_PARTS:
        raise Invalid(
            f"{path!r} has {len(parts)} parts", field="host_path", value=path, allowed=f"at most {MOST_HOST_PARTS}"
        )
    return "/".join(check_slug(part, field="host_path") for part in parts)


def meets(one: str, other: str) -> bool:
    """Tell whether two names stand for a host in common; a star stands for one part, as in certificates.

    Examples
    --------
    >>> meets("*.example.org", "api.example.org"), meets("*.example.org", "a.b.example.org")
    (True, False)
    """
    if one == other:
        return True
    stars = [name for name in (one, other) if name.startswith(_ANY)]
    return len(stars) == 1 and tail_of(one) == tail_of(other)


def tail_of(host: str) -> str:
    """Return a name from its first dot on.

    Examples
    --------
    >>> tail_of("api.example.org"), tail_of("*.example.org")
    ('.example.org', '.example.org')
    """
    return host[host.index(".") :] if "." in host else host


def own_among(hosts: Iterable[str], own: Iterable[str]) -> str | None:
    """Return the first of some names at which the platform itself is reached.

    Examples
    --------
    >>> own_among(["api.example.org", "*.example.org"], ["ai.example.org"])
    '*.example.org'
    """
    taken = list(own)
    return next((host for host in hosts if any(meets(host, name) for name in taken)), None)
