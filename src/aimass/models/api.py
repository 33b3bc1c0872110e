"""Routes that cannot be derived: packages as ZIP files, up and down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Annotated
from zipfile import ZIP_DEFLATED, ZipFile

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from aimass.kernel.errors import TooLarge
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.models.archive import MAX_BYTES, unpack
from aimass.models.domain import ModelVersion, OneVersion, Registration
from aimass.models.service.models import Models
from aimass.web import caller, registry_of

router = APIRouter(tags=["models"])
_CHUNK = 1024 * 1024


@router.post("/workspaces/{workspace}/models/{model}/versions", operation_id="models.upload_version", status_code=201)
async def upload_version(
    request: Request,
    workspace: str,
    model: str,
    key: Annotated[str | None, Query(max_length=200)] = None,
    description: Annotated[str, Query(max_length=5000)] = "",
) -> ModelVersion:
    """Register an uploaded package, a ZIP file with ``manifest.json``, as the next version of a model."""
    who, registry = caller(request), registry_of(request)
    who.need("models.edit", workspace, f"model:{model}")
    with TemporaryFile(dir=registry.get(DataDir).run) as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BYTES:
                raise TooLarge(f"the package is larger than {MAX_BYTES} bytes", allowed=MAX_BYTES)
            file.write(chunk)
        wish = Registration(
            workspace=workspace,
            model=model,
            digest="",
            origin="upload",
            source="upload",
            key=key or "",
            description=description,
        )
        return await run_in_threadpool(_register, registry, who, wish, file)


def _register(registry: Registry, who: Principal, wish: Registration, file: IO[bytes]) -> ModelVersion:
    models = registry.get(Models)
    with TemporaryDirectory(dir=registry.get(DataDir).run) as folder:
        package = models.keep_package(unpack(file, Path(folder) / "package"))
    return models.register(
        who,
        Registration(
            workspace=wish.workspace,
            model=wish.model,
            digest=package.digest,
            origin="upload",
            source=f"upload by {who.name}",
            key=wish.key or f"upload:{package.digest}",
            description=wish.description,
        ),
    )


@router.get("/workspaces/{workspace}/models/{model}/versions/{number}/package", operation_id="models.download_version")
def download_version(request: Request, workspace: str, model: str, number: int) -> StreamingResponse:
    """Download the package of a version as a ZIP file."""
    who, models = caller(request), registry_of(request).get(Models)
    version = models.get_version(who, OneVersion(workspace=workspace, model=model, number=number))
    file = TemporaryFile(dir=registry_of(request).get(DataDir).run)  # noqa: SIM115 closed by the reply
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        folder = models.materialise(version)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder).as_posix())
    file.seek(0)
    name = f'attachment; filename="{model}-{number}.zip"'
    return StreamingResponse(_pieces(file), media_type="application/zip", headers={"Content-Disposition": name})


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_CHUNK):
            yield piece
