"""The certificate of the public ports as people see it: whose it is, and how long it lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from aimass.gateway.domain.tls import Certificate
from aimass.gateway.plane.tls import context_of
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import Invalid


def check_certificates(settings: GatewaySettings) -> None:
    """Refuse files of TLS that cannot be served by; nothing to do where it is off.

    Raises
    ------
    Invalid
        A setting or a file is wrong; the error names which.
    """
    if settings.is_tls:
        context_of(settings)
    elif settings.tls_clients != "off":
        raise Invalid(
            "certificates of clients are asked for under TLS alone", field="tls_clients", value=settings.tls_clients,
            allowed="off, where the platform has no certificate of its own",
            hint="set AIMASS_GATEWAY_TLS_CERTIFICATE and AIMASS_GATEWAY_TLS_KEY",
        )  # fmt: skip


def certificate_of(settings: GatewaySettings, now: datetime) -> Certificate | None:
    """Return the certificate that the files hold now; None where TLS is off or there is none to read."""
    if not settings.is_tls:
        return None
    try:
        found = x509.load_pem_x509_certificate(Path(settings.tls_certificate).read_bytes())
    except (OSError, ValueError):
        return None
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=_names(found),
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
        valid_from=found.not_valid_before_utc,
        expires_at=found.not_valid_after_utc,
        days_left=(found.not_valid_after_utc - now) // timedelta(days=1),
        clients=settings.tls_clients,
    )


def _names(found: x509.Certificate) -> list[str]:
    """Return the names and addresses that a certificate is for."""
    try:
        told = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [
        *told.get_values_for_type(x509.DNSName),
        *(str(address) for address in told.get_values_for_type(x509.IPAddress)),
    ]


def troubles(settings: GatewaySettings, now: datetime) -> list[str]:
    """Say what is wrong with the certificate, or soon will be."""
    try:
        check_certificates(settings)
    except Invalid as error:
        return [error.message]
    shown = certificate_of(settings, now)
    if shown is None:
        return []
    if shown.valid_from > now:
        return [f"the certificate of the public port counts only from {shown.valid_from:%Y-%m-%d}"]
    if shown.expires_at <= now:
        return [f"the certificate of the public port expired on {shown.expires_at:%Y-%m-%d}"]
    if shown.days_left < settings.tls_warn_days:
        return [f"the certificate of the public port expires on {shown.expires_at:%Y-%m-%d}"]
    return []
