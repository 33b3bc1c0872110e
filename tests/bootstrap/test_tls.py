"""A whole platform under TLS: console, SDK, doctor, and what people are told of its certificate."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from aimass.client import Client
from aimass.gateway import GatewaySettings
from aimass.gateway.certificates import troubles
from aimass.kernel.layout import DataDir
from tests.fixtures.certificates import Issuer
from tests.fixtures.platform import running_platform


def test_console_sdk_and_doctor_under_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(tmp_path / "pki")
    certificate, key = issuer.sign("server", days=5)
    environment = {"AIMASS_GATEWAY_TLS_CERTIFICATE": str(certificate), "AIMASS_GATEWAY_TLS_KEY": str(key)}
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.file))
    with running_platform(tmp_path / "data", environment) as platform:
        url = f"https://127.0.0.1:{platform.port}"
        with Client(url) as client:
            token = client.access.sign_in(name="admin", password=platform.password).token
        with Client(url, key=token) as client:
            shown = client.gateway.get_gateway()
        inside = DataDir(tmp_path / "data").socket("gateway-0.sock")
        with Client(f"unix://{inside}", key=token) as client:  # the way of the platform itself, as for try-it-out
            assert client.gateway.get_gateway().certificate == shown.certificate
        assert shown.certificate is not None
        assert shown.certificate.subject == "CN=localhost"
        assert shown.certificate.names == ["localhost", "127.0.0.1"]
        assert (shown.certificate.days_left, len(shown.troubles)) == (4, 1)
        with httpx2.Client(base_url=url, headers={"origin": url}) as browser:
            browser.get("/login")
            form = {"name": "admin", "password": platform.password}
            signed_in = browser.post("/login", data=form, headers={"X-CSRF-Token": browser.cookies["aimass_csrf"]})
        cookies = signed_in.headers.get_list("set-cookie")
        assert any(cookie.startswith("aimass_session=") for cookie in cookies)
        assert all("secure" in cookie.lower() for cookie in cookies)
        command = [sys.executable, "-m", "aimass", "doctor", "--json", "--data-dir", str(tmp_path / "data")]
        command += ["--port", str(platform.port)]
        told = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, check=False
        ).stdout.decode()
        assert f"runs at {url}" in told
        assert "the certificate of the public port expires on" in told


def test_a_start_with_wrong_files_says_which(tmp_path: Path) -> None:
    certificate, _ = Issuer(tmp_path / "pki").sign("one")
    _, other = Issuer(tmp_path / "pki").sign("two")
    environment = {"AIMASS_GATEWAY_TLS_CERTIFICATE": str(certificate), "AIMASS_GATEWAY_TLS_KEY": str(other)}
    command = [sys.executable, "-m", "aimass", "up", "--data-dir", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "is not the key of" in done.stderr.decode()


def test_what_is_said_of_certificates(tmp_path: Path) -> None:
    certificate, key = Issuer(tmp_path).sign("server", days=30)
    settings = GatewaySettings(data_dir=tmp_path, tls_certificate=str(certificate), tls_key=str(key))
    now = datetime.now(UTC)
    cases = {-50: "counts only from", 0: "", 8: "", 10: "expires on", 31: "expired on"}
    for days, expected in cases.items():
        told = "; ".join(troubles(settings, now + timedelta(days=days)))
        assert expected in told
        assert bool(told) is bool(expected)
    assert troubles(GatewaySettings(data_dir=tmp_path), now) == []
    assert "under TLS alone" in troubles(GatewaySettings(data_dir=tmp_path, tls_clients="required"), now)[0]
