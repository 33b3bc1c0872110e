"""Queries on online values and their renewals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aimass.infra.database import Change
from aimass.kernel.pages import decode_cursor
from aimass.lake.feature_tables import materialisations, online, views
from aimass.lake.features import SourceVersion
from aimass.lake.online import Materialisation

_FIELDS = tuple(name for name in Materialisation.__dataclass_fields__ if name != "sources")
_KEYS = ("view_id", "generation", "entity")
_NEWS = ("event_us", "created_us", "content")
_PART = 5_000


def materialisation_of(row: Row[Any]) -> Materialisation:
    """Read a renewal."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Materialisation(**values, sources=[SourceVersion(**source) for source in row.sources])


def materialisation_row(conn: Connection, id_: str) -> Row[Any] | None:
    """Return the row of a renewal; None when its view was deleted."""
    return conn.execute(select(materialisations).where(materialisations.c.id == id_)).first()


def running(conn: Connection) -> list[Row[Any]]:
    """Return the renewals whose values are computed and have to be stored, oldest first."""
    open_ = (materialisations.c.state == "RUNNING", materialisations.c.position >= 0)
    return list(conn.execute(select(materialisations).where(*open_).order_by(materialisations.c.id)))


def unfinished(conn: Connection, view_id: str) -> list[Row[Any]]:
    """Return the renewals of a view that have not come to their end."""
    open_ = (materialisations.c.state == "RUNNING", materialisations.c.view_id == view_id)
    return list(conn.execute(select(materialisations).where(*open_)))


def materialisations_page(conn: Connection, view_id: str, cursor: str | None, limit: int) -> list[Materialisation]:
    """Return one renewal more than the page wants, newest first."""
    query = select(materialisations).where(materialisations.c.view_id == view_id)
    if cursor:
        query = query.where(materialisations.c.id < decode_cursor(cursor))
    rows = conn.execute(query.order_by(materialisations.c.id.desc()).limit(limit + 1))
    return [materialisation_of(row) for row in rows]


def next_generation(conn: Connection, view_id: str) -> int:
    """Return a number under which no values of a view were ever kept."""
    highest = func.max(materialisations.c.generation)
    begun = conn.execute(select(highest).where(materialisations.c.view_id == view_id)).scalar()
    shown = conn.execute(select(views.c.generation).where(views.c.id == view_id)).scalar()
    return max(begun or 0, shown or 0) + 1


def add_materialisation(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new renewal."""
    change.execute(insert(materialisations).values(**values))


def put_materialisation(change: Change, id_: str, **values: Any) -> None:
    """Change a renewal."""
    change.execute(update(materialisations).where(materialisations.c.id == id_).values(**values))


def drop_old_materialisations(change: Change, view_id: str, keep: int) -> None:
    """Forget all but the newest renewals of a view."""
    mine = materialisations.c.view_id == view_id
    last = select(materialisations.c.id).where(mine).order_by(materialisations.c.id.desc()).offset(keep).limit(1)
    oldest = change.execute(last).scalar()
    if oldest is not None:
        change.execute(delete(materialisations).where(mine, materialisations.c.id <= oldest))


def put_values(change: Change, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store values; those that are known to be newer stay, so that the same rows again change nothing."""
    make = sqlite.insert if change.conn.dialect.name == "sqlite" else postgresql.insert
    wish = make(online)
    new, old = wish.excluded, online.c
    is_newer = or_(new.event_us > old.event_us, and_(new.event_us == old.event_us, new.created_us >= old.created_us))
    news = {name: new[name] for name in _NEWS}
    if rows:
        change.execute(wish.on_conflict_do_update(index_elements=_KEYS, set_=news, where=is_newer), list(rows))


def count_values(conn: Connection, view_id: str, generation: int) -> int:
    """Count the entities of a view."""
    mine = (online.c.view_id == view_id, online.c.generation == generation)
    return conn.execute(select(func.count()).select_from(online).where(*mine)).scalar_one()


def find_values(conn: Connection, view_id: str, generation: int, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return moment and content of entities, by key."""
    wanted = select(online.c.entity, online.c.event_us, online.c.content).where(
        online.c.view_id == view_id, online.c.generation == generation, online.c.entity.in_(keys)
    )
    return {row.entity: (row.event_us, row.content) for row in conn.execute(wanted)}


def values_of(conn: Connection, view_id: str, generation: int) -> Iterator[Row[Any]]:
    """Yield every entity of a view, in parts."""
    after = ""
    while True:
        query = select(online).where(
            online.c.view_id == view_id, online.c.generation == generation, online.c.entity > after
        )
        rows = conn.execute(query.order_by(online.c.entity).limit(_PART)).all()
        yield from rows
        if len(rows) < _PART:
            return
        after = rows[-1].entity


def drop_values(change: Change, view_id: str, keys: Sequence[str]) -> None:
    """Remove entities of a view, from every generation."""
    change.execute(delete(online).where(online.c.view_id == view_id, online.c.entity.in_(keys)))


def drop_generations(change: Change, view_id: str, keep: int) -> int:
    """Remove some of the values that no look-up reads any more; return how many those were."""
    mine = (online.c.view_id == view_id, online.c.generation < keep)
    some = change.execute(select(online.c.generation, online.c.entity).where(*mine).limit(_PART)).all()
    for generation in {row.generation for row in some}:
        keys = [row.entity for row in some if row.generation == generation]
        for begin in range(0, len(keys), 500):
            gone = online.c.entity.in_(keys[begin : begin + 500])
            change.execute(delete(online).where(online.c.view_id == view_id, online.c.generation == generation, gone))
    return len(some)


def generations_of(conn: Connection, view_id: str) -> list[int]:
    """Return the generations of which there are values."""
    found = select(online.c.generation).where(online.c.view_id == view_id).distinct()
    return sorted(conn.execute(found).scalars())


def followers(conn: Connection, workspace: str) -> list[Row[Any]]:
    """Return the views whose online values are renewed with their source."""
    return list(conn.execute(select(views).where(views.c.workspace == workspace, views.c.follows.is_(True))))


def skewed(conn: Connection) -> list[Row[Any]]:
    """Return the views whose online values differ too much."""
    return list(conn.execute(select(views).where(views.c.is_skewed.is_(True))))
