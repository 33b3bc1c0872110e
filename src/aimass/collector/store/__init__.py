"""Tables of sources and collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    false,
    func,
    insert,
    select,
    text,
    update,
)

from aimass.collector.domain import PUSHED, Collection, ListCollections, Source, Upload
from aimass.collector.store import hooks, links, proposals
from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor

TABLES = (
    links.connections,
    links.drifts,
    hooks.hooks,
    proposals.proposals,
)  # declared beside, and part of the room's schema

sources = Table(
    "collector_sources",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("plan", Json, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("max_reject_rate", Float, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Column("connection", String(63), nullable=False, server_default=text("''")),
    Column("reading", Json, nullable=False, server_default="{}"),
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    Column("progress", Json, nullable=False, server_default="{}"),
    Index(None, "workspace", "slug"),
)

collections = Table(
    "collector_collections",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("source_id", String(26), nullable=False),
    Column("source", String(63), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("key", String(150), nullable=False),
    Column("upload", String(64), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("job", String(26), nullable=True),
    Column("rows", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("dataset_version", Integer, nullable=True),
    Column("error", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Column("facts", Json, nullable=False, server_default="{}"),
    UniqueConstraint("source_id", "key"),
    UniqueConstraint("source_id", "number"),
    Index(None, "workspace", "id"),
)


uploads = Table(
    "collector_uploads",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("upload", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("filename", String(255), nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
)


def _source(row: Row[Any]) -> Source:
    return Source(**{name: getattr(row, name) for name in Source.__slots__})


def _collection(row: Row[Any]) -> Collection:
    return Collection(**{name: getattr(row, name) for name in Collection.__slots__})


def find_source(conn: Connection, workspace: str, slug: str) -> Source | None:
    """Return a source that was not deleted."""
    where = (sources.c.workspace == workspace, sources.c.slug == slug, sources.c.deleted_at.is_(None))
    row = conn.execute(select(sources).where(*where)).first()
    return None if row is None else _source(row)


def need_source(conn: Connection, workspace: str, slug: str) -> Source:
    """Return a source, or say that there is none."""
    found = find_source(conn, workspace, slug)
    if found is None:
        raise NotFound(f"there is no source {slug!r} in workspace {workspace!r}", field="source", value=slug)
    return found


def source_by_id(conn: Connection, id_: str) -> Source | None:
    """Return a source by its id, unless it was deleted."""
    row = conn.execute(select(sources).where(sources.c.id == id_, sources.c.deleted_at.is_(None))).first()
    return None if row is None else _source(row)


def pushed_sources(conn: Connection) -> list[Source]:
    """Return the sources of every workspace that are pushed to."""
    query = select(sources).where(sources.c.kind == PUSHED, sources.c.deleted_at.is_(None))
    return [_source(row) for row in conn.execute(query.order_by(sources.c.id))]


def sources_of_connection(conn: Connection, workspace: str, connection: str) -> list[Source]:
    """Return the sources that read from a connection."""
    query = select(sources).where(
        sources.c.workspace == workspace, sources.c.connection == connection, sources.c.deleted_at.is_(None)
    )
    return [_source(row) for row in conn.execute(query.order_by(sources.c.slug))]


def linked_sources(conn: Connection) -> list[Source]:
    """Return the sources of every workspace that read from a connection and are not paused."""
    wanted = (sources.c.connection != "", sources.c.is_paused.is_(False), sources.c.deleted_at.is_(None))
    return [_source(row) for row in conn.execute(select(sources).where(*wanted).order_by(sources.c.id))]


def sources_page(conn: Connection, workspace: str, cursor: str | None, limit: int) -> list[Source]:
    """Return one source more than the page wants, by slug."""
    query = select(sources).where(sources.c.workspace == workspace, sources.c.deleted_at.is_(None))
    if cursor:
        query = query.where(sources.c.slug > decode_cursor(cursor))
    return [_source(row) for row in conn.execute(query.order_by(sources.c.slug).limit(limit + 1))]


def add_source(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new source."""
    change.execute(insert(sources).values(**values))


def put_source(change: Change, source: Source, **values: Any) -> bool:
    """Change a source that nobody changed meanwhile; tell whether it could."""
    where = (sources.c.id == source.id, sources.c.version == source.version)
    done = change.execute(update(sources).where(*where).values(version=source.version + 1, **values))
    return done.rowcount == 1


def next_number(conn: Connection, source_id: str) -> int:
    """Return the number of the next collection of a source: the number of its transaction in the table."""
    return (
        conn.execute(select(func.max(collections.c.number)).where(collections.c.source_id == source_id)).scalar() or 0
    ) + 1


def find_by_key(conn: Connection, source_id: str, key: str) -> Collection | None:
    """Return the collection that a key started."""
    row = conn.execute(
        select(collections).where(collections.c.source_id == source_id, collections.c.key == key)
    ).first()
    return None if row is None else _collection(row)


def find_by_upload(conn: Connection, source_id: str, upload: str) -> Collection | None:
    """Return the collection of an upload that runs or succeeded."""
    query = select(collections).where(
        collections.c.source_id == source_id,
        collections.c.upload == upload,
        collections.c.state.in_(("RUNNING", "SUCCEEDED")),
    )
    row = conn.execute(query.order_by(collections.c.id.desc())).first()
    return None if row is None else _collection(row)


def running_of(conn: Connection, source_id: str) -> Collection | None:
    """Return the collection of a source that has not ended."""
    where = (collections.c.source_id == source_id, collections.c.state == "RUNNING")
    row = conn.execute(select(collections).where(*where)).first()
    return None if row is None else _collection(row)


def latest_of(conn: Connection, source_id: str, limit: int) -> list[Collection]:
    """Return the last collections of a source, newest first."""
    query = select(collections).where(collections.c.source_id == source_id)
    return [_collection(row) for row in conn.execute(query.order_by(collections.c.number.desc()).limit(limit))]


def need_collection(conn: Connection, workspace: str, id_: str) -> Collection:
    """Return a collection, or say that there is none."""
    row = conn.execute(select(collections).where(collections.c.workspace == workspace, collections.c.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no collection {id_!r} in workspace {workspace!r}", field="collection", value=id_)
    return _collection(row)


def collections_page(conn: Connection, command: ListCollections) -> list[Collection]:
    """Return one collection more than the page wants, newest first."""
    query = select(collections).where(collections.c.workspace == command.workspace)
    for name in ("source", "dataset", "state"):
        if getattr(command, name) is not None:
            query = query.where(collections.c[name] == getattr(command, name))
    if command.cursor:
        query = query.where(collections.c.id < decode_cursor(command.cursor))
    return [_collection(row) for row in conn.execute(query.order_by(collections.c.id.desc()).limit(command.limit + 1))]


def add_collection(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new collection."""
    change.execute(insert(collections).values(**values))


def put_collection(change: Change, id_: str, **values: Any) -> None:
    """Change a collection."""
    change.execute(update(collections).where(collections.c.id == id_).values(**values))


def last_failed(conn: Connection) -> list[Collection]:
    """Return the newest collection of each source that failed."""
    return _last(conn, "FAILED")


def last_succeeded(conn: Connection) -> list[Collection]:
    """Return the newest collection of each source that succeeded."""
    return _last(conn, "SUCCEEDED")


def _last(conn: Connection, state: str) -> list[Collection]:
    newest = select(func.max(collections.c.id)).group_by(collections.c.source_id)
    alive = select(sources.c.id).where(sources.c.deleted_at.is_(None))
    query = select(collections).where(
        collections.c.id.in_(newest), collections.c.state == state, collections.c.source_id.in_(alive)
    )
    return [_collection(row) for row in conn.execute(query)]


def plans_into(conn: Connection, workspace: str, dataset: str) -> dict[str, Any]:
    """Return the pinned plans of the sources that fill a dataset, by the id of the source.

    That of a source which merges names the columns by which it does, as ``merged_by``, and its cursor, as ``ordered_by``.
    """
    query = select(sources.c.id, sources.c.plan, sources.c.reading).where(
        sources.c.workspace == workspace, sources.c.dataset == dataset, sources.c.deleted_at.is_(None)
    )
    found = {row.id: row for row in conn.execute(query) if row.plan.get("columns")}
    return {id_: {**row.plan, **_merging(row.reading)} for id_, row in found.items()}


def _merging(reading: Mapping[str, Any] | None) -> dict[str, Any]:
    if not reading or reading.get("into") != "merge":
        return {"merged_by": [], "ordered_by": None}
    return {"merged_by": list(reading["keys"]), "ordered_by": reading.get("cursor")}


def put_upload(change: Change, workspace: str, upload: Upload) -> bool:
    """Note an upload of a workspace; tell whether it is new there."""
    key = (uploads.c.workspace == workspace) & (uploads.c.upload == upload.upload)
    if change.execute(select(uploads.c.upload).where(key)).first() is not None:
        values = {"filename": upload.filename} if upload.filename else {}
        change.execute(update(uploads).where(key).values(used_at=change.now, **values))
        return False
    values = {"workspace": workspace, "upload": upload.upload, "size": upload.size, "filename": upload.filename}
    change.execute(
        insert(uploads).values(**values, created_by=change.who.id, created_at=change.now, used_at=change.now)
    )
    return True


def upload_of(conn: Connection, workspace: str, upload: str) -> Upload | None:
    """Return an upload of a workspace, None where there is none."""
    row = conn.execute(select(uploads).where(uploads.c.workspace == workspace, uploads.c.upload == upload)).first()
    return None if row is None else Upload(upload=row.upload, size=row.size, filename=row.filename)


def need_upload(conn: Connection, workspace: str, upload: str) -> Upload:
    """Return an upload of a workspace, or say that there is none."""
    found = upload_of(conn, workspace, upload)
    if found is None:
        raise NotFound(
            f"there is no upload {upload[:12]!r} in workspace {workspace!r}",
            field="upload",
            value=upload,
            hint="send the file first",
        )
    return found


def all_uploads(conn: Connection) -> Sequence[Row[Any]]:
    """Return every upload of every workspace."""
    return conn.execute(select(uploads)).all()


def use_upload(change: Change, workspace: str, upload: str) -> None:
    """Note that an upload was used."""
    key = (uploads.c.workspace == workspace) & (uploads.c.upload == upload)
    change.execute(update(uploads).where(key).values(used_at=change.now))


def drop_upload(change: Change, workspace: str, upload: str, *, used_at: datetime | None = None) -> bool:
    """Forget an upload, one that was last used at a moment where one is named; tell whether it was there."""
    query = delete(uploads).where(uploads.c.workspace == workspace, uploads.c.upload == upload)
    return change.execute(query if used_at is None else query.where(uploads.c.used_at == used_at)).rowcount == 1
