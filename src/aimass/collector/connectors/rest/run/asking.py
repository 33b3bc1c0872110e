"""Asking an API: rate limits, waits, retries, redirects and sizes."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import httpx2

from aimass.collector.connectors.reach import check_url
from aimass.collector.connectors.rest.manifest import RestParameters
from aimass.collector.connectors.rest.run.auth import Auth, head_of
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import AimassError, Forbidden, Invalid, NotFound, TooLarge, Unavailable

OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE, TOO_MANY, UNAVAILABLE = 200, 401, 403, 404, 410, 429, 503
REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 5
FIRST_PAUSE_S = 0.5
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A page: its bytes, headers, and the address that gave it."""

    body: bytes
    headers: Mapping[str, str]
    url: str


class _Again(Exception):
    """Worth another try; ``wait_s``: what the API asks for."""

    def __init__(self, told: str, wait_s: float | None = None) -> None:
        super().__init__(told)
        self.wait_s = wait_s


class Asker:
    """Sends requests of one connection."""

    def __init__(self, told: RestParameters, clock: Clock | None = None) -> None:
        self._told = told
        self._clock: Clock = clock or SystemClock()
        timeout = httpx2.Timeout(told.timeout_s)
        self._http = httpx2.Client(timeout=timeout, trust_env=False, follow_redirects=False)
        self.auth = Auth(told, self._http)
        self._own = _origin(told.base_url)
        self._next = 0.0

    def get(self, url: str, params: Mapping[str, str]) -> Generator[None, None, Answer]:
        """Ask until there is an answer; yields while it waits, so that the caller can be stopped."""
        tried = 0
        while True:
            yield from self._wait(self._next - time.monotonic())
            if self._told.requests_per_s:
                self._next = time.monotonic() + 1 / self._told.requests_per_s
            try:
                return self._once(url, params)
            except _Again as reason:
                tried += 1
                if tried >= self._told.tries:
                    raise Unavailable(f"{self._said(url)}: {reason}; sent {tried} times") from None
                yield from self._wait(self._pause(reason, tried, url))

    def _pause(self, reason: _Again, tried: int, url: str) -> float:
        if reason.wait_s is None:
            return FIRST_PAUSE_S * 2 ** (tried - 1) * random.uniform(0.5, 1.0)  # noqa: S311 spreads load, keeps no secret
        if reason.wait_s > self._told.longest_wait_s:
            raise Unavailable(
                f"{self._said(url)} asks to wait {reason.wait_s:.0f} s",
                field="longest_wait_s",
                value=self._told.longest_wait_s,
            )
        return reason.wait_s

    @staticmethod
    def _wait(seconds: float) -> Generator[None, None, None]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            yield None

    def _once(self, url: str, params: Mapping[str, str]) -> Answer:
        try:
            for _ in range(HOPS):
                is_own = _origin(url) == self._own
                given = {**params, **(self.auth.params() if is_own else {})}
                headers = {"Accept": "application/json", **(self._told.headers if is_own else {})}
                headers |= self.auth.headers() if is_own else {}
                with self._http.stream("GET", _with(url, given), headers=headers) as answer:
                    if answer.status_code not in REDIRECTS:
                        return Answer(self._read(answer, url), dict(answer.headers), url)
                    url, params = self._redirected(url, answer), {}
        except httpx2.HTTPError as reason:
            raise _Again(f"{type(reason).__name__} {_clean(str(reason), self.auth.secret)}".strip()) from None
        raise Invalid(f"{self._said(url)} redirects again and again", field="base_url")

    def _redirected(self, url: str, answer: httpx2.Response) -> str:
        found = urljoin(url, answer.headers.get("location", ""))
        if urlsplit(url).scheme == "https" and urlsplit(found).scheme != "https":
            raise Invalid(f"{self._said(url)} redirects to an address without TLS", field="base_url")
        check_url(found, "base_url")
        return found

    def _read(self, answer: httpx2.Response, url: str) -> bytes:
        if answer.status_code != OK:
            raise self._refused(answer, url)
        pieces: list[bytes] = []
        size = 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > self._told.max_bytes:
                raise TooLarge(
                    f"{self._said(url)} sent a page of more than {self._told.max_bytes} bytes",
                    field="max_bytes",
                    allowed=self._told.max_bytes,
                    hint="ask for smaller pages (size_param, page_size), or raise max_bytes",
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _refused(self, answer: httpx2.Response, url: str) -> AimassError | _Again:
        code, said = answer.status_code, self._said(url)
        if code in (TOO_MANY, UNAVAILABLE):
            return _Again(f"status {code}", self._asked_wait(answer.headers.get("retry-after")))
        if code > UNAVAILABLE - 4:  # 500 and above
            return _Again(f"status {code}")
        if code == UNAUTHORIZED and self.auth.can_renew():
            return _Again("the token ended", 0.0)
        if code in (UNAUTHORIZED, FORBIDDEN):
            return Forbidden(f"{said} refused the credentials: status {code}", field="secret")
        if code in (NOT_FOUND, GONE):
            return NotFound(f"{said} is not there: status {code}", field="stream", value=urlsplit(url).path)
        text = _clean(head_of(answer).decode(errors="replace"), self.auth.secret)[:SHOWN]
        return Invalid(f"{said} refused the request: status {code}: {text}", field="stream_parameters")

    def _asked_wait(self, text: str | None) -> float | None:
        """Read Retry-After: seconds, or a date."""
        if not text:
            return None
        if text.strip().isdecimal():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - self._now()).total_seconds())

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)

    def _said(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def without_key(self, url: str) -> str:
        """Take the key out of an address that the API gave, so that no state holds it."""
        parts = urlsplit(url)
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
        kept = [(name, value) for name, value in kept if name not in self.auth.params()]
        return urlunsplit(parts._replace(query=urlencode(kept)))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _with(url: str, params: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in params]
    return urlunsplit(parts._replace(query=urlencode([*kept, *params.items()])))


def _clean(text: str, secret: str) -> str:
    return text.replace(secret, "***") if secret else text
