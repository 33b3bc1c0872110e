"""The OpenAPI document takes seconds to build; nobody else waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message

from aimass.kernel.principal import ANONYMOUS
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.lake.service.lake import Lake
from aimass.web.api.app import AppParts, create_app


async def _get(app: Any, path: str) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    await app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}, receive, send)
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


async def _asked_meanwhile(app: Any) -> tuple[bytes, int]:
    document = asyncio.create_task(_get(app, "/openapi.json"))
    answered = 0
    while not document.done():
        assert (await _get(app, "/readyz"))[0] == 200
        answered += 1
    status, body = document.result()
    assert status == 200
    return body, answered


def test_others_are_answered_while_the_document_is_built() -> None:
    cases: list[tuple[Any, object]] = [(case, Lake) for case in use_cases(Lake)]
    app = create_app(AppParts(registry=Registry(), authenticate=lambda _: ANONYMOUS, cases=cases))
    body, answered = asyncio.run(_asked_meanwhile(app))
    assert body.count(b'"operationId"') == len(cases)
    assert answered > 3
    again, _ = asyncio.run(_asked_meanwhile(app))
    assert again == body
