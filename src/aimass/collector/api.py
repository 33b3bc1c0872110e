"""The routes that cannot be derived: an upload, streamed to the blob store; rows that are pushed, and webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import from_thread, to_thread
from fastapi import APIRouter, Query, Request

from aimass.access import closed_workspaces
from aimass.collector.connectors.push.body import too_much
from aimass.collector.connectors.push.spool import Receipt
from aimass.collector.domain import Upload
from aimass.collector.errors import too_large
from aimass.collector.service.collector import Collector
from aimass.collector.service.pushing import HOOKS, Sent
from aimass.collector.settings import CollectorSettings
from aimass.infra.blobs import Blob, Blobs
from aimass.kernel.errors import Invalid
from aimass.web import caller, registry_of

router = APIRouter(tags=["collector"])
hooks = APIRouter(include_in_schema=False)


@router.put("/workspaces/{workspace}/uploads", operation_id="collector.upload", status_code=201)
async def upload(request: Request, workspace: str, filename: Annotated[str, Query(max_length=255)] = "") -> Upload:
    """Store a file under its SHA-256; an upload that breaks off, or is too large, leaves nothing behind."""
    who = await to_thread.run_sync(caller, request)
    who.need("collector.use", workspace)
    limit = CollectorSettings().max_upload_bytes
    announced = request.headers.get("content-length")
    if announced is not None and int(announced) > limit:
        raise too_large(limit)
    blob = await store(registry_of(request).get(Blobs), checked(request.stream(), limit, announced))
    kept = Upload(upload=blob.sha256, size=blob.size, filename=filename)
    return await to_thread.run_sync(registry_of(request).get(Collector).keep_upload, who, workspace, kept)


@router.post(
    "/workspaces/{workspace}/sources/{source}/push", operation_id="collector.push", status_code=202, name="push"
)
async def push(request: Request, workspace: str, source: str) -> Receipt:
    """Push rows to a source: a JSON object, a list of them, or one a line (NDJSON), packed with gzip or not.

    The answer means that they are on disk. The same ``Idempotency-Key`` again within a day is answered as before, and
    stored once.
    """
    who = await to_thread.run_sync(caller, request)
    who.need("collector.use", workspace, f"source:{source}")
    sent, collector = await _sent(request), registry_of(request).get(Collector)
    return await to_thread.run_sync(collector.push, who, workspace, source, sent)


@hooks.post(HOOKS + "/{token}", operation_id="collector.hook", status_code=202, name="hook")
async def hook(request: Request, token: str) -> Receipt:
    """Take what a webhook brings, if its signature fits the secret of the source at this address."""
    registry = registry_of(request)
    collector, closed = registry.get(Collector), await to_thread.run_sync(closed_workspaces, registry)
    await to_thread.run_sync(collector.hooked, token, closed)  # nobody fills our memory at an address that is none
    return await to_thread.run_sync(collector.pushed_by_hook, token, await _sent(request), closed)


async def _sent(request: Request) -> Sent:
    """Read a body up to the limit."""
    limit, body = CollectorSettings().max_push_bytes, bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_much(limit)
    return Sent(body=bytes(body), headers={name.lower(): value for name, value in request.headers.items()})


async def checked(chunks: AsyncIterator[bytes], limit: int, announced: str | None) -> AsyncIterator[bytes]:
    """Pass the body on; refuse one that is empty, too large, or shorter than announced."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        if chunk:
            yield chunk
    if size == 0:
        raise Invalid("the upload is empty", field="body", value=0, allowed="at least one byte")
    if announced is not None and size != int(announced):
        raise Invalid(f"the upload broke off after {size} of {announced} bytes", value=size, hint="send it again")


async def store(blobs: Blobs, chunks: AsyncIterator[bytes]) -> Blob:
    """Write the chunks in a thread, which asks for each one when it is ready for it."""

    async def next_chunk() -> bytes | None:
        return await anext(chunks, None)

    def taken() -> Iterator[bytes]:
        while (chunk := from_thread.run(next_chunk)) is not None:
            yield chunk

    return await to_thread.run_sync(blobs.put, taken())
