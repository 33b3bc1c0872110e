"""Certificates of gRPC, which asks for them at each handshake."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import grpc

from aimass.gateway.plane.tls import context_of, stamp_of
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import Invalid

_LOG = logging.getLogger(__name__)


class Renewed:
    """Gives gRPC the certificates of this moment; called by its own threads, one at a time by the lock.

    Attributes
    ----------
    first
        The certificates at the start.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._stamp = stamp_of(settings)
        self.first = _read(settings)

    def __call__(self) -> Any:
        """Return new certificates, or None while those before go on."""
        with self._turn:
            stamp = stamp_of(self._settings)
            if stamp == self._stamp:
                return None
            try:
                found = _read(self._settings)
            except (Invalid, OSError) as error:
                _LOG.debug("gRPC goes on with the certificates before: %s", error)
                return None
            self._stamp = stamp
            return found


def _read(settings: GatewaySettings) -> Any:
    """Read the files, which have to belong together."""
    context_of(settings)
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_certificate).read_bytes())
    issuers = Path(settings.tls_client_ca).read_bytes() if settings.tls_clients == "required" else None
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=issuers)
