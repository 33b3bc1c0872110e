"""Tables of the room lake and the queries on them."""

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
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor, decode_number
from aimass.lake.commands import ListDatasets
from aimass.lake.domain import Dataset, DatasetVersion, Field

ERASURE = "erasure:"  # what the origin of a version begins with that an erasure made

datasets = Table(
    "lake_datasets",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("description", Text, nullable=False),
    Column("keys", Json, nullable=False),
    Column("rules", Json, nullable=True),
    Column("classification", Json, nullable=False),
    Column("is_classified", Boolean, nullable=False),
    Column("latest", Integer, nullable=True),
    Column("rows", BigInteger, nullable=True),
    Column("bytes", BigInteger, nullable=True),
    Column("columns", Integer, nullable=True),
    Column("score", Float, nullable=True),
    Column("passed", Boolean, nullable=True),
    Column("retain_days", Integer, nullable=True),
    Column("layer", String(10), nullable=True),
    Column("parent_id", String(26), nullable=True),
    Column("parent_number", Integer, nullable=True),
    Column("base", Integer, nullable=True),
    Column("is_even", Boolean, nullable=True),
    Column("tended", Integer, nullable=True),
    Column("ordered_by", Json, nullable=False, server_default="[]"),
    Column("ordered_share", Float, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "slug"),
    UniqueConstraint("workspace", "name"),
)

versions = Table(
    "lake_versions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("dataset_id", String(26), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("delta_version", Integer, nullable=False),
    Column("schema_hash", String(64), nullable=False),
    Column("columns", Json, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("score", Float, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("tag", String(63), nullable=True),
    Column("pinned", Boolean, nullable=False),
    Column("origin", String(300), nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("collected_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("dataset_id", "number"),
    UniqueConstraint("dataset_id", "delta_version"),
    UniqueConstraint("dataset_id", "tag"),
    Index(None, "workspace", "dataset"),
)

reports = Table(
    "lake_reports",
    metadata,
    Column("version_id", String(26), primary_key=True, info={"of": "lake_versions.id"}),
    Column("profile", Json, nullable=False),
    Column("quality", Json, nullable=False),
)

_DATASET_FIELDS = tuple(name for name in Dataset.__dataclass_fields__ if name not in ("personal", "parent"))
_VERSION_FIELDS = tuple(DatasetVersion.__dataclass_fields__)


def dataset_of(row: Row[Any]) -> Dataset:
    """Read a dataset."""
    personal = [finding["column"] for finding in row.classification if finding["private"]]
    parent = row.slug.partition("@")[0] if row.parent_id else None
    return Dataset(personal=personal, parent=parent, **{name: getattr(row, name) for name in _DATASET_FIELDS})


def _datasets() -> Select[Any]:
    """Select datasets, each with when its newest version was made and what was put aside on the way to it."""
    newest = (versions.c.dataset_id == datasets.c.id) & (versions.c.number == datasets.c.latest)
    facts = (versions.c.created_at.label("latest_at"), versions.c.quarantined.label("quarantined"))
    return select(datasets, *facts).outerjoin_from(datasets, versions, newest)


def version_of(row: Row[Any]) -> DatasetVersion:
    """Read a version."""
    values = {name: getattr(row, name) for name in _VERSION_FIELDS}
    values["columns"] = [Field.read(column) for column in values["columns"]]
    return DatasetVersion(**values)


def dataset_row(conn: Connection, workspace: str, slug: str, *, deleted: bool = False) -> Row[Any]:
    """Return the row of a dataset, or say that there is none."""
    row = conn.execute(_datasets().where(datasets.c.workspace == workspace, datasets.c.slug == slug)).first()
    if row is None or (row.deleted_at is not None) is not deleted:
        state = "deleted " if deleted else ""
        raise NotFound(f"there is no {state}dataset {slug!r} in workspace {workspace!r}", field="dataset", value=slug)
    return row


def any_dataset_row(conn: Connection, workspace: str, slug: str) -> Row[Any] | None:
    """Return the row of a dataset, deleted or not."""
    return conn.execute(_datasets().where(datasets.c.workspace == workspace, datasets.c.slug == slug)).first()


def datasets_page(conn: Connection, wish: ListDatasets) -> list[Dataset]:
    """Return one dataset more than the page wants, newest first; branches only when they are asked for, or deleted."""
    query = _datasets().where(datasets.c.workspace == wish.workspace)
    query = query.where(datasets.c.deleted_at.is_not(None) if wish.deleted else datasets.c.deleted_at.is_(None))
    if not (wish.branches or wish.deleted):
        query = query.where(datasets.c.parent_id.is_(None))
    if wish.layer:
        query = query.where(datasets.c.layer == wish.layer)
    if wish.text:
        found = (func.lower(c).contains(wish.text.lower(), autoescape=True) for c in _SEARCHED)
        query = query.where(or_(*found))
    if wish.cursor:
        query = query.where(datasets.c.id < decode_cursor(wish.cursor))
    return [dataset_of(row) for row in conn.execute(query.order_by(datasets.c.id.desc()).limit(wish.limit + 1))]


_SEARCHED = (datasets.c.name, datasets.c.slug, datasets.c.description)


def datasets_of(conn: Connection, workspace: str | None = None, *, deleted: bool = False) -> list[Row[Any]]:
    """Return the rows of all datasets of a workspace (None: of all)."""
    query = _datasets()
    if workspace is not None:
        query = query.where(datasets.c.workspace == workspace)
    if not deleted:
        query = query.where(datasets.c.deleted_at.is_(None))
    return list(conn.execute(query.order_by(datasets.c.slug)))


def branches_of(conn: Connection, dataset_id: str, *, deleted: bool = False) -> list[Row[Any]]:
    """Return the rows of the branches of a dataset, by name: those that are there, or the deleted ones."""
    is_deleted = datasets.c.deleted_at.is_not(None) if deleted else datasets.c.deleted_at.is_(None)
    query = _datasets().where(datasets.c.parent_id == dataset_id, is_deleted)
    return list(conn.execute(query.order_by(datasets.c.slug)))


def add_dataset(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new dataset."""
    change.execute(insert(datasets).values(**values))


def put_dataset(change: Change, id_: str, **values: Any) -> None:
    """Change a dataset."""
    values = {"changed_at": change.now, "version": datasets.c.version + 1, **values}
    change.execute(update(datasets).where(datasets.c.id == id_).values(**values))


def drop_dataset(change: Change, id_: str) -> None:
    """Forget a dataset with its versions and reports."""
    mine = select(versions.c.id).where(versions.c.dataset_id == id_)
    change.execute(delete(reports).where(reports.c.version_id.in_(mine)))
    change.execute(delete(versions).where(versions.c.dataset_id == id_))
    change.execute(delete(datasets).where(datasets.c.id == id_))


def version_row(conn: Connection, dataset_id: str, number: int) -> Row[Any]:
    """Return the row of a version, or say that there is none."""
    query = select(versions).where(versions.c.dataset_id == dataset_id, versions.c.number == number)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound(f"there is no version {number}", field="number", value=number, hint="list the versions")
    return row


def origin_behind_erasures(conn: Connection, dataset_id: str) -> str | None:
    """Return who made the newest rows of a dataset: an erasure takes rows out of them, and makes none."""
    query = select(versions.c.origin).where(
        versions.c.dataset_id == dataset_id, versions.c.origin.not_like(f"{ERASURE}%")
    )
    return conn.execute(query.order_by(versions.c.number.desc()).limit(1)).scalar()


def place_of_version(conn: Connection, workspace: str, version_id: str) -> Row[Any, Any] | None:
    """Return the dataset that a version belongs to, and its number."""
    query = select(versions.c.dataset, versions.c.number)
    return conn.execute(query.where(versions.c.workspace == workspace, versions.c.id == version_id)).first()


def version_of_delta(conn: Connection, dataset_id: str, delta_version: int) -> DatasetVersion | None:
    """Return the version that holds a Delta version."""
    query = select(versions).where(versions.c.dataset_id == dataset_id, versions.c.delta_version == delta_version)
    row = conn.execute(query).first()
    return None if row is None else version_of(row)


def version_by_tag(conn: Connection, dataset_id: str, tag: str) -> Row[Any] | None:
    """Return the row of the version with a tag."""
    return conn.execute(select(versions).where(versions.c.dataset_id == dataset_id, versions.c.tag == tag)).first()


def version_at(conn: Connection, dataset_id: str, moment: datetime) -> Row[Any] | None:
    """Return the row of the version that was the newest at a moment."""
    query = select(versions).where(versions.c.dataset_id == dataset_id, versions.c.created_at <= moment)
    return conn.execute(query.order_by(versions.c.created_at.desc(), versions.c.number.desc()).limit(1)).first()


def versions_page(conn: Connection, dataset_id: str, cursor: str | None, limit: int) -> list[DatasetVersion]:
    """Return one version more than the page wants, newest first."""
    query = select(versions).where(versions.c.dataset_id == dataset_id)
    if cursor:
        query = query.where(versions.c.number < decode_number(cursor))
    return [version_of(row) for row in conn.execute(query.order_by(versions.c.number.desc()).limit(limit + 1))]


def kept_versions(conn: Connection, dataset_id: str) -> Sequence[Row[Any]]:
    """Return the rows of all versions whose files are kept."""
    query = select(versions).where(versions.c.dataset_id == dataset_id, versions.c.collected_at.is_(None))
    return conn.execute(query.order_by(versions.c.number)).all()


def next_number(conn: Connection, dataset_id: str) -> int:
    """Return the number of the next version."""
    highest = conn.execute(select(func.max(versions.c.number)).where(versions.c.dataset_id == dataset_id)).scalar()
    return (highest or 0) + 1


def add_version(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new version."""
    change.execute(insert(versions).values(**values))


def put_version(change: Change, id_: str, **values: Any) -> None:
    """Change a version."""
    change.execute(update(versions).where(versions.c.id == id_).values(version=versions.c.version + 1, **values))


def note_tended(change: Change, id_: str, delta_version: int) -> None:
    """Note up to which commit a table is tended; that is no change of the dataset."""
    change.execute(update(datasets).where(datasets.c.id == id_).values(tended=delta_version))


def note_order(change: Change, id_: str, share: float) -> None:
    """Note how well the rows of a table lie since its last ordering; that is no change of the dataset."""
    change.execute(update(datasets).where(datasets.c.id == id_).values(ordered_share=share))


def mark_collected(change: Change, ids: Sequence[str], now: datetime) -> None:
    """Note that the files of versions may go."""
    change.execute(update(versions).where(versions.c.id.in_(ids)).values(collected_at=now))


def put_report(change: Change, version_id: str, *, profile: Any, quality: Any) -> None:
    """Write what is told about a version."""
    change.execute(delete(reports).where(reports.c.version_id == version_id))
    change.execute(insert(reports).values(version_id=version_id, profile=profile, quality=quality))


def keep_profile(change: Change, version_id: str, profile: Any) -> Any:
    """Keep the profile of a version that has none yet, and return what is told of it now.

    What was made or forgotten meanwhile stays: a person who was erased does not come back with a profile begun before.
    """
    known = report_of(change.conn, version_id).profile
    if known["columns"] is not None:
        return known
    change.execute(update(reports).where(reports.c.version_id == version_id).values(profile=profile))
    return profile


def scrub_reports(change: Change, version_ids: Sequence[str]) -> None:
    """Forget what was told about the values of versions; counts of rows stay with the versions."""
    nothing = {"rows": 0, "columns": []}
    empty = {"score": 0.0, "passed": False, "rows": 0, "rules": []}
    change.execute(update(reports).where(reports.c.version_id.in_(version_ids)).values(profile=nothing, quality=empty))


def put_quality(change: Change, version_id: str, quality: Any) -> None:
    """Write a new quality report of a version."""
    change.execute(update(reports).where(reports.c.version_id == version_id).values(quality=quality))


def report_of(conn: Connection, version_id: str) -> Row[Any]:
    """Return profile and quality report of a version."""
    row = conn.execute(select(reports).where(reports.c.version_id == version_id)).first()
    if row is None:
        raise NotFound("nothing is told about this version", value=version_id)
    return row
