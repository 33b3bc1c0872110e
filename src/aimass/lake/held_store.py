"""Which versions a training set holds: they are pinned as long as it is there, and no longer."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Column, Connection, Index, String, Table, delete, insert, select

from aimass.infra.database import Change, metadata
from aimass.lake.feature_tables import training_sets
from aimass.lake.store import put_version, versions

held = Table(
    "lake_held_versions",
    metadata,
    Column("training_set", String(26), primary_key=True),
    Column("version_id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Index(None, "version_id"),
    Index(None, "workspace"),
)


def holds(conn: Connection, training_set: str) -> bool:
    """Tell whether a training set holds the versions that it was built from."""
    return conn.execute(select(held.c.version_id).where(held.c.training_set == training_set)).first() is not None


def hold(change: Change, workspace: str, training_set: str, version_ids: Iterable[str]) -> None:
    """Pin versions as long as a training set is there; one that a person pinned stays his affair."""
    for id_ in dict.fromkeys(version_ids):
        is_pinned = bool(change.execute(select(versions.c.pinned).where(versions.c.id == id_)).scalar())
        if is_pinned and not _is_held(change.conn, id_):
            continue
        change.execute(insert(held).values(training_set=training_set, version_id=id_, workspace=workspace))
        if not is_pinned:
            put_version(change, id_, pinned=True)


def let_go(change: Change, training_set_ids: Collection[str]) -> None:
    """Give up what training sets hold; a version that another one holds stays pinned."""
    mine = held.c.training_set.in_(training_set_ids)
    ids = [row.version_id for row in change.execute(select(held.c.version_id).where(mine).distinct())]
    change.execute(delete(held).where(mine))
    for id_ in ids:
        if not _is_held(change.conn, id_):
            put_version(change, id_, pinned=False)


def let_go_of(change: Change, workspace: str, dataset: str, numbers: Collection[int] | None = None) -> None:
    """Give up what the training sets hold that are versions of a dataset (``numbers`` None: all of them)."""
    query = select(training_sets.c.id).where(training_sets.c.workspace == workspace, training_sets.c.dataset == dataset)
    if numbers is not None:
        query = query.where(training_sets.c.number.in_(numbers))
    let_go(change, [row.id for row in change.execute(query)])


def forget(change: Change, dataset_id: str) -> None:
    """Forget that versions of a dataset are held: they go with it."""
    gone = select(versions.c.id).where(versions.c.dataset_id == dataset_id)
    change.execute(delete(held).where(held.c.version_id.in_(gone)))


def _is_held(conn: Connection, version_id: str) -> bool:
    return conn.execute(select(held.c.training_set).where(held.c.version_id == version_id)).first() is not None
