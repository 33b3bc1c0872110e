"""The routes that cannot be derived: a version, and the answer of a query, as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.routing import Match
from starlette.types import Scope

from aimass.infra.compute import Stop
from aimass.lake.asking import FileFormat, FileQuery
from aimass.lake.commands import ExportRows
from aimass.lake.domain import Format
from aimass.lake.service.lake import Lake
from aimass.web import caller, registry_of, while_waiting

router = APIRouter(tags=["lake"])
_MEDIA: dict[FileFormat, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "avro": "application/vnd.apache.avro",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class FileRoute(APIRoute):
    """Answers where the caller accepts a file; else the route of the use case does."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave a request alone that wants no file."""
        return super().matches(scope) if scope["type"] == "http" and _wanted(scope) else (Match.NONE, {})


def _wanted(scope: Scope) -> FileFormat | None:
    accepted = [part.partition(";")[0].strip().lower() for part in Headers(scope=scope).get("accept", "").split(",")]
    return next((name for name, media in _MEDIA.items() if media in accepted), None)


class Asked(BaseModel):
    """The body of a query; see ``lake.query``."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(max_length=100_000)
    parameters: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, int | str] = Field(default_factory=dict)
    timeout_s: float = Field(default=300.0, ge=0.1, le=3600)


files = APIRouter(route_class=FileRoute, include_in_schema=False)


@files.post("/workspaces/{workspace}/query")
async def query_file(request: Request, workspace: str, body: Asked) -> FileResponse:
    """Answer a query as an Arrow stream, Parquet, CSV, NDJSON, Avro or XLSX, whichever is accepted."""
    form, stop = _wanted(request.scope) or "arrow", Stop()

    def work() -> FileResponse:
        who, lake = caller(request), registry_of(request).get(Lake)
        command = FileQuery(workspace=workspace, format=form, **body.model_dump())
        return in_a_file(form, f"answer.{form}", lambda target: lake.query_file(who, command, target, stop=stop))

    return await while_waiting(request, stop.stop, work)


def in_a_file(form: FileFormat, name: str, write: Callable[[Path], Path]) -> FileResponse:
    """Send what is written to a file; the file goes when it was sent, or could not be written."""
    folder = Path(tempfile.mkdtemp(prefix="aimass-export-"))
    try:
        path = write(folder / name)
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        path, media_type=_MEDIA[form], filename=name, background=BackgroundTask(rmtree, folder, ignore_errors=True)
    )


@router.get("/workspaces/{workspace}/datasets/{dataset}/file", operation_id="lake.export_rows")
def export_rows(
    request: Request,
    workspace: str,
    dataset: str,
    number: Annotated[int | None, Query(ge=1)] = None,
    format: Format = "csv",  # noqa: A002 the name of the query parameter
) -> FileResponse:
    """Download a version as CSV, Parquet, NDJSON, Avro or XLSX."""
    who, lake = caller(request), registry_of(request).get(Lake)
    command = ExportRows(workspace=workspace, dataset=dataset, number=number, format=format)
    return in_a_file(format, f"{dataset}.{format}", lambda target: lake.export_rows(who, command, target))


router.include_router(files)
