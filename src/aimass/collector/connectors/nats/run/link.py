"""A link to a NATS server that a program without an event loop can use; it keeps living while rows are committed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as TooLate
from threading import Thread
from typing import Any

import nats
import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from aimass.collector.connectors.nats.manifest import NatsParameters
from aimass.collector.connectors.reach import check_url
from aimass.kernel.errors import Forbidden, Invalid, NotFound, Unavailable

NOT_FOUND = 404


class Link:
    """One connection, with its loop in a thread of its own; a lost connection is not mended, it is an error."""

    def __init__(self, parameters: NatsParameters) -> None:
        self.timeout_s = parameters.timeout_s
        self._prefix = f"$JS.{parameters.domain}.API" if parameters.domain else "$JS.API"
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self.client: Client = self.wait(_connect(parameters), parameters.timeout_s * 2)
        except BaseException:
            self._stop()
            raise

    def wait(self, work: Coroutine[Any, Any, Any], limit_s: float) -> Any:
        """Run something on the loop and wait for its end."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(limit_s)
        except (TooLate, nats.errors.TimeoutError):
            future.cancel()
            raise Unavailable("the NATS server did not answer in time", hint="try again, or raise timeout_s") from None
        except (nats.errors.Error, OSError) as reason:
            raise Unavailable(f"the connection to the NATS server was lost: {_said(reason)}") from None

    def ask(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the JetStream API; an error answer becomes one of ours."""

        async def request() -> Msg:
            return await self.client.request(
                f"{self._prefix}.{verb}", orjson.dumps(body) if body else b"", timeout=self.timeout_s
            )

        try:
            answer = orjson.loads(self.wait(request(), self.timeout_s + 1).data)
        except Unavailable as reason:
            if "no responders" in reason.message:
                raise Unavailable("the NATS server has no JetStream", hint="start it with -js") from None
            raise
        if "error" in answer:
            error = answer["error"]
            told = f"the NATS server refused {verb.partition('.')[0].lower()}: {error.get('description', error)}"
            raise (NotFound(told) if error.get("code") == NOT_FOUND else Invalid(told))
        return answer

    def api(self, verb: str) -> str:
        """Return the subject of an API call."""
        return f"{self._prefix}.{verb}"

    @property
    def is_open(self) -> bool:
        """Whether the server is there, as far as is known."""
        return self.client.is_connected

    def close(self) -> None:
        """Close connection and loop."""
        try:
            asyncio.run_coroutine_threadsafe(self.client.close(), self._loop).result(self.timeout_s)
        except (TooLate, nats.errors.Error, OSError):
            self._stop()  # the server is gone: there is nobody to say good-bye to
        else:
            self._stop()

    def _stop(self) -> None:
        asyncio.run_coroutine_threadsafe(_wound_down(), self._loop).result(self.timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._loop.is_running():
            self._loop.close()


async def _wound_down() -> None:
    """End what the client left running, and let closed sockets go."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)


async def _connect(parameters: NatsParameters) -> Client:
    faults: list[Exception] = []
    servers = [one.strip() for one in parameters.url.split(",")]
    for one in servers:
        check_url(one)

    async def noted(fault: Exception) -> None:
        faults.append(fault)

    client = Client()
    password, token = parameters.password, parameters.token
    try:
        opening = client.connect(
            servers=servers,
            connect_timeout=max(1, round(parameters.timeout_s)),
            allow_reconnect=False,
            max_reconnect_attempts=0,
            error_cb=noted,
            tls=ssl.create_default_context(cadata=parameters.ca) if parameters.ca else None,
            name="aimass",
            user=parameters.user,
            password=password.get_secret_value() if password else None,
            token=token.get_secret_value() if token else None,
        )
        await asyncio.wait_for(opening, parameters.timeout_s)
    except (nats.errors.Error, OSError, ssl.SSLError) as reason:
        await client.close()
        told = " ".join(map(_said, [reason, *faults])).lower()
        if "authorization" in told or "authentication" in told:
            field = "token" if parameters.token else "password"
            raise Forbidden("the NATS server refused the credentials", field=field) from None
        cause = _said(faults[-1] if faults and isinstance(reason, TimeoutError) else reason)
        raise Unavailable(
            f"no NATS server answers at {parameters.url!r}: {cause}", field="url", value=parameters.url
        ) from None
    return client


def _said(reason: Exception) -> str:
    return str(reason).removeprefix("nats: ") or type(reason).__name__
