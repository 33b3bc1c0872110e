"""Series in the database: increments are added to their bucket of time, old buckets become coarser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update

from aimass.infra.database import Change
from aimass.monitoring.domain.series import FINEST_S, Sample, floor_to, labels_key
from aimass.monitoring.store.tables import series, series_names

_PART = 300
Place = tuple[int, int]


def _hash(labels: Mapping[str, str]) -> str:
    return sha256(labels_key(labels).encode()).hexdigest()


def id_of(change: Change, name: str, labels: Mapping[str, str]) -> int:
    """Return the number of a series, which is made when it is new."""
    digest = _hash(labels)
    where = (series_names.c.name == name, series_names.c.labels_hash == digest)
    known = change.execute(select(series_names.c.id).where(*where)).scalar()
    if known is not None:
        return int(known)
    values = {"name": name, "labels_hash": digest, "labels": dict(labels), "workspace": labels.get("workspace", "")}
    made = change.execute(insert(series_names).values(**values))
    return int(made.inserted_primary_key[0])  # pyright: ignore[reportOptionalSubscript]


def add(change: Change, step_s: int, samples: Mapping[Place, Sample]) -> None:
    """Add samples to buckets, each by series and start of the bucket."""
    places = sorted(samples)
    column = tuple_(series.c.series, series.c.start_s)
    known: dict[Place, Sample] = {}
    for start in range(0, len(places), _PART):
        part = places[start : start + _PART]
        for row in change.execute(select(series).where(series.c.step_s == step_s, column.in_(part))):
            known[row.series, row.start_s] = _sample(row)
    new = [
        {"series": s, "step_s": step_s, "start_s": t, **_values(samples[s, t])}
        for s, t in places
        if (s, t) not in known
    ]
    if new:
        change.execute(insert(series), new)
    for place, before in known.items():
        where = (series.c.series == place[0], series.c.step_s == step_s, series.c.start_s == place[1])
        change.execute(update(series).where(*where).values(**_values(before + samples[place])))


def _sample(row: Row[Any]) -> Sample:
    return Sample(count=row.observed, sum=row.sum, buckets=row.buckets)


def _values(sample: Sample) -> dict[str, Any]:
    return {"observed": sample.count, "sum": sample.sum, "buckets": dict(sample.buckets)}


def coarsen(change: Change, step_s: int, into_s: int, before_s: int, limit: int = 5000) -> int:
    """Put old buckets of one length into longer ones; return how many were taken."""
    query = (
        select(series)
        .where(series.c.step_s == step_s, series.c.start_s < before_s)
        .order_by(series.c.start_s)
        .limit(limit)
    )
    rows = change.execute(query).all()
    sums: dict[Place, Sample] = {}
    for row in rows:
        place = (row.series, floor_to(row.start_s, into_s))
        sums[place] = sums.get(place, Sample()) + _sample(row)
    if not rows:
        return 0
    add(change, into_s, sums)
    column = tuple_(series.c.series, series.c.start_s)
    taken = [(row.series, row.start_s) for row in rows]
    for start in range(0, len(taken), _PART):
        change.execute(delete(series).where(series.c.step_s == step_s, column.in_(taken[start : start + _PART])))
    return len(rows)


def forget(change: Change, before_s: int) -> int:
    """Delete buckets that are too old, and the names that have none left."""
    gone = change.execute(delete(series).where(series.c.start_s < before_s)).rowcount
    if gone:
        used = select(series.c.series).distinct()
        change.execute(delete(series_names).where(series_names.c.id.not_in(used)))
    return gone


def names(conn: Connection, workspace: str, name: str, labels: Mapping[str, str]) -> dict[int, Mapping[str, str]]:
    """Return the series of a workspace with a name and labels, by number."""
    query = select(series_names.c.id, series_names.c.labels).where(
        series_names.c.workspace == workspace, series_names.c.name == name
    )
    return {
        row.id: row.labels
        for row in conn.execute(query)
        if all(row.labels.get(key) == value for key, value in labels.items())
    }


def all_names(conn: Connection, workspace: str) -> dict[str, list[Mapping[str, str]]]:
    """Return the labels of every series of a workspace, by name."""
    query = select(series_names.c.name, series_names.c.labels).where(series_names.c.workspace == workspace)
    found: dict[str, list[Mapping[str, str]]] = {}
    for row in conn.execute(query.order_by(series_names.c.id)):
        found.setdefault(row.name, []).append(row.labels)
    return found


def read(conn: Connection, ids: Iterable[int], since_s: int, until_s: int) -> Iterable[tuple[int, int, Sample]]:
    """Yield series, start of the bucket and sample, of every resolution."""
    wanted: Sequence[int] = sorted(ids)
    for start in range(0, len(wanted), _PART):
        where = (
            series.c.series.in_(wanted[start : start + _PART]),
            series.c.start_s >= since_s,
            series.c.start_s < until_s,
        )
        for row in conn.execute(select(series).where(*where)):
            yield row.series, row.start_s, _sample(row)


def is_empty(conn: Connection, name: str, workspace: str) -> bool:
    """Tell whether nothing was ever counted under a name."""
    return (
        conn.execute(
            select(series_names.c.id).where(series_names.c.name == name, series_names.c.workspace == workspace)
        ).first()
        is None
    )


def finest(moment_s: float) -> int:
    """Return the start of the finest bucket."""
    return floor_to(moment_s, FINEST_S)
