"""The certificate of the public ports, as callers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the public port and gRPC present to their clients.

    Attributes
    ----------
    names
        Host names and addresses that it is for.
    fingerprint
        SHA-256 of the certificate.
    days_left
        Whole days until it expires; below zero once it has.
    clients
        Whether clients show a certificate, too: ``off``, ``optional`` or ``required``.
    """

    subject: str
    issuer: str
    names: list[str]
    fingerprint: str
    valid_from: datetime
    expires_at: datetime
    days_left: int
    clients: str
