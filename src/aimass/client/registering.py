"""Register a server of a service, and keep its lease alive while a program runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

from aimass.client.generated.gateway_types import Instance
from aimass.client.generated.groups import Groups
from aimass.kernel.errors import AimassError, NotFound

_LOG = logging.getLogger("aimass.client")
_BEATS = 3.0


class Registration:
    """A server that is registered from ``start`` to ``stop``, or as long as a ``with`` block runs.

    A lost platform is no reason to stop: heartbeats go on, and where the lease is over by then it is registered again.

    Parameters
    ----------
    told
        Called with a sentence when something goes wrong, and when it goes well again; the log when absent.
    """

    def __init__(
        self,
        client: Groups,
        upstream: str,
        address: str,
        *,
        weight: int = 1,
        lease_s: float = 30.0,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._address = address
        self._weight = weight
        self._lease_s = lease_s
        self._told = told or _LOG.warning
        self._over = Event()
        self._thread: Thread | None = None
        self._is_away = False
        self.instance: Instance | None = None

    def start(self) -> Instance:
        """Register the server, and begin to send heartbeats."""
        self.instance = self._register()
        self._thread = Thread(target=self._beat, name="aimass-heartbeats", daemon=True)
        self._thread.start()
        return self.instance

    def _register(self) -> Instance:
        return self._client.gateway.register_instance(
            upstream=self._upstream, address=self._address, weight=self._weight, lease_s=self._lease_s
        )

    def _beat(self) -> None:
        while not self._over.wait(self._lease_s / _BEATS):
            try:
                self.beat()
            except AimassError as error:
                if not self._is_away:
                    self._told(f"heartbeats fail: {error.message}")
                self._is_away = True
            else:
                if self._is_away:
                    self._told("heartbeats arrive again")
                self._is_away = False

    def beat(self) -> None:
        """Renew the lease once; register again where it is over."""
        if self.instance is None:
            return
        try:
            self._client.gateway.heartbeat(upstream=self._upstream, instance=self.instance.id)
        except NotFound:
            self.instance = self._register()

    def stop(self) -> None:
        """End the heartbeats, and take the server away."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self.instance is not None:
            try:
                self._client.gateway.remove_instance(upstream=self._upstream, instance=self.instance.id)
            except AimassError as error:
                self._told(f"it could not be taken away, and is gone when its lease is over: {error.message}")
            self.instance = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
