"""The route that cannot be derived: a version as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from aimass.lake.commands import ExportRows
from aimass.lake.domain import Format
from aimass.lake.service.lake import Lake
from aimass.web import caller, registry_of

router = APIRouter(tags=["lake"])
_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "ndjson": "application/x-ndjson"}


@router.get("/workspaces/{workspace}/datasets/{dataset}/file", operation_id="lake.export_rows")
def export_rows(
    request: Request,
    workspace: str,
    dataset: str,
    number: Annotated[int | None, Query(ge=1)] = None,
    format: Format = "csv",  # noqa: A002 the name of the query parameter
) -> FileResponse:
    """Download a version as CSV, Parquet or NDJSON."""
    who, lake = caller(request), registry_of(request).get(Lake)
    command = ExportRows(workspace=workspace, dataset=dataset, number=number, format=format)
    folder = Path(tempfile.mkdtemp(prefix="aimass-export-"))
    try:
        path = lake.export_rows(who, command, folder / f"{dataset}.{format}")
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        path,
        media_type=_MEDIA[format],
        filename=path.name,
        background=BackgroundTask(rmtree, folder, ignore_errors=True),
    )
