"""A whole platform behind the edge that it described: requests, streams, WebSockets and gRPC come through, over TLS."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from aimass.kernel.errors import AimassError
from tests.fixtures.gateway import wait_for
from tests.fixtures.platform import RunningPlatform, free_port, running_platform
from tests.fixtures.upstreams import Server

NAME = "localhost"
_NGINX = """daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/aimass.conf;
}}
"""
COMMANDS = {
    "nginx": ["nginx", "-e", "stderr", "-p", "{folder}", "-c", "{folder}/nginx.conf"],
    "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", "{folder}/Caddyfile"],
    "traefik": ["traefik", "--configFile={folder}/traefik.yml"],
}


@dataclass(frozen=True)
class Edge:
    """A running edge."""

    port: int
    grpc_port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def certify(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "edge.pem", folder / "edge.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    for path in paths:
        path.chmod(0o644)
    return paths


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform with two services behind public routes: one of HTTP, one of WebSockets."""
    settings = {
        "AIMASS_GATEWAY_ALLOW": "127.0.0.1",
        "AIMASS_GATEWAY_TRUSTED_PROXIES": "127.0.0.1,::1",
        "AIMASS_GRPC_PORT": str(free_port()),
    }
    plain = Server()
    with running_platform(tmp_path_factory.mktemp("edge") / "d", settings) as found, serve(echo, "127.0.0.1", 0) as ws:
        threading.Thread(target=ws.serve_forever, daemon=True).start()
        with found.admin("demo") as admin:
            admin.access.create_workspace(name="Demo")
            for name, port in (("plain", plain.port), ("ws", ws.socket.getsockname()[1])):
                admin.gateway.create_upstream(upstream=name)
                admin.gateway.register_instance(upstream=name, address=f"http://127.0.0.1:{port}")
                admin.gateway.create_route(route=name, upstream=name, access="public")
        wait_for(lambda: httpx2.get(f"{found.url}/s/demo/ws/").status_code != httpx2.codes.NOT_FOUND)
        yield found
        ws.shutdown()
    plain.stop()


@contextmanager
def running(kind: str, platform: RunningPlatform, folder: Path) -> Iterator[Edge]:
    """Run an edge with the files that the platform wrote for it, and nothing else."""
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    certificate, key = certify(folder)
    edge = Edge(free_port(), free_port(), certificate)
    with platform.admin() as admin:
        wish = {"server_name": NAME, "certificate": str(certificate), "key": str(key), "max_body_bytes": 1 << 20}
        told = admin.gateway.write_edge(edge=kind, port=edge.port, grpc_port=edge.grpc_port, **wish)
    for file in told.files:
        (folder / file.name).write_text(file.text)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    command = [part.format(folder=folder) for part in COMMANDS[kind]]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(edge.port) and listens(edge.grpc_port), process=process, log=folder / "log")
        yield edge
    finally:
        process.terminate()
        process.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(edge: Edge) -> bool:
    """Tell whether the edge goes by its files; Traefik listens before it has read them."""
    try:
        return httpx2.get(f"{edge.url}/healthz", verify=edge.trust).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def edge(
    request: pytest.FixtureRequest, platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("conf")
    with running(request.param, platform, folder) as found:
        wait_for(lambda: is_ready(found))
        yield found


def test_requests_come_through_with_the_client_and_the_scheme(edge: Edge) -> None:
    forged = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "http"}
    with httpx2.Client(base_url=edge.url, verify=edge.trust, headers=forged) as client:
        seen = client.post("/s/demo/plain/x?y=1", content=b"z" * 100_000).json()
        assert (seen["target"], seen["size"]) == ("/x?y=1", 100_000)
        assert (seen["headers"]["x-forwarded-for"], seen["headers"]["x-forwarded-proto"]) == ("127.0.0.1", "https")
        assert seen["headers"]["x-forwarded-host"] == f"{NAME}:{edge.port}"
        cookies = client.get("/login").headers.get_list("set-cookie")
        assert cookies
        assert all("secure" in cookie.lower() for cookie in cookies)


def test_a_body_beyond_the_limit_of_the_edge_is_refused_there(edge: Edge) -> None:
    answer = httpx2.post(f"{edge.url}/s/demo/plain/", content=bytes(2 << 20), verify=edge.trust)
    assert answer.status_code == httpx2.codes.CONTENT_TOO_LARGE


def test_server_sent_events_come_through(edge: Edge) -> None:
    with httpx2.stream("GET", f"{edge.url}/s/demo/plain/events", verify=edge.trust) as answer:
        assert [line for line in answer.iter_lines() if line] == ["data: 0", "data: 1", "data: 2"]


def test_websockets_come_through(edge: Edge) -> None:
    address = f"wss://{NAME}:{edge.port}/s/demo/ws/"
    with connect(address, ssl=edge.trust, proxy=None) as socket_:
        for text in ("one", "two"):
            socket_.send(text)
            assert socket_.recv(timeout=20) == text


def test_grpc_comes_through(edge: Edge) -> None:
    trust = grpc.ssl_channel_credentials(edge.certificate.read_bytes())
    with grpc.secure_channel(f"{NAME}:{edge.grpc_port}", trust) as channel:
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert live(b"", timeout=30) == b"\x08\x01"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("server_name", {"server_name": "x; }\ninclude /etc/passwd"}),
        ("gateway", {"gateway": "a b"}),
        ("certificate", {"certificate": "/a;b", "key": "/k"}),
        ("key", {"certificate": "/c.pem"}),
        ("certificate", {"key": "/k.pem"}),
    ],
)
def test_what_could_end_in_another_configuration_is_refused(
    platform: RunningPlatform, field: str, given: dict[str, str]
) -> None:
    with platform.admin() as admin, pytest.raises(AimassError) as caught:
        admin.gateway.write_edge(edge="nginx", **given)
    assert (caught.value.status, caught.value.field) == (400, field)
