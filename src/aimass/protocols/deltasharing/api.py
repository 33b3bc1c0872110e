"""The routes of the Delta Sharing protocol, at ``/delta-sharing``; tables are read in its format ``parquet``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from aimass.infra.database import Database
from aimass.infra.tables import tables_of
from aimass.kernel.errors import AimassError, Invalid, NotFound, Unauthenticated
from aimass.lake import Lake, Recipient, Share, SharedTable, TableRead
from aimass.protocols.deltasharing.links import KEEP_S, Grant, Links
from aimass.web import registry_of

router = APIRouter(prefix="/delta-sharing", include_in_schema=False)
_TABLE = "/shares/{share}/schemas/{schema}/tables/{table}"
_NDJSON = "application/x-ndjson; charset=utf-8"
_PAGE = 500


class Wanted(BaseModel):
    """What a client asks of a table; hints may be ignored, and those on values are."""

    limit_hint: int | None = Field(default=None, alias="limitHint", ge=0)
    version: int | None = Field(default=None, ge=0)
    timestamp: str | None = None


def _answered(work: Callable[[], Response]) -> Response:
    """Return the answer, or the error in the form of the protocol."""
    try:
        return work()
    except AimassError as error:
        told = {"errorCode": error.code.upper(), "message": f"{error.message}. {error.hint}".strip(". ")}
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
        return JSONResponse(told, status_code=error.status, headers=headers)


def _caller(request: Request) -> Recipient:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthenticated(
            "a recipient proves himself by his token", hint="use the profile file that you were given"
        )
    return _lake(request).recipient_of_token(token.strip())


def _lake(request: Request) -> Lake:
    return registry_of(request).get(Lake)


def _shares(request: Request) -> tuple[Recipient, list[Share]]:
    recipient = _caller(request)
    return recipient, _lake(request).shares_for(recipient)


def _share(request: Request, name: str) -> tuple[Recipient, Share]:
    recipient, known = _shares(request)
    found = next((share for share in known if share.slug == name.lower()), None)
    if found is None:
        raise NotFound(f"there is no share {name!r}")
    return recipient, found


def _table(request: Request, names: tuple[str, str, str]) -> tuple[Recipient, Share, SharedTable]:
    share, schema, table = names
    recipient, shared = _share(request, share)
    wanted = (schema.lower(), table.lower())
    found = next((one for one in shared.tables if (one.namespace, one.name) == wanted), None)
    if found is None:
        raise NotFound(f"share {share!r} has no table '{schema}.{table}'")
    return recipient, shared, found


def _page(request: Request, items: Sequence[dict[str, Any]]) -> Response:
    """Return a page of a list; its token is the place where the next one begins."""
    most, token = request.query_params.get("maxResults", str(_PAGE)), request.query_params.get("pageToken") or "0"
    if not most.isdecimal() or not token.isdecimal():
        raise Invalid("maxResults and pageToken are whole numbers", field="maxResults", value=most)
    begin, end = int(token), int(token) + int(most)
    more = {"nextPageToken": str(end)} if end < len(items) else {}
    return JSONResponse({"items": list(items[begin:end]), **more})


def _as_table(share: Share, one: SharedTable) -> dict[str, Any]:
    return {"name": one.name, "schema": one.namespace, "share": share.slug, "shareId": share.id}


@router.get("/shares")
def shares(request: Request) -> Response:
    """List the shares of the recipient."""
    return _answered(lambda: _page(request, [{"name": one.slug, "id": one.id} for one in _shares(request)[1]]))


@router.get("/shares/{share}")
def share(request: Request, share: str) -> Response:
    """Show one share."""

    def work() -> Response:
        _, found = _share(request, share)
        return JSONResponse({"share": {"name": found.slug, "id": found.id}})

    return _answered(work)


@router.get("/shares/{share}/schemas")
def schemas(request: Request, share: str) -> Response:
    """List the schemas of a share."""

    def work() -> Response:
        names = sorted({table.namespace for table in _share(request, share)[1].tables})
        return _page(request, [{"name": name, "share": share.lower()} for name in names])

    return _answered(work)


@router.get("/shares/{share}/schemas/{schema}/tables")
def tables(request: Request, share: str, schema: str) -> Response:
    """List the tables of a schema."""

    def work() -> Response:
        _, found = _share(request, share)
        inside = [_as_table(found, one) for one in found.tables if one.namespace == schema.lower()]
        if not inside:
            raise NotFound(f"share {share!r} has no schema {schema!r}")
        return _page(request, inside)

    return _answered(work)


@router.get("/shares/{share}/all-tables")
def all_tables(request: Request, share: str) -> Response:
    """List the tables of a share, of whatever schema."""

    def work() -> Response:
        _, found = _share(request, share)
        return _page(request, [_as_table(found, one) for one in found.tables])

    return _answered(work)


@router.api_route(f"{_TABLE}/version", methods=["GET", "HEAD"])
def version(request: Request, share: str, schema: str, table: str) -> Response:
    """Tell the newest version of a table, or the one of a moment."""
    at = request.query_params.get("startingTimestamp")

    def work() -> Response:
        recipient, shared, found = _table(request, (share, schema, table))
        read = _lake(request).read_shared(recipient, shared, found, at=at, files=False)
        return Response(headers={"Delta-Table-Version": str(read.number)})

    return _answered(work)


@router.get(f"{_TABLE}/metadata")
def metadata(request: Request, share: str, schema: str, table: str) -> Response:
    """Describe a table."""

    def work() -> Response:
        read = _read(request, (share, schema, table), _wanted(dict(request.query_params)))
        return _lines(read, iter(_heading(read)))

    return _answered(work)


@router.post(f"{_TABLE}/query")
def query(
    request: Request, share: str, schema: str, table: str, told: Annotated[dict[str, Any] | None, Body()] = None
) -> Response:
    """List the files of a table, each with an address that counts for an hour."""

    def work() -> Response:
        wanted = _wanted(told or {})
        read = _read(request, (share, schema, table), wanted)
        return _lines(read, _files(request, read, wanted))

    return _answered(work)


@router.get(f"{_TABLE}/changes")
def changes(share: str, schema: str, table: str) -> Response:
    """Refuse to tell changes: tables are written without a change data feed."""

    def work() -> Response:
        raise Invalid(f"table '{share}.{schema}.{table}' tells no changes", hint="read two versions and compare them")

    return _answered(work)


@router.api_route("/files/{sealed}/{name}", methods=["GET", "HEAD"])
def file(request: Request, sealed: str, name: str) -> Response:
    """Give a file to whoever has its address."""

    def work() -> Response:
        now = int(registry_of(request).get(Database).clock.now().timestamp())
        grant = registry_of(request).get(Links).open(sealed, now=now)
        if grant is None or Path(grant.file).name != name:
            raise NotFound("this address does not count any more", hint="ask for the files of the table again")
        folder = _lake(request).shared_folder(grant.workspace, grant.dataset, grant.number, grant.copy)
        if folder is None:
            raise NotFound(
                "policies leave something else of this table now", hint="ask for the files of the table again"
            )
        path = folder / grant.file
        tables_of(folder).bring(folder, [grant.file])
        if not path.is_file():
            raise NotFound("this file is gone", hint="ask for the files of the table again")
        return FileResponse(path, media_type="application/vnd.apache.parquet", headers={"Cache-Control": "no-store"})

    return _answered(work)


def _wanted(told: object) -> Wanted:
    try:
        return Wanted.model_validate(told)
    except ValidationError as reason:
        first = reason.errors()[0]
        raise Invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from reason


def _read(request: Request, names: tuple[str, str, str], wanted: Wanted) -> TableRead:
    recipient, shared, found = _table(request, names)
    return _lake(request).read_shared(recipient, shared, found, version=wanted.version, at=wanted.timestamp)


def _heading(read: TableRead) -> list[dict[str, Any]]:
    told = read.told
    description = {"id": read.id, "format": {"provider": "parquet"}, "schemaString": told["schema"]}
    description |= {"partitionColumns": told["partitions"], "version": read.number}
    description |= {"size": told["bytes"], "numFiles": len(told["files"]), "configuration": {}}
    return [{"protocol": {"minReaderVersion": 1}}, {"metaData": description}]


def _files(request: Request, read: TableRead, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the lines of an answer; with a limit no more files than hold so many rows."""
    yield from _heading(read)
    told = read.told
    links, base = registry_of(request).get(Links), _base(request)
    until = int(registry_of(request).get(Database).clock.now().timestamp()) + KEEP_S
    rows = 0
    for file in told["files"]:
        if wanted.limit_hint is not None and rows >= wanted.limit_hint:
            return
        rows += file["rows"] or 0
        grant = Grant(
            workspace=read.workspace,
            dataset=read.dataset,
            number=read.number,
            file=file["name"],
            until=until,
            copy=read.copy,
        )
        name = Path(file["name"]).name
        entry = {"url": f"{base}/delta-sharing/files/{links.seal(grant)}/{name}", "id": name, "size": file["bytes"]}
        entry |= {"partitionValues": file["values"], "stats": orjson.dumps({"numRecords": file["rows"]}).decode()}
        entry |= {"version": read.number, "timestamp": file["moment"], "expirationTimestamp": until * 1000}
        yield {"file": entry}


def _base(request: Request) -> str:
    """Return the address of the platform as the client reaches it; behind a proxy its own scheme is not the public one."""
    public = _lake(request).address
    return public if urlsplit(public).netloc == request.url.netloc else str(request.base_url).rstrip("/")


def _lines(read: TableRead, lines: Iterator[dict[str, Any]]) -> Response:
    headers = {"Delta-Table-Version": str(read.number)}
    return StreamingResponse((orjson.dumps(line) + b"\n" for line in lines), media_type=_NDJSON, headers=headers)
