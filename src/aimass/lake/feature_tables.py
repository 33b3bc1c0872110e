"""Tables of feature views, training sets and online values, and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor
from aimass.lake.features import Feature, FeatureView, SourceVersion, TrainingSet

views = Table(
    "lake_feature_views",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("description", Text, nullable=False),
    Column("entity", Json, nullable=False),
    Column("entity_types", Json, nullable=False),
    Column("dataset", String(63), nullable=True),
    Column("sql", Text, nullable=True),
    Column("event_time", String(255), nullable=False),
    Column("created_time", String(255), nullable=True),
    Column("features", Json, nullable=False),
    Column("ttl_s", BigInteger, nullable=True),
    Column("tags", Json, nullable=False),
    Column("owner", String(255), nullable=False),
    Column("follows", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("online_rows", BigInteger, nullable=False),
    Column("online_at", Instant, nullable=True),
    Column("online_from", Json, nullable=False),
    Column("online_digest", String(64), nullable=True),
    Column("online_seen", String(64), nullable=False, server_default=text("''")),
    Column("skew", Json, nullable=True),
    Column("is_skewed", Boolean, nullable=False),
    Column("skew_limit", Float, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "slug"),
    UniqueConstraint("workspace", "name"),
)

training_sets = Table(
    "lake_training_sets",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("number", Integer, nullable=True),
    Column("state", String(20), nullable=False),
    Column("title", String(255), nullable=False),
    Column("definition", Json, nullable=False),
    Column("views", Text, nullable=False),
    Column("sources", Json, nullable=False),
    Column("rows", BigInteger, nullable=True),
    Column("digest", String(64), nullable=True),
    Column("report", Json, nullable=False),
    Column("rebuild_of", String(26), nullable=True),
    Column("key", String(150), nullable=True),
    Column("job", String(26), nullable=False),
    Column("error", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    UniqueConstraint("workspace", "key"),
    Index(None, "workspace", "dataset"),
)

materialisations = Table(
    "lake_materialisations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("view_id", String(26), nullable=False),
    Column("view", String(63), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("definition", Json, nullable=False),
    Column("sources", Json, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("job", String(26), nullable=False),
    Column("error", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Index(None, "view_id", "id"),
    Index(None, "state"),
)

online = Table(
    "lake_online_values",
    metadata,
    Column("view_id", String(26), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("entity", String(500), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("event_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Index(None, "workspace"),
)

_VIEW_FIELDS = frozenset(FeatureView.__dataclass_fields__)
_SET_FIELDS = tuple(name for name in TrainingSet.__dataclass_fields__ if name != "sources")
_SEARCHED = (views.c.name, views.c.slug, views.c.description)


def view_of(row: Row[Any]) -> FeatureView:
    """Read a feature view."""
    values = {name: getattr(row, name) for name in _VIEW_FIELDS}
    values["features"] = [Feature(**feature) for feature in values["features"]]
    values["online_from"] = [SourceVersion(**source) for source in values["online_from"]]
    return FeatureView(**values)


def set_of(row: Row[Any]) -> TrainingSet:
    """Read a training set."""
    values = {name: getattr(row, name) for name in _SET_FIELDS}
    return TrainingSet(**values, sources=[SourceVersion(**source) for source in row.sources])


def view_row(conn: Connection, workspace: str, slug: str) -> Row[Any]:
    """Return the row of a view, or say that there is none."""
    row = conn.execute(select(views).where(views.c.workspace == workspace, views.c.slug == slug)).first()
    if row is None:
        raise NotFound(
            f"there is no feature view {slug!r} in workspace {workspace!r}", field="feature_view", value=slug
        )
    return row


def view_named(conn: Connection, workspace: str, slug: str, name: str) -> Row[Any] | None:
    """Return the view that has a slug or a name, if there is one."""
    taken = or_(views.c.slug == slug, views.c.name == name)
    return conn.execute(select(views).where(views.c.workspace == workspace, taken)).first()


def views_page(
    conn: Connection, workspace: str, *, text: str | None, cursor: str | None, limit: int
) -> list[FeatureView]:
    """Return one view more than the page wants, newest first."""
    query = select(views).where(views.c.workspace == workspace)
    if text:
        query = query.where(or_(*(func.lower(c).contains(text.lower(), autoescape=True) for c in _SEARCHED)))
    if cursor:
        query = query.where(views.c.id < decode_cursor(cursor))
    return [view_of(row) for row in conn.execute(query.order_by(views.c.id.desc()).limit(limit + 1))]


def views_of(conn: Connection, workspace: str | None = None) -> list[Row[Any]]:
    """Return the rows of all views of a workspace (None: of all)."""
    query = select(views) if workspace is None else select(views).where(views.c.workspace == workspace)
    return list(conn.execute(query.order_by(views.c.slug)))


def add_view(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new view."""
    change.execute(insert(views).values(**values))


def put_view(change: Change, id_: str, **values: Any) -> None:
    """Change what people wrote of a view."""
    values = {"changed_at": change.now, "version": views.c.version + 1, **values}
    change.execute(update(views).where(views.c.id == id_).values(**values))


def note_view(change: Change, id_: str, **values: Any) -> None:
    """Note what the platform found out about a view; nobody's change becomes stale by it."""
    change.execute(update(views).where(views.c.id == id_).values(**values))


def drop_view(change: Change, id_: str) -> None:
    """Delete a view with its online values."""
    for table in (online, materialisations):
        change.execute(delete(table).where(table.c.view_id == id_))
    change.execute(delete(views).where(views.c.id == id_))


def set_row(conn: Connection, workspace: str, id_: str) -> Row[Any]:
    """Return the row of a training set, or say that there is none."""
    found = select(training_sets).where(training_sets.c.workspace == workspace, training_sets.c.id == id_)
    row = conn.execute(found).first()
    if row is None:
        raise NotFound(f"there is no training set {id_!r}", field="training_set", value=id_)
    return row


def set_of_version(conn: Connection, workspace: str, dataset: str, number: int) -> TrainingSet | None:
    """Return the training set that is a version of a dataset, if it is one."""
    mine = (training_sets.c.dataset == dataset, training_sets.c.number == number)
    row = conn.execute(select(training_sets).where(training_sets.c.workspace == workspace, *mine)).first()
    return None if row is None else set_of(row)


def set_by_key(conn: Connection, workspace: str, key: str) -> TrainingSet | None:
    """Return the training set that was asked for under a key."""
    found = select(training_sets).where(training_sets.c.workspace == workspace, training_sets.c.key == key)
    row = conn.execute(found).first()
    return None if row is None else set_of(row)


def sets_page(
    conn: Connection, workspace: str, wanted: Mapping[str, str | None], cursor: str | None, limit: int
) -> list[TrainingSet]:
    """Return one training set more than the page wants, newest first."""
    query = select(training_sets).where(training_sets.c.workspace == workspace)
    if wanted.get("view"):
        query = query.where(training_sets.c.views.contains(f" {wanted['view']} ", autoescape=True))
    if wanted.get("dataset"):
        query = query.where(training_sets.c.dataset == wanted["dataset"])
    if cursor:
        query = query.where(training_sets.c.id < decode_cursor(cursor))
    return [set_of(row) for row in conn.execute(query.order_by(training_sets.c.id.desc()).limit(limit + 1))]


def add_set(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new training set."""
    change.execute(insert(training_sets).values(**values))


def put_set(change: Change, id_: str, **values: Any) -> None:
    """Change a training set."""
    change.execute(update(training_sets).where(training_sets.c.id == id_).values(**values))


def words_of(slugs: Sequence[str]) -> str:
    """Write slugs so that one of them can be searched as a word.

    Examples
    --------
    >>> words_of(["a", "b-c"])
    ' a b-c '
    """
    return f" {' '.join(slugs)} "
