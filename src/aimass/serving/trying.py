"""Call the gateway for a person: the same door, key check, limits and records as for every program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aimass.access import Access, CreateKey, OneKey
from aimass.client import Client, Explanation
from aimass.kernel.errors import Conflict, NotFound, Unauthenticated
from aimass.kernel.principal import SYSTEM, Principal

T = TypeVar("T")
LIFE_S = 600.0
KNOWN_WITHIN_S = 5.0
_PAUSE_S = 0.1
_NAME = "Console: try an endpoint"
_OF_SERVICE = "sandbox"  # the gateway says so of every answer that is not its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One answer of the gateway, and how long it took."""

    outputs: Mapping[str, Any]
    request_id: str
    revision: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOrder:
    """Any request to the public door; ``most_bytes`` of its answer are read."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    within_s: float = 30.0
    most_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """What came back, with as much of the body as was asked for; ``is_cut`` says that there was more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    client: Client
    key: str
    until: float


@dataclass(slots=True, kw_only=True)
class Tryouts:
    """Holds a short-lived API key for each person who tries endpoints or services, in memory alone.

    A key may do nothing but call these, belongs to that person and is revoked after ten minutes; should control end
    before, it expires within a day.
    """

    access: Access
    url: Callable[[], str]
    monotonic: Callable[[], float] = time.monotonic
    _held: dict[tuple[str, str, str], _Held] = field(default_factory=dict[tuple[str, str, str], _Held])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self, who: Principal, workspace: str, endpoint: str, row: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> Spoken:
        """Send one row on behalf of a person and return the answer."""
        client = self._client(who, workspace)
        (said,), took = self._patiently(client, lambda client: client.predict(endpoint, [row], parameters=parameters))
        return Spoken(outputs=said.outputs, request_id=said.request_id, revision=said.revision, seconds=took)

    def explain(
        self, who: Principal, workspace: str, endpoint: str, row: Mapping[str, Any], target: str | None
    ) -> tuple[Explanation, float]:
        """Ask what each input of one row contributed; return the answer and the seconds that it took."""
        client = self._client(who, workspace)
        (said,), took = self._patiently(client, lambda client: client.explain(endpoint, [row], target=target))
        return said, took

    def send(self, who: Principal, workspace: str, scope: str, order: RawOrder) -> RawAnswer:
        """Send any request on behalf of a person who holds ``scope``, and return what came back, whatever its status.

        Raises
        ------
        Unavailable
            The gateway, or who stands behind it, does not answer in time.
        """
        client = self._client(who, workspace, scope)
        said, took = self._patiently(client, lambda client: _sent(client, order))
        return replace(said, seconds=took)

    def _patiently(self, client: Client, call: Callable[[Client], T]) -> tuple[T, float]:
        """Call until the gateway knows the key."""
        patience = self.monotonic() + KNOWN_WITHIN_S
        while True:
            began = time.perf_counter()
            try:
                return call(client), time.perf_counter() - began
            except Unauthenticated:
                if self.monotonic() > patience:
                    raise
                time.sleep(_PAUSE_S)  # the gateway hears of a new key within a second

    def _client(self, who: Principal, workspace: str, scope: str = "serving.use") -> Client:
        self.tidy()
        place = (who.id, workspace, scope)
        with self._lock:
            held = self._held.get(place)
            if held is None:
                held = self._held[place] = self._make(who, workspace, scope)
        return held.client

    def _make(self, who: Principal, workspace: str, scope: str) -> _Held:
        wish = CreateKey(workspace=workspace, name=_NAME, scopes=[scope], days=1)
        made = self.access.create_key(who, wish)
        client = Client(self.url(), key=made.text, workspace=workspace)
        return _Held(client=client, key=made.key.id, until=self.monotonic() + LIFE_S)

    def tidy(self, *, everything: bool = False) -> int:
        """Revoke the keys whose time is over; return how many."""
        now = self.monotonic()
        with self._lock:
            over = [place for place, held in self._held.items() if everything or held.until <= now]
            ended = [(place, self._held.pop(place)) for place in over]
        for (_, workspace, _), held in ended:
            held.client.close()
            try:
                self.access.revoke_key(SYSTEM, OneKey(workspace=workspace, key=held.key))
            except (Conflict, NotFound):
                continue  # its owner was faster, or is gone
        return len(ended)

    def close(self) -> None:
        """Revoke every key that is still held."""
        self.tidy(everything=True)


def _sent(client: Client, order: RawOrder) -> RawAnswer:
    """Send a request as it is, once; a redirect is an answer like any other."""
    status, headers, body, is_cut = client.transport.raw(
        order.method,
        order.target,
        headers=order.headers,
        body=order.body,
        within_s=order.within_s,
        most_bytes=order.most_bytes,
    )
    if status == Unauthenticated.status and _OF_SERVICE not in headers.get("content-security-policy", ""):
        raise Unauthenticated("the gateway does not know the key yet")
    return RawAnswer(status=status, headers=headers, body=body, is_cut=is_cut)
