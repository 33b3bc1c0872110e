"""Settings of a gateway worker; the environment prefix is ``AIMASS_GATEWAY_``."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from aimass.kernel.errors import Invalid

_PREFIX = "AIMASS_GATEWAY_"
_MIB = 1024 * 1024
Network = IPv4Network | IPv6Network
CLIENT_CHOICES = ("off", "optional", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What a gateway worker needs to know at its start; everything else comes with the snapshot.

    Attributes
    ----------
    data_dir
        The data directory of the platform.
    host, port
        The public address; port 0 lets the system choose.
    worker, workers
        Number of this worker, and how many share the port, and with it the rates of keys.
    poll_s
        How often the snapshot file is looked at.
    segment_bytes, segment_age_s
        When a segment of records or series is closed and handed to monitoring.
    series_flush_s, sync_s
        How often series are written, and how often written records are brought to the disk.
    max_head_bytes, max_target_bytes, max_headers
        Size of a request head, of the address in it, and how many headers it may have.
    max_connections, max_connections_per_address
        How many connections a worker has, in all and from one address (for IPv6 from one network); 0 means no limit for
        one address, as behind a proxy. When there is no room, those that wait for nothing go first.
    max_passthrough
        How many requests control has under way at a time, streams and WebSockets with them.
    max_wait_s
        How long a request that is answered in the worker itself may have waited behind those that came with it; later
        ones are refused, so that a worker with too much to do answers some in time instead of all too late.
    max_model_bytes
        How much memory the models that a worker runs itself may take together. Beyond that those that were used least
        recently leave it, except for pinned ones, and are loaded again when they are asked for.
    max_load_wait_s
        How long a request waits for its model to be loaded.
    max_in_flight
        How many requests of one endpoint a worker has under way in isolated workers at a time.
    max_buffered_bytes
        What all clients of a worker hold together in parts of heads and bodies, and in answers that they do not read.
    max_cache_bytes
        How many bytes of answers of services a worker keeps for routes that ask for that; 0 keeps none.
    max_refused_bytes
        A body that nobody wants is read to its end up to this size, so that the client sees the answer.
    min_bytes_per_s
        The least average speed of a body after the first ``body_timeout_s``, and of reading an answer.
    head_timeout_s, body_timeout_s, idle_timeout_s, write_timeout_s
        How long a client may take for a request head, between two pieces of a body, between two requests and for
        reading an answer.
    linger_s, drain_timeout_s
        How long a stopping worker welcomes new clients and further requests of those that asked a moment ago, and how
        long it waits after that for the requests it has.
    listen_fd
        Number of a bound socket to serve on, which another process holds open too; -1 opens one.
    grpc_port
        The port of gRPC, on the same host; 0 lets the system choose, and -1 is for none.
    max_rpc_bytes, max_rpcs, max_rpc_streams, max_rpc_connections
        Size of one message of gRPC, how many calls may be under way, how many of them streams of requests, and how many
        connections there may be.
    upstream_idle_s
        How long a connection to control is kept; must be shorter than control's own keep-alive.
    allow
        Hosts and networks inside, with commas between them, at which services may be registered: ``10.1.0.0/16,localhost``.
        Public addresses are always allowed. Read by control.
    route_hosts
        Domains at which routes may answer, with commas between them: ``api.example.org,example.net``; each stands for itself and
        all names below it. Without any, routes have no hosts of their own. Read by control.
    own_hosts
        Names under which the platform itself is reached beside its public address, with commas between them: no route may
        take one of them as its host. Read by control.
    trusted_proxies
        Addresses and networks of outer edges, with commas between them: ``10.0.0.5,fd00::/8``. What these say of the
        client (``X-Forwarded-For``, ``X-Forwarded-Proto``) is believed; from everybody else it is dropped.
    access_log
        ``on`` writes a line of JSON for each request to ``logs/access-<worker>.log`` in the data directory; ``off`` none.
    access_log_bytes, access_log_files
        How large that file becomes before a new one is begun, and how many older ones are kept.
    slow_s
        Requests that take so many seconds or longer are kept as slow, and those that fail with 500 or more; 0 keeps none.
        A route may have a number of its own.
    slow_most
        How many slow requests, and as many of each way to fail, a worker keeps of each route and endpoint in
        ``series_flush_s``; the slowest win.
    slow_days, slow_rows
        How long they are kept, and how many of them at most, the newest. Read by control.
    tls_certificate, tls_key
        PEM files of the certificate, with those between it and its issuer, and of its key. With both the public port and
        gRPC speak TLS 1.2 or newer alone. Files that change are taken over within a second, without a lost connection.
    tls_clients, tls_client_ca
        Whether clients have to show a certificate (``off``, ``optional``, ``required``), and the PEM file of the issuers
        that are trusted for that. gRPC knows no ``optional``: it asks only where a certificate is required.
    tls_warn_days
        So many days before a certificate expires ``aimass doctor`` and the console say so.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8800
    worker: int = 0
    workers: int = 1
    poll_s: float = 0.1
    segment_bytes: int = 8 * _MIB
    segment_age_s: float = 10.0
    series_flush_s: float = 10.0
    sync_s: float = 1.0
    max_head_bytes: int = 32 * 1024
    max_target_bytes: int = 8 * 1024
    max_headers: int = 100
    max_connections: int = 10_000
    max_connections_per_address: int = 0
    max_passthrough: int = 1000
    max_wait_s: float = 1.0
    max_model_bytes: int = 4096 * _MIB
    max_load_wait_s: float = 10.0
    max_in_flight: int = 1000
    max_buffered_bytes: int = 256 * _MIB
    max_cache_bytes: int = 64 * _MIB
    min_bytes_per_s: float = 100.0
    max_refused_bytes: int = 64 * 1024
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 120.0
    linger_s: float = 1.0
    drain_timeout_s: float = 20.0
    upstream_idle_s: float = 2.0
    listen_fd: int = -1
    grpc_port: int = -1
    max_rpc_bytes: int = 17 * _MIB
    max_rpcs: int = 1000
    max_rpc_streams: int = 100
    max_rpc_connections: int = 1000
    allow: str = ""
    route_hosts: str = ""
    own_hosts: str = ""
    trusted_proxies: str = ""
    access_log: str = "off"
    access_log_bytes: int = 64 * _MIB
    access_log_files: int = 5
    slow_s: float = 1.0
    slow_most: int = 10
    slow_days: int = 7
    slow_rows: int = 100_000
    tls_certificate: str = ""
    tls_key: str = ""
    tls_clients: str = "off"
    tls_client_ca: str = ""
    tls_warn_days: int = 21

    def __post_init__(self) -> None:
        """Refuse what could only be found wrong at a request."""
        self.trusted()
        if self.access_log not in ("on", "off"):
            raise Invalid(
                f"{_PREFIX}ACCESS_LOG is {self.access_log!r}",
                field="access_log",
                value=self.access_log,
                allowed=["on", "off"],
            )

    def trusted(self) -> tuple[Network, ...]:
        """Return the networks of ``trusted_proxies``.

        Raises
        ------
        Invalid
            A part of it is neither an address nor a network.

        Examples
        --------
        >>> GatewaySettings(data_dir=Path("."), trusted_proxies="10.0.0.5, fd00::/8").trusted()
        (IPv4Network('10.0.0.5/32'), IPv6Network('fd00::/8'))
        """
        parts = (part.strip() for part in self.trusted_proxies.split(","))
        return tuple(_network(part) for part in parts if part)

    def domains(self) -> list[str]:
        """Return the domains of ``route_hosts``, as requests name them.

        Examples
        --------
        >>> GatewaySettings(data_dir=Path("."), route_hosts="Example.org, bücher.example").domains()
        ['example.org', 'xn--bcher-kva.example']
        """
        listed = (name.strip().strip(".") for name in self.route_hosts.split(","))
        return [name.encode("idna").decode().lower() for name in listed if name]

    def names(self) -> list[str]:
        """Return the names of ``own_hosts``, and the one under which the supervisor serves.

        Examples
        --------
        >>> GatewaySettings(data_dir=Path("."), own_hosts="AI.example.org, console.example.org").names()[1:]
        ['ai.example.org', 'console.example.org']
        """
        listed = (name.strip().lower() for name in self.own_hosts.split(","))
        return [os.environ.get("AIMASS_HOST", self.host).lower(), *(name for name in listed if name)]

    @property
    def is_tls(self) -> bool:
        """Tell whether the public ports speak TLS."""
        return bool(self.tls_certificate or self.tls_key)

    @classmethod
    def from_environment(cls, **given: Any) -> GatewaySettings:
        """Read settings from the environment; what is given by name wins, and None means not given."""
        values = {name: value for name, value in given.items() if value is not None}
        for field in fields(cls):
            text = os.environ.get(_PREFIX + field.name.upper())
            if text is not None and field.name not in values:
                values[field.name] = _convert(field.name, str(field.type), text)
        return cls(**values)


def read_inside() -> dict[str, Any]:
    """Return the ports of the platform, as its supervisor tells every process, how long a worker keeps connections, and TLS."""
    settings = GatewaySettings.from_environment(data_dir=Path())
    port, grpc_port = os.environ.get("AIMASS_PORT", "8800"), os.environ.get("AIMASS_RPC_PORT", "0")
    return {
        "port": int(port),
        "grpc_port": int(grpc_port),
        "idle_s": int(settings.idle_timeout_s),
        "is_tls": settings.is_tls,
    }


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as reason:
        name = f"{_PREFIX}TRUSTED_PROXIES"
        allowed = "addresses and networks: 10.0.0.5,fd00::/8"
        raise Invalid(f"{name}: {reason}", field=name, value=text, allowed=allowed) from reason


def _convert(name: str, kind: str, text: str) -> Any:
    converters = {"int": int, "float": float, "Path": Path, "str": str}
    try:
        return converters[kind](text)
    except ValueError as reason:
        raise Invalid(f"{_PREFIX}{name.upper()} is {text!r}", field=name, value=text, allowed=kind) from reason
