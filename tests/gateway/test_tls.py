"""TLS of the public ports: real handshakes, good and bad, and certificates that change under load."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.gateway.plane.tls import context_of
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import Invalid
from aimass.kernel.layout import DataDir
from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.certificates import Issuer
from tests.fixtures.gateway import Gateway, deployment, endpoint, oip, read_answer, request, snapshot, wait_for
from tests.fixtures.upstreams import Services, route, servers, upstream

_INFER = "/v2/models/churn/infer"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(
    issuer: Issuer, packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, control: ControlServer
) -> Iterator[Gateway]:
    certificate, key = issuer.sign("server")
    gateway = Gateway(
        tmp_path_factory.mktemp("data"), tls_certificate=certificate, tls_key=key, tls_clients="optional",
        tls_client_ca=issuer.file, head_timeout_s=2, grpc_port=0,
    )  # fmt: skip
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"])), control_socket=str(control.path)))
    gateway.start()
    yield gateway
    if gateway.process is not None:
        gateway.stop()


@pytest.fixture(scope="module")
def services(secure: Gateway) -> Services:
    return Services(secure)


def trusting(issuer: Issuer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(issuer.file))


def shake(gateway: Gateway, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(gateway.connect(), server_hostname="127.0.0.1")


def serial_of(gateway: Gateway, issuer: Issuer) -> str:
    with shake(gateway, trusting(issuer)) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def test_a_request_is_answered_over_tls(secure: Gateway, issuer: Issuer) -> None:
    with shake(secure, trusting(issuer)) as connection:
        connection.sendall(request("POST", _INFER, oip()))
        answer, _ = read_answer(connection)
        assert connection.version() == "TLSv1.3"
    assert answer.status == 200


def test_tls_1_1_is_refused(secure: Gateway, issuer: Issuer) -> None:
    context = trusting(issuer)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        shake(secure, context)


def test_who_trusts_another_issuer_does_not_connect(secure: Gateway, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(secure, trusting(Issuer(tmp_path / "other", "Other Issuer")))


def test_plain_http_gets_no_answer_and_leaves_the_gateway_well(secure: Gateway, issuer: Issuer) -> None:
    with secure.connect() as plain:
        plain.sendall(request("GET", "/healthz"))
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1 200" not in plain.recv(1000)
    assert serial_of(secure, issuer)


def test_a_handshake_that_never_ends_is_cut(secure: Gateway) -> None:
    with secure.connect() as slow:
        slow.settimeout(30)
        slow.sendall(b"\x16\x03\x01")
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(10) == b""


def test_a_service_hears_of_the_verified_certificate_and_nobody_can_pretend_one(
    secure: Gateway, services: Services, issuer: Issuer
) -> None:
    shown = issuer.sign("client", 'shop "1";\u4e2d')
    print_ = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown[0].read_text())).hexdigest()
    with servers(1) as (server,):
        services.publish([upstream("geo", server.port)], [route("geo")])
        for pair, expected in ((shown, f'Hash={print_};Subject="CN=shop %221%22%3B%E4%B8%AD"'), (None, None)):
            context = trusting(issuer)
            if pair is not None:
                context.load_cert_chain(*pair)
            with shake(secure, context) as connection:
                connection.sendall(request("GET", "/s/demo/geo/", X_AIMASS_Client_Certificate="Hash=forged"))
                told = read_answer(connection)[0].json()["headers"]
            assert told.get("x-aimass-client-certificate") == expected
            assert told["forwarded"].endswith("proto=https")


def test_a_route_asks_for_the_certificates_that_it_names(secure: Gateway, services: Services, issuer: Issuer) -> None:
    shop, other = issuer.sign("shop", "shop, north"), issuer.sign("other", "other")
    print_ = hashlib.sha256(ssl.PEM_cert_to_DER_cert(other[0].read_text())).hexdigest()
    wishes = {"any": ["*"], "named": ["CN=elsewhere", "CN=shop%2C north"], "printed": [print_.upper()]}
    with servers(1) as (server,):
        services.publish([upstream("geo", server.port)], [route(n, certificates=w) for n, w in wishes.items()])
        for pair, let_in in ((None, set[str]()), (shop, {"any", "named"}), (other, {"any", "printed"})):
            context = trusting(issuer)
            if pair is not None:
                context.load_cert_chain(*pair)
            for name in wishes:
                with shake(secure, context) as connection:
                    connection.sendall(request("GET", f"/s/demo/{name}/", X_AIMASS_Client_Certificate=f"Hash={print_}"))
                    answer = read_answer(connection)[0]
                assert answer.status == (200 if name in let_in else 403), (name, pair)
                assert name in let_in or answer.json()["code"] == "no_certificate"


def test_a_large_body_goes_both_ways_and_a_slow_reader_is_counted(
    secure: Gateway, services: Services, issuer: Issuer
) -> None:
    body = bytes(range(256)) * 32_768
    with servers(1) as (server,):
        services.publish([upstream("geo", server.port)], [route("geo")])
        with shake(secure, trusting(issuer)) as connection:
            connection.sendall(request("PUT", "/s/demo/geo/", body))
            assert read_answer(connection)[0].json()["size"] == len(body)
            connection.sendall(request("GET", "/s/demo/geo/big?mib=32"))
            wait_for(lambda: _held(secure) > 0)  # what is not read yet is counted, and the service is held back
            assert len(read_answer(connection)[0].body) == 32 << 20
        wait_for(lambda: _held(secure) == 0)


def _held(gateway: Gateway) -> int:
    inside = DataDir(gateway.data).socket("gateway-0.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(inside))
        connection.sendall(request("GET", "/metrics"))
        told = read_answer(connection)[0].body.decode()
    return int(float(re.search(r"^aimass_gateway_buffered_bytes (\S+)", told, re.MULTILINE)[1]))  # type: ignore[index]


def test_control_hears_the_scheme(secure: Gateway, issuer: Issuer) -> None:
    with shake(secure, trusting(issuer)) as connection:
        connection.sendall(request("GET", "/echo", X_Forwarded_Proto="gopher"))
        told = read_answer(connection)[0].json()["headers"]
    assert [value for name, value in told if name == "x-forwarded-proto"] == ["https"]


def test_new_files_are_taken_over_under_load_without_a_failed_request(secure: Gateway, issuer: Issuer) -> None:
    before, stop, failed, done = serial_of(secure, issuer), threading.Event(), [], []

    def ask(*, keeps: bool) -> None:
        while not stop.is_set():
            try:
                with shake(secure, trusting(issuer)) as connection:
                    for _ in range(50 if keeps else 1):
                        connection.sendall(request("POST", _INFER, oip()))
                        done.append(read_answer(connection)[0].status)
            except (OSError, AssertionError) as reason:
                failed.append(reason)

    threads = [threading.Thread(target=ask, kwargs={"keeps": keeps}) for keeps in (True, True, False, False)]
    for thread in threads:
        thread.start()
    try:
        seen = {before}
        for _ in range(3):
            issuer.sign("server")
            wait_for(lambda: serial_of(secure, issuer) not in seen)
            seen.add(serial_of(secure, issuer))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert set(done) == {200}


def test_files_that_do_not_belong_together_change_nothing(secure: Gateway, issuer: Issuer) -> None:
    before = serial_of(secure, issuer)
    good = (issuer.folder / "server.key").read_bytes()
    _, other = issuer.sign("other")
    (issuer.folder / "server.key").write_bytes(other.read_bytes())
    wait_for(lambda: "the certificates before go on" in secure.log.read_text())
    assert serial_of(secure, issuer) == before
    (issuer.folder / "server.key").write_bytes(good)


def test_grpc_speaks_tls_and_takes_new_files_over(secure: Gateway, issuer: Issuer) -> None:
    grpc = pytest.importorskip("grpc")
    port = secure.status()["grpc_port"]

    def live() -> bool:
        trusted = grpc.ssl_channel_credentials(issuer.file.read_bytes())
        with grpc.secure_channel(f"localhost:{port}", trusted) as channel:
            call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
            return call(b"", timeout=20) == b"\x08\x01"

    def serial() -> str:
        context = trusting(issuer)
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="localhost") as one:
            return str((one.getpeercert() or {})["serialNumber"])

    assert live()
    before = serial()
    issuer.sign("server")
    wait_for(lambda: serial() != before)
    assert live()
    with grpc.insecure_channel(f"localhost:{port}") as plain, pytest.raises(grpc.RpcError):
        plain.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", timeout=5)


def test_a_certificate_of_a_client_is_required_and_verified(
    issuer: Issuer, packages: dict[str, Path], tmp_path: Path
) -> None:
    certificate, key = issuer.sign("strict")
    gateway = Gateway(
        tmp_path / "data", tls_certificate=certificate, tls_key=key, tls_clients="required", tls_client_ca=issuer.file
    )
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    try:
        for shown, works in ((issuer.sign("client", "shop"), True), (issuer.sign("late", "late", days=-1), False)):
            assert _is_let_in(gateway, issuer, shown) is works
        assert not _is_let_in(gateway, issuer, Issuer(tmp_path / "other", "Other Issuer").sign("client", "shop"))
        assert not _is_let_in(gateway, issuer, None)
    finally:
        gateway.stop()


def _is_let_in(gateway: Gateway, issuer: Issuer, shown: tuple[Path, Path] | None) -> bool:
    context = trusting(issuer)
    if shown is not None:
        context.load_cert_chain(*shown)
    client = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=context, timeout=20)
    try:
        client.request("GET", "/healthz")
        return client.getresponse().status == 200
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return False
    finally:
        client.close()


def test_wrong_settings_say_which_and_what_helps(issuer: Issuer, tmp_path: Path) -> None:
    certificate, key = issuer.sign("right")
    _, other = issuer.sign("wrong")
    good = {"tls_certificate": str(certificate), "tls_key": str(key)}
    cases = {
        "tls_key": [{**good, "tls_key": str(other)}, {**good, "tls_key": ""}, {**good, "tls_key": "/missing.key"}],
        "tls_certificate": [{"tls_key": str(key)}, {**good, "tls_certificate": str(tmp_path)}],
        "tls_clients": [{**good, "tls_clients": "maybe"}],
        "tls_client_ca": [
            {**good, "tls_clients": "required"},
            {**good, "tls_clients": "required", "tls_client_ca": str(key)},
        ],
    }
    for field, wrong in cases.items():
        for one in wrong:
            with pytest.raises(Invalid) as error:
                context_of(GatewaySettings(data_dir=tmp_path, **one))
            assert error.value.field == field
            assert error.value.hint
