"""The route that cannot be derived: an upload, streamed to the blob store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import from_thread, to_thread
from fastapi import APIRouter, Query, Request

from aimass.collector.domain import Upload
from aimass.collector.errors import too_large
from aimass.collector.service.collector import Collector
from aimass.collector.settings import CollectorSettings
from aimass.infra.blobs import Blob, Blobs
from aimass.kernel.errors import Invalid
from aimass.web import caller, registry_of

router = APIRouter(tags=["collector"])


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
