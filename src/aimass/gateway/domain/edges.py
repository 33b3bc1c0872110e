"""Configurations of an outer edge: nginx, Caddy or Traefik in front of the gateway, with its limits and its word on the client."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid

EdgeKind = Literal["nginx", "caddy", "traefik"]
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_INSIDE = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_FILE = re.compile(r"/[A-Za-z0-9._/+@-]{1,1000}")
_MORE_S = 5
_QUIET_S = 3600  # longer than any limit of the gateway: it is the gateway that ends what takes too long
SETTING = "AIMASS_GATEWAY_TRUSTED_PROXIES=…"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEdge:
    """Which edge is wanted, and what it serves as."""

    edge: Annotated[EdgeKind, doc("nginx, caddy or traefik")] = "nginx"
    server_name: Annotated[str, MaxLen(253), doc("name under which callers reach the edge")] = "aimass.example"
    gateway: Annotated[str, MaxLen(255), doc("host of the gateway, as the edge reaches it")] = "127.0.0.1"
    certificate: Annotated[
        str, MaxLen(1001), doc("path of the certificate chain on the edge; plain HTTP when empty")
    ] = ""
    key: Annotated[str, MaxLen(1001), doc("path of its key on the edge")] = ""
    port: Annotated[int, Ge(0), Le(65_535), doc("port of the edge; 0 takes 443 with a certificate, 80 without")] = 0
    grpc_port: Annotated[int, Ge(0), Le(65_535), doc("port of gRPC at the edge; 0 leaves gRPC out")] = 0
    max_body_bytes: Annotated[int, Ge(0), doc("largest body that the edge lets in; 0 leaves that to the gateway")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFile:
    """A file of a configuration, under the name that it has by custom."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A configuration, and what has to be said to the platform for it.

    Attributes
    ----------
    setting
        What the environment of the platform needs, so that it believes this edge.
    check
        The command by which the edge checks the files.
    """

    edge: EdgeKind
    files: list[EdgeFile]
    setting: str
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What an edge has to know of the gateway.

    Attributes
    ----------
    port, grpc_port
        Where the gateway serves; ``grpc_port`` is 0 where gRPC is off.
    idle_s
        How long the gateway keeps a connection without a request.
    is_tls
        Whether it speaks TLS itself.
    """

    port: int
    grpc_port: int
    idle_s: int
    is_tls: bool = False


def edge_of(wish: WriteEdge, inside: Inside) -> Edge:
    """Write the configuration of an edge.

    Raises
    ------
    Invalid
        A name or a path does not look like one, a certificate stands without its key, or gRPC is off.

    Examples
    --------
    >>> inside = Inside(port=8800, grpc_port=8801, idle_s=75)
    >>> [file.name for file in edge_of(WriteEdge(edge="nginx", server_name="ml.example"), inside).files]
    ['aimass.conf']
    """
    _check(wish, inside)
    return _WRITERS[wish.edge](wish, inside)


def _check(wish: WriteEdge, inside: Inside) -> None:
    if inside.is_tls:
        raise Invalid(
            "the gateway speaks TLS itself, and an edge speaks plain HTTP to it",
            field="edge",
            value=wish.edge,
            hint="let one of them speak TLS: take AIMASS_GATEWAY_TLS_CERTIFICATE away behind an edge on this machine",
        )
    for name, value, form, allowed in (
        ("server_name", wish.server_name, _HOST, "ml.example.com"),
        ("gateway", wish.gateway, _INSIDE, "10.0.0.5, [fd00::5] or a name"),
    ):
        if not form.fullmatch(value):
            raise Invalid(f"{value[:100]!r} is no name of a host", field=name, value=value[:100], allowed=allowed)
    for name, value in (("certificate", wish.certificate), ("key", wish.key)):
        if value and not _FILE.fullmatch(value):
            raise Invalid(
                f"{value[:100]!r} is no path", field=name, value=value[:100], allowed="/etc/ssl/ml.example.com.pem"
            )
    if bool(wish.certificate) != bool(wish.key):
        missing = "key" if wish.certificate else "certificate"
        raise Invalid("a certificate and its key belong together", field=missing, value="", allowed="both, or neither")
    if wish.grpc_port and not inside.grpc_port:
        raise Invalid(
            "gRPC is off on this platform", field="grpc_port", value=wish.grpc_port, allowed=0,
            hint="start the platform with --grpc-port",
        )  # fmt: skip


def _port(wish: WriteEdge) -> int:
    return wish.port or (443 if wish.certificate else 80)


def _kept_s(inside: Inside) -> int:
    """Return how long the edge keeps a connection: less than the gateway, so that no request meets its end."""
    return max(1, inside.idle_s - _MORE_S)


def _nginx(wish: WriteEdge, inside: Inside) -> Edge:
    """Nginx buffers neither requests nor answers here: uploads, server-sent events and streams go through as they come."""
    tls = _nginx_tls(wish)
    kind = " ssl" if tls else ""
    text = f"""# AI Mass behind nginx: include this file in the http block.
map $http_upgrade $aimass_connection {{
    default upgrade;
    '' '';
}}
upstream aimass {{
    server {wish.gateway}:{inside.port};
    keepalive 32;
    keepalive_timeout {_kept_s(inside)}s;
}}
server {{
    listen {_port(wish)}{kind};
{tls}    server_name {wish.server_name};
    client_max_body_size {wish.max_body_bytes};
    location / {{
        proxy_pass http://aimass;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $aimass_connection;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_read_timeout {_QUIET_S}s;
        proxy_send_timeout {_QUIET_S}s;
        proxy_next_upstream off;
    }}
}}
"""
    if wish.grpc_port:
        text += f"""server {{
    listen {wish.grpc_port}{kind} http2;
{tls}    server_name {wish.server_name};
    client_max_body_size {wish.max_body_bytes};
    location / {{
        grpc_pass grpc://{wish.gateway}:{inside.grpc_port};
        grpc_read_timeout {_QUIET_S}s;
        grpc_send_timeout {_QUIET_S}s;
    }}
}}
"""
    return Edge(edge="nginx", files=[EdgeFile(name="aimass.conf", text=text)], setting=SETTING, check="nginx -t")


def _nginx_tls(wish: WriteEdge) -> str:
    if not wish.certificate:
        return ""
    files = f"    ssl_certificate {wish.certificate};\n    ssl_certificate_key {wish.key};\n"
    return files + "    ssl_protocols TLSv1.2 TLSv1.3;\n"


def _caddy(wish: WriteEdge, inside: Inside) -> Edge:
    """Caddy without named certificates would fetch some by itself; with ``http://`` before the name it stays plain."""
    scheme = "https" if wish.certificate else "http"
    tls = f"\ttls {wish.certificate} {wish.key}\n" if wish.certificate else ""
    limit = f"\trequest_body {{\n\t\tmax_size {wish.max_body_bytes}\n\t}}\n" if wish.max_body_bytes else ""
    text = f"""# AI Mass behind Caddy.
{scheme}://{wish.server_name}:{_port(wish)} {{
{tls}{limit}\treverse_proxy {wish.gateway}:{inside.port} {{
\t\tflush_interval -1
\t\ttransport http {{
\t\t\tread_timeout {_QUIET_S}s
\t\t\twrite_timeout {_QUIET_S}s
\t\t\tkeepalive {_kept_s(inside)}s
\t\t}}
\t}}
}}
"""
    if wish.grpc_port:
        text += f"""{scheme}://{wish.server_name}:{wish.grpc_port} {{
{tls}\treverse_proxy h2c://{wish.gateway}:{inside.grpc_port}
}}
"""
        if not wish.certificate:
            servers = f"{{\n\tservers :{wish.grpc_port} {{\n\t\tprotocols h1 h2c\n\t}}\n}}\n"
            text = servers + text
    check = "caddy validate --adapter caddyfile --config Caddyfile"
    return Edge(edge="caddy", files=[EdgeFile(name="Caddyfile", text=text)], setting=SETTING, check=check)


def _traefik(wish: WriteEdge, inside: Inside) -> Edge:
    """Traefik keeps entry points and routes in two files, and streams bodies unless their size is limited here."""
    secured = "      tls: {}\n" if wish.certificate else ""
    limited = "      middlewares: [aimass-body]\n" if wish.max_body_bytes else ""
    rpc, rpc_router, rpc_service = "", "", ""
    if wish.grpc_port:
        rpc = _entry("aimass-grpc", wish.grpc_port)
        rpc_router = _router("aimass-grpc", wish.server_name, secured)
        rpc_service = _service("aimass-grpc", f"h2c://{wish.gateway}:{inside.grpc_port}")
    static = (
        "# AI Mass behind Traefik: entry points. Start with --configFile=traefik.yml.\nentryPoints:\n"
        + _entry("aimass", _port(wish))
        + rpc
        + "providers:\n  file:\n    filename: aimass.yml\n"
    )
    routes = (
        "# AI Mass behind Traefik: routes.\nhttp:\n  routers:\n"
        + _router("aimass", wish.server_name, limited + secured)
        + rpc_router
        + "  services:\n"
        + _service("aimass", f"http://{wish.gateway}:{inside.port}")
        + rpc_service
        + "  serversTransports:\n    aimass:\n      forwardingTimeouts:\n"
        + f"        responseHeaderTimeout: {_QUIET_S}s\n        idleConnTimeout: {_kept_s(inside)}s\n"
    )
    if wish.max_body_bytes:
        routes += (
            f"  middlewares:\n    aimass-body:\n      buffering:\n        maxRequestBodyBytes: {wish.max_body_bytes}\n"
        )
    if wish.certificate:
        routes += f"tls:\n  certificates:\n    - certFile: {wish.certificate}\n      keyFile: {wish.key}\n"
        routes += "  options:\n    default:\n      minVersion: VersionTLS12\n"
    files = [EdgeFile(name="traefik.yml", text=static), EdgeFile(name="aimass.yml", text=routes)]
    return Edge(edge="traefik", files=files, setting=SETTING, check="traefik --configFile=traefik.yml")


def _entry(name: str, port: int) -> str:
    return (
        f'  {name}:\n    address: ":{port}"\n    transport:\n      respondingTimeouts:\n'
        "        readTimeout: 0s\n        writeTimeout: 0s\n"
    )


def _router(name: str, host: str, more: str) -> str:
    return f"    {name}:\n      entryPoints: [{name}]\n      rule: Host(`{host}`)\n      service: {name}\n{more}"


def _service(name: str, url: str) -> str:
    return (
        f"    {name}:\n      loadBalancer:\n        serversTransport: aimass\n"
        f'        responseForwarding:\n          flushInterval: "-1s"\n        servers:\n          - url: {url}\n'
    )


_WRITERS: Mapping[EdgeKind, Callable[[WriteEdge, Inside], Edge]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "traefik": _traefik,
}
