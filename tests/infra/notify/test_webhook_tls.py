"""TLS: connect to the checked address, but trust only a certificate for the name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aimass.infra.database import Database
from aimass.infra.notify import Notify, NotifySettings, Webhook
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Unavailable

NAME = "hooks.example"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.hosts.append(self.headers["Host"])  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def port(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Serve with a certificate for the name in the parameter, and let every name mean this machine."""
    crt, key = certificate(tmp_path, request.param)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.hosts = []  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_port))]
    monkeypatch.setenv("SSL_CERT_FILE", str(crt))
    with monkeypatch.context() as names:
        real = socket.getaddrinfo
        names.setattr(socket, "getaddrinfo", lambda host, *a, **k: here if host == NAME else real(host, *a, **k))
        yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def call(tmp_path: Path, port: int) -> None:
    secrets = KeyFileSecrets(tmp_path / "secrets.json")
    database = Database.memory()
    try:
        Notify(database, secrets, NotifySettings(allow=[NAME])).send(Webhook(url=f"https://{NAME}:{port}/x", body={}))
    finally:
        database.close()


@pytest.mark.parametrize("port", [NAME], indirect=True)
def test_a_certificate_for_the_name_is_trusted(tmp_path: Path, port: int) -> None:
    call(tmp_path, port)


@pytest.mark.parametrize("port", ["other.example"], indirect=True)
def test_a_certificate_for_another_name_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(Unavailable, match=NAME):
        call(tmp_path, port)


@pytest.mark.parametrize("port", [NAME], indirect=True)
def test_a_certificate_of_an_unknown_issuer_is_refused(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unavailable, match=NAME):
        call(tmp_path, port)
