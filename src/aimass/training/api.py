"""Routes that cannot be derived: the files of a run, and weights on their way in."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from aimass.cluster import Job
from aimass.infra.blobs import Blobs
from aimass.kernel.errors import TooLarge
from aimass.kernel.layout import DataDir
from aimass.training.service.importing import MOST_BYTES
from aimass.training.service.training import Training
from aimass.web import caller, registry_of

router = APIRouter(tags=["training"])
_CHUNK = 2**20


@router.get("/workspaces/{workspace}/runs/{run}/files/{name:path}", operation_id="training.download_artifact")
def download_artifact(request: Request, workspace: str, run: str, name: str) -> FileResponse:
    """Download a file that a run left."""
    who, training = caller(request), registry_of(request).get(Training)
    who.need("training.read", workspace)
    artifact, path = training.artifact(workspace, run, name)
    headers = {"ETag": f'"{artifact.sha256}"'}
    return FileResponse(path, media_type="application/octet-stream", filename=name.rpartition("/")[2], headers=headers)


@router.post("/workspaces/{workspace}/models/{model}/weights", operation_id="training.import_weights", status_code=202)
async def import_weights(
    request: Request, workspace: str, model: str, description: Annotated[str, Query(max_length=5000)] = ""
) -> Job:
    """Import weights as a version, by a ZIP file of config.json, model.safetensors, and tokenizer.json or preprocessor_config.json."""
    who, registry = caller(request), registry_of(request)
    who.need("models.edit", workspace, f"model:{model}")
    with TemporaryFile(dir=registry.get(DataDir).run) as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MOST_BYTES:
                raise TooLarge(f"the weights are larger than {MOST_BYTES} bytes", allowed=MOST_BYTES)
            file.write(chunk)
        file.seek(0)
        kept = await run_in_threadpool(registry.get(Blobs).put, _pieces(file))
    training = registry.get(Training)
    return await run_in_threadpool(training.import_weights, who, workspace, model, kept.sha256, description)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
