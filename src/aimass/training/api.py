"""Routes that cannot be derived: the files of a run."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import FileResponse

from aimass.training.service.training import Training
from aimass.web import caller, registry_of

router = APIRouter(tags=["training"])


@router.get("/workspaces/{workspace}/runs/{run}/files/{name:path}", operation_id="training.download_artifact")
def download_artifact(request: Request, workspace: str, run: str, name: str) -> FileResponse:
    """Download a file that a run left."""
    who, training = caller(request), registry_of(request).get(Training)
    who.need("training.read", workspace)
    artifact, path = training.artifact(workspace, run, name)
    headers = {"ETag": f'"{artifact.sha256}"'}
    return FileResponse(path, media_type="application/octet-stream", filename=name.rpartition("/")[2], headers=headers)
