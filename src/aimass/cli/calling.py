"""Call endpoints as the person who signed in: the gateway takes no session, so a key is made for a day and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from aimass import client as sdk
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Unauthenticated

if TYPE_CHECKING:
    from aimass.client import Client

T = TypeVar("T")
_SESSION = "ais_"
_NAME = "aimass predict"
_PATIENCE_S = 5.0
_PAUSE_S = 0.1


def as_caller(client: Client, ask: Callable[[Client], T]) -> T:
    """Ask an endpoint; whoever is signed in by a password asks with a key of his own that can do nothing else."""
    if client.is_device:
        return _patiently(lambda: ask(client))
    if not (client.transport.key or "").startswith(_SESSION):
        return ask(client)
    about = sha256(f"{client.url} {client.transport.key} {client.workspace}".encode()).hexdigest()
    kept = sdk.kept_key(about, SystemClock().now())
    if kept is not None:
        with suppress(Unauthenticated):  # it was revoked meanwhile
            return _with_key(client, kept, ask)
    made = client.access.create_key(name=_NAME, scopes=["serving.use"], days=1)
    if made.key.expires_at is not None:
        sdk.keep_key(sdk.KeptKey(about=about, text=made.text, until=made.key.expires_at), SystemClock().now())
    return _patiently(lambda: _with_key(client, made.text, ask))


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again for a moment: the gateway hears of a new key or device within a second."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except Unauthenticated:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)


def _with_key(client: Client, key: str, ask: Callable[[Client], T]) -> T:
    with sdk.Client(client.url, key=key, workspace=client.workspace) as caller:
        return ask(caller)
