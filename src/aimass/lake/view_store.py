"""Tables of views and their refreshes, and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    or_,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, PlacedJson, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor
from aimass.lake.features import SourceVersion
from aimass.lake.store import datasets, versions
from aimass.lake.views import ListViews, ViewRefresh

made_views = Table(
    "lake_views",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("sql", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("saved_query", String(63), nullable=True),
    Column("dataset", String(63), nullable=False),
    Column("dataset_id", String(26), nullable=False),
    Column("refresh", String(20), nullable=False),
    Column("every_s", Float, nullable=False),
    Column("owner", String(120), nullable=False),
    Column("owner_name", String(255), nullable=False),
    Column("reads", Json, nullable=False),
    Column("sources", Json, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("made_digest", String(64), nullable=False),
    Column("made_seen", String(64), nullable=False),
    Column("refreshed_at", Instant, nullable=True),
    Column("last", String(26), nullable=True),
    Column("current", String(26), nullable=True),
    Column("current_job", String(26), nullable=True),
    Column("tried", Json, nullable=False),
    Column("tried_at", Instant, nullable=True),
    Column("failures", Integer, nullable=False),
    Column("error", PlacedJson, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("workspace", "slug"),
    UniqueConstraint("workspace", "dataset"),
)

refreshes = Table(
    "lake_view_refreshes",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("view_id", String(26), nullable=False),
    Column("view", String(63), nullable=False),
    Column("cause", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("sources", Json, nullable=False),
    Column("number", Integer, nullable=True),
    Column("rows", BigInteger, nullable=True),
    Column("job", String(26), nullable=True),
    Column("error", PlacedJson, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Index(None, "view_id", "id"),
)

_KEPT = 50
_SEARCHED = (made_views.c.name, made_views.c.slug, made_views.c.description)
_REFRESH = tuple(name for name in ViewRefresh.__dataclass_fields__ if name != "sources")


def refresh_of(row: Row[Any]) -> ViewRefresh:
    """Read a refresh."""
    values = {name: getattr(row, name) for name in _REFRESH}
    return ViewRefresh(**values, sources=[SourceVersion(**source) for source in row.sources])


def _views() -> Select[Any]:
    """Select views, each with what is told of the dataset that it makes."""
    facts = (datasets.c.layer.label("layer"), datasets.c.latest.label("number"), datasets.c.rows.label("rows"))
    return select(made_views, *facts).outerjoin_from(made_views, datasets, datasets.c.id == made_views.c.dataset_id)


def made_view_row(conn: Connection, workspace: str, slug: str) -> Row[Any]:
    """Return the row of a view, or say that there is none."""
    row = conn.execute(_views().where(made_views.c.workspace == workspace, made_views.c.slug == slug)).first()
    if row is None:
        raise NotFound(f"there is no view {slug!r} in workspace {workspace!r}", field="view", value=slug)
    return row


def made_view_by_id(conn: Connection, id_: str) -> Row[Any] | None:
    """Return the row of a view; None when it was deleted."""
    return conn.execute(_views().where(made_views.c.id == id_)).first()


def maker_of(conn: Connection, dataset_id: str) -> str | None:
    """Return the slug of the view that makes a dataset; None when it is an ordinary one."""
    return conn.execute(select(made_views.c.slug).where(made_views.c.dataset_id == dataset_id)).scalar()


def made_views_page(conn: Connection, wish: ListViews) -> list[Row[Any]]:
    """Return one view more than the page wants, by slug."""
    query = _views().where(made_views.c.workspace == wish.workspace)
    if wish.text:
        query = query.where(or_(*(column.icontains(wish.text, autoescape=True) for column in _SEARCHED)))
    if wish.cursor:
        query = query.where(made_views.c.slug > decode_cursor(wish.cursor))
    return list(conn.execute(query.order_by(made_views.c.slug).limit(wish.limit + 1)))


def made_views_of(conn: Connection, workspace: str | None = None) -> list[Row[Any]]:
    """Return the views of a workspace (None: of all), by slug."""
    query = _views().order_by(made_views.c.workspace, made_views.c.slug)
    return list(conn.execute(query if workspace is None else query.where(made_views.c.workspace == workspace)))


def workspaces_that_follow(conn: Connection) -> list[str]:
    """Return the workspaces with views that are refreshed when a source changes."""
    wanted = select(made_views.c.workspace).where(made_views.c.refresh == "on_change").distinct()
    return sorted(conn.execute(wanted).scalars())


def newest_versions(conn: Connection, workspace: str) -> dict[str, tuple[int, str]]:
    """Return number and id of the newest version of each dataset that is there, by slug."""
    newest = (versions.c.dataset_id == datasets.c.id) & (versions.c.number == datasets.c.latest)
    query = select(datasets.c.slug, versions.c.number, versions.c.id).join_from(datasets, versions, newest)
    query = query.where(datasets.c.workspace == workspace, datasets.c.deleted_at.is_(None))
    return {row.slug: (row.number, row.id) for row in conn.execute(query)}


def add_made_view(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new view."""
    change.execute(insert(made_views).values(**values))


def put_made_view(change: Change, id_: str, **values: Any) -> None:
    """Change a view."""
    values = {"changed_at": change.now, "version": made_views.c.version + 1, **values}
    change.execute(update(made_views).where(made_views.c.id == id_).values(**values))


def note_made_view(change: Change, id_: str, **values: Any) -> None:
    """Note how far a view is; that is no change of the view."""
    change.execute(update(made_views).where(made_views.c.id == id_).values(**values))


def claim_view(change: Change, id_: str, refresh: str) -> bool:
    """Let a refresh be the one of a view that runs; False when another one runs already."""
    free = update(made_views).where(made_views.c.id == id_, made_views.c.current.is_(None))
    return bool(change.execute(free.values(current=refresh)).rowcount)


def free_view(change: Change, id_: str, refresh: str) -> None:
    """Let another refresh of a view begin, if it is this one that held it."""
    mine = update(made_views).where(made_views.c.id == id_, made_views.c.current == refresh)
    change.execute(mine.values(current=None, current_job=None))


def drop_made_view(change: Change, id_: str) -> None:
    """Forget a view and its refreshes."""
    change.execute(delete(refreshes).where(refreshes.c.view_id == id_))
    change.execute(delete(made_views).where(made_views.c.id == id_))


def add_refresh(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new refresh."""
    change.execute(insert(refreshes).values(**values))


def put_refresh(change: Change, id_: str, **values: Any) -> None:
    """Change a refresh."""
    change.execute(update(refreshes).where(refreshes.c.id == id_).values(**values))


def find_refresh(conn: Connection, id_: str | None) -> Row[Any] | None:
    """Return the row of a refresh; None when it is not known any more."""
    return conn.execute(select(refreshes).where(refreshes.c.id == id_)).first()


def refreshes_page(conn: Connection, view_id: str, cursor: str | None, limit: int) -> list[ViewRefresh]:
    """Return one refresh more than the page wants, newest first."""
    query = select(refreshes).where(refreshes.c.view_id == view_id)
    if cursor:
        query = query.where(refreshes.c.id < decode_cursor(cursor))
    return [refresh_of(row) for row in conn.execute(query.order_by(refreshes.c.id.desc()).limit(limit + 1))]


def failed_refreshes(conn: Connection) -> list[Row[Any]]:
    """Return the refreshes that have an error."""
    return list(conn.execute(select(refreshes).where(refreshes.c.state == "FAILED")))


def drop_old_refreshes(change: Change, view_id: str, last: str | None) -> None:
    """Forget all but the newest refreshes of a view, and the last one that made a version."""
    mine = refreshes.c.view_id == view_id
    query = select(refreshes.c.id).where(mine).order_by(refreshes.c.id.desc()).offset(_KEPT).limit(1)
    oldest = change.execute(query).scalar()
    if oldest is not None:
        change.execute(delete(refreshes).where(mine, refreshes.c.id <= oldest, refreshes.c.id != (last or "")))
