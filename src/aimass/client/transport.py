"""HTTP to the platform: keys, problems back into errors, retries of what is safe to repeat."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx2

from aimass.client.settings import trace_headers
from aimass.kernel import errors
from aimass.kernel.errors import AimassError, Failed, Unavailable

_KINDS = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AimassError)}
_BY_STATUS = {kind.status: kind for kind in _KINDS.values()}
_TRIES = 4
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_CLIENT_ERROR = 400
_SOCKET = "unix://"


def error_of(response: httpx2.Response) -> AimassError:
    """Turn a problem reply into the error it was."""
    try:
        body: dict[str, Any] = response.json()
    except ValueError:
        body = {"detail": response.text[:300]}
    error = _told(body, response.status_code)
    wait = response.headers.get("retry-after", "")
    error.retry_after_s = float(wait) if wait.isdecimal() else None  # pyright: ignore[reportAttributeAccessIssue]
    return error


def _told(body: Mapping[str, Any], status: int) -> AimassError:
    """Return the error that a body tells of."""
    kind = _KINDS.get(str(body.get("code"))) or _BY_STATUS.get(status, Failed)
    message = str(body.get("detail") or body.get("error") or f"the platform answered {status}")
    if kind is errors.MissingExtra:
        return errors.MissingExtra(str(body.get("value")))
    error = kind(
        message,
        hint=str(body.get("hint", "")),
        field=body.get("field"),
        value=body.get("value"),
        allowed=body.get("allowed"),
    )
    error.http_status = status  # pyright: ignore[reportAttributeAccessIssue]
    return error


class Transport:
    """One HTTP connection pool to one platform.

    Parameters
    ----------
    url
        Address of the platform, for example ``http://127.0.0.1:8800``; ``unix:///path`` is a socket of this machine.
    key
        API key or session token; sent as ``Authorization: Bearer``.
    timeout_s
        Longest wait for one reply.
    auth
        Signs requests in place of a key.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        verify: bool = True,
        auth: httpx2.Auth | None = None,
    ) -> None:
        headers = {"Accept": "application/json", **trace_headers()}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.url, self.key = url.rstrip("/"), key
        place = url.removeprefix(_SOCKET) if url.startswith(_SOCKET) else None
        self.http = httpx2.Client(
            base_url=self.url if place is None else "http://localhost",
            transport=None if place is None else httpx2.HTTPTransport(uds=place),
            headers=headers,
            timeout=timeout_s,
            verify=verify,
            auth=auth,
        )

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request; repeat it while the platform is away, when repeating is safe."""
        stream = options.pop("stream", None)
        for attempt in range(_TRIES):
            if stream is not None:
                options["content"] = stream()
            try:
                response = self.http.request(method, path, **options)
            except httpx2.TransportError as reason:
                if attempt + 1 == _TRIES or method not in _REPEATABLE:
                    raise Unavailable(
                        f"no platform answers at {self.url}", hint="start it with 'aimass up', or give another --url"
                    ) from reason
            else:
                if response.status_code < _CLIENT_ERROR:
                    return response
                if not _worth_repeating(response, method, attempt):
                    raise error_of(response)
            time.sleep(0.2 * 2**attempt)
        raise Unavailable(f"no platform answers at {self.url}")

    def check(self, response: httpx2.Response) -> None:
        """Raise what a streamed reply complains of."""
        if response.status_code >= _CLIENT_ERROR:
            response.read()
            raise error_of(response)

    def json(self, method: str, path: str, *, query: Mapping[str, Any], body: Any, headers: Mapping[str, str]) -> Any:
        """Send JSON and return the decoded reply; None for an empty one."""
        response = self.send(method, path, params=_query(query), json=body, headers=dict(headers))
        return response.json() if response.content else None

    def upload(self, path: str, chunks: Callable[[], Iterable[bytes]], headers: Mapping[str, str]) -> Any:
        """Send a body as a stream; it is asked for anew when it has to be sent again."""
        return self.send("PUT", path, stream=chunks, headers=dict(headers)).json()

    def events(self, method: str, path: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Send a request once and yield the objects of the server-sent events of its answer.

        Raises
        ------
        AimassError
            What the answer, or an event in its middle, complains of.
        Unavailable
            Nobody answers, or the connection was lost in the middle.
        """
        try:
            with self.http.stream(method, path, **options) as response:
                self.check(response)
                for line in response.iter_lines():
                    if not line.startswith("data:"):
                        continue
                    event: dict[str, Any] = json.loads(line.removeprefix("data:"))
                    if "error" in event and "model_name" not in event:  # an output may have that name
                        raise _told(event, response.status_code)
                    yield event
        except httpx2.TransportError as reason:
            raise Unavailable(f"the answer of {self.url}{path} was lost: {reason}") from reason

    def raw(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes, within_s: float, most_bytes: int
    ) -> tuple[int, dict[str, str], bytes, bool]:
        """Send a request once; return status, headers, the first bytes of the body, and whether it went on.

        Raises
        ------
        Unavailable
            There was no whole answer within the time.
        """
        found, end, is_cut = bytearray(), time.monotonic() + within_s, False
        try:
            with self.http.stream(method, target, headers=dict(headers), content=body, timeout=within_s) as response:
                for piece in response.iter_bytes():
                    found += piece
                    if is_cut := len(found) > most_bytes or time.monotonic() > end:
                        break
        except httpx2.TransportError as reason:
            raise Unavailable(f"no answer of {self.url}{target} within {within_s:g} s: {reason}") from reason
        return response.status_code, dict(response.headers), bytes(found[:most_bytes]), is_cut

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


def _worth_repeating(response: httpx2.Response, method: str, attempt: int) -> bool:
    return response.status_code in (502, 503) and method in _REPEATABLE and attempt + 1 < _TRIES


def _query(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class AsyncTransport:
    """The same for asyncio."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        verify: bool = True,
        auth: httpx2.Auth | None = None,
    ) -> None:
        headers = {"Accept": "application/json", **trace_headers()}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.url = url.rstrip("/")
        self.http = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=timeout_s, verify=verify, auth=auth)

    async def json(
        self, method: str, path: str, *, query: Mapping[str, Any], body: Any, headers: Mapping[str, str]
    ) -> Any:
        """Send JSON and return the decoded reply; None for an empty one."""
        response = await self.send(method, path, params=_query(query), json=body, headers=dict(headers))
        return response.json() if response.content else None

    async def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request once."""
        try:
            response = await self.http.request(method, path, **options)
        except httpx2.TransportError as reason:
            raise Unavailable(f"no platform answers at {self.url}", hint="start it with 'aimass up'") from reason
        if response.status_code >= _CLIENT_ERROR:
            raise error_of(response)
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()
