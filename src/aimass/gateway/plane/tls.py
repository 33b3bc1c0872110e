"""TLS of the public ports: certificates that are read again when their files change, and what a client showed of itself."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aimass.gateway.settings import CLIENT_CHOICES, GatewaySettings
from aimass.kernel.errors import Invalid

_LOG = logging.getLogger(__name__)
_LOOK_S = 1.0
_MODES = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_SHORT = {
    "commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
    "localityName": "L", "stateOrProvinceName": "ST",
}  # fmt: skip
Stamp = tuple[tuple[int, int, int], ...]


def files_of(settings: GatewaySettings) -> list[Path]:
    """Return the files that TLS needs; none where it is off."""
    return [Path(name) for name in (settings.tls_certificate, settings.tls_key, settings.tls_client_ca) if name]


def context_of(settings: GatewaySettings) -> ssl.SSLContext:
    """Return a context by the files as they are now.

    Raises
    ------
    Invalid
        A setting or a file is wrong; the error names which.
    """
    _check(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=_no_password)
    except (OSError, ValueError) as reason:  # SSLError is an OSError
        raise _bad(
            "tls_key", settings.tls_key, f"{settings.tls_key!r} is not the key of {settings.tls_certificate!r}", reason
        ) from reason
    context.verify_mode = _MODES[settings.tls_clients]
    if settings.tls_clients != "off":
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ValueError) as reason:
            file = settings.tls_client_ca
            raise _bad("tls_client_ca", file, f"{file!r} holds no certificates", reason) from reason
        # a session that goes on would skip the look at the client's certificate, which may have been disowned since
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def _check(settings: GatewaySettings) -> None:
    """Refuse settings that do not fit together, and files that cannot be read."""
    pair = {"tls_certificate": settings.tls_certificate, "tls_key": settings.tls_key}
    for name, value in pair.items():
        if not value:
            raise Invalid(
                "TLS needs a certificate and its key", field=name, value=value, allowed="the path of a PEM file",
                hint=f"set {_variable(name)}, or neither of the two",
            )  # fmt: skip
    if settings.tls_clients not in CLIENT_CHOICES:
        raise Invalid(
            f"{_variable('tls_clients')} is {settings.tls_clients!r}", field="tls_clients", value=settings.tls_clients,
            allowed=list(CLIENT_CHOICES), hint=f"set {_variable('tls_clients')} to one of {', '.join(CLIENT_CHOICES)}",
        )  # fmt: skip
    if settings.tls_clients != "off" and not settings.tls_client_ca:
        raise Invalid(
            "certificates of clients are verified against those of their issuers",
            field="tls_client_ca", value="", allowed="the path of a PEM file", hint=f"set {_variable('tls_client_ca')}",
        )  # fmt: skip
    for name in (*pair, *(("tls_client_ca",) if settings.tls_client_ca else ())):
        file = str(getattr(settings, name))
        try:
            Path(file).read_bytes()
        except OSError as reason:
            told = f"{file!r} cannot be read: {reason.strerror}"
            raise Invalid(
                told, field=name, value=file, allowed="a PEM file that the user of the platform may read",
                hint=f"correct {_variable(name)}, or the rights of the file",
            ) from reason  # fmt: skip


def _bad(field: str, value: str, told: str, reason: Exception) -> Invalid:
    detail = getattr(reason, "reason", None) or str(reason)
    return Invalid(
        f"{told} ({detail})", field=field, value=value, allowed="PEM files that belong together, without a password",
        hint="for the pair, compare 'openssl x509 -pubkey -noout -in CERTIFICATE' with 'openssl pkey -pubout -in KEY'",
    )  # fmt: skip


def _variable(name: str) -> str:
    return f"AIMASS_GATEWAY_{name.upper()}"


def _no_password() -> str:
    """Refuse to ask at a terminal: a key with a password cannot be opened by a process that starts by itself."""
    raise ValueError("the key has a password")


class Certificates:
    """The context of a port, which always presents the newest certificates.

    A context that is in use is never changed: a new one is built from the files, and each handshake takes the newest.
    Connections that exist go on; files that do not belong together, as in the middle of a renewal, change nothing.

    Raises
    ------
    Invalid
        The files are wrong at the start.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._stamp = self._seen = stamp_of(settings)
        self._newest = context_of(settings)
        self.context = context_of(settings)
        self.context.sni_callback = self._present
        self.reloads = 0

    def _present(self, shaking: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        del name
        shaking.context = self._newest

    def look(self) -> bool:
        """Take new files over; tell whether there were any."""
        stamp = stamp_of(self._settings)
        if stamp == self._stamp:
            return False
        try:
            self._newest = context_of(self._settings)
        except Invalid as error:
            if stamp != self._seen:
                _LOG.warning("the certificates before go on: %s", error.message)
            self._seen = stamp
            return False
        self._stamp = self._seen = stamp
        self.reloads += 1
        _LOG.info("new certificates are presented from now on")
        return True

    async def watch(self) -> None:
        """Look at the files once a second."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()


def stamp_of(settings: GatewaySettings) -> Stamp:
    """Return what changes when one of the files does."""
    found = []
    for file in files_of(settings):
        try:
            seen = file.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
    return tuple(found)


def shown_by(shaken: Any) -> bytes:
    """Return what services are told of the verified certificate of a client; empty where it showed none."""
    coded = shaken.getpeercert(binary_form=True)
    known = shaken.getpeercert()
    return line_of(coded, known.get("subject", ())) if coded and known else b""


def shown_pair(pair: str, kept: str = "") -> str:
    """Return one part of a subject as it is shown: letters that could end it are percent-encoded, but those to be kept.

    Examples
    --------
    >>> shown_pair("O=A; B")
    'O=A%3B B'
    """
    name, _, value = pair.partition("=")
    return f"{name}={quote(value, safe=f' @:./*{kept}')}"


def line_of(coded: bytes, subject: Any) -> bytes:
    """Return fingerprint and subject as one line; letters that could end a value or the line are percent-encoded.

    Examples
    --------
    >>> line_of(b"x", ((("organizationName", "A; B"),), (("commonName", "shop 1"),)))[69:]
    b';Subject="O=A%3B B,CN=shop 1"'
    """
    pairs = ((_SHORT.get(name, name), value) for part in subject for name, value in part)
    shown = ",".join(shown_pair(f"{name}={value}") for name, value in pairs)
    return f'Hash={hashlib.sha256(coded).hexdigest()};Subject="{shown}"'.encode()
