"""Feedback: the newest label of each request, and the log of all that was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from aimass.infra.database import Change, mentioning
from aimass.kernel.erasing import Person
from aimass.kernel.pages import decode_number
from aimass.monitoring.domain.records import Feedback, FeedbackMark, Label, ListFeedback, Said
from aimass.monitoring.store.tables import endpoints, feedback, said

_PART = 400
MASK = "***"
Key = tuple[str, int]
Told = tuple[str, str | None]


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (keys[start : start + _PART] for start in range(0, len(keys), _PART))


def _of(workspace: str, endpoint: str) -> tuple[Any, Any]:
    return feedback.c.workspace == workspace, feedback.c.endpoint == endpoint


def told_of(conn: Connection, workspace: str, endpoint: str, keys: Sequence[Key]) -> dict[Key, Told]:
    """Return what is told of requests: the present label, and the key that came with it."""
    found: dict[Key, Told] = {}
    columns = select(feedback.c.request_id, feedback.c.row, feedback.c.label, feedback.c.key)
    columns = columns.where(*_of(workspace, endpoint))
    for part in _parts(sorted({key[0] for key in keys})):
        for row in conn.execute(columns.where(feedback.c.request_id.in_(part))):
            found[row.request_id, row.row] = (row.label, row.key)
    return found


def write(change: Change, endpoint: str, labels: Sequence[Label], known: Mapping[Key, Told]) -> None:
    """Write labels, and append them to the log; ``known`` has what they replace. A key that was told once stays."""
    common = {"workspace": change.workspace, "endpoint": endpoint, "at": change.now, "by": change.who.name}
    highest = (func.max(said.c.seq), select(func.max(endpoints.c.pushed_seq)).scalar_subquery())
    start = max(number or 0 for number in change.execute(select(*highest)).one())
    rows = [
        {**common, "seq": start + place, "request_id": label.request_id, "row": label.row, "label": label.text}
        | {"key": label.key or known.get((label.request_id, label.row), ("", None))[1]}
        for place, label in enumerate(labels, start=1)
    ]
    change.execute(insert(said), rows)
    new = [{**row, "is_known": False} for row in rows if (row["request_id"], row["row"]) not in known]
    if new:
        change.execute(insert(feedback), new)
    for row in rows:
        if (row["request_id"], row["row"]) in known:
            where = (
                *_of(change.workspace, endpoint),
                feedback.c.request_id == row["request_id"],
                feedback.c.row == row["row"],
            )
            values = {name: row[name] for name in ("label", "key", "seq", "at", "by")}
            change.execute(update(feedback).where(*where).values(**values))


def unpushed(conn: Connection, workspace: str, endpoint: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return what was said after a number, oldest first."""
    where = (said.c.workspace == workspace, said.c.endpoint == endpoint, said.c.seq > after)
    return conn.execute(select(said).where(*where).order_by(said.c.seq).limit(limit)).all()


def newest_seq(conn: Connection) -> dict[tuple[str, str], int]:
    """Return the number of the newest feedback of each endpoint."""
    query = select(said.c.workspace, said.c.endpoint, func.max(said.c.seq).label("seq"))
    return {
        (row.workspace, row.endpoint): row.seq
        for row in conn.execute(query.group_by(said.c.workspace, said.c.endpoint))
    }


def pending(conn: Connection, workspace: str, endpoint: str, limit: int) -> list[list[Any]]:
    """Return requests whose record has not been seen yet, newest feedback first."""
    query = select(feedback.c.request_id, feedback.c.row).where(*_of(workspace, endpoint), ~feedback.c.is_known)
    return [[row.request_id, row.row] for row in conn.execute(query.order_by(feedback.c.seq.desc()).limit(limit))]


def mark_of(conn: Connection, workspace: str, endpoint: str) -> FeedbackMark:
    """Return how far the feedback of an endpoint is."""
    open_ = select(func.min(feedback.c.at)).where(*_of(workspace, endpoint), ~feedback.c.is_known)
    newest = select(func.max(feedback.c.at)).where(*_of(workspace, endpoint))
    return FeedbackMark(
        known=counts(conn, workspace, endpoint)[1],
        newest=conn.execute(newest).scalar(),
        oldest_open=conn.execute(open_).scalar(),
    )


def mark_known(change: Change, endpoint: str, keys: Sequence[Sequence[Any]]) -> None:
    """Note that the records of requests have arrived."""
    column = tuple_(feedback.c.request_id, feedback.c.row)
    for part in _parts([tuple(key) for key in keys]):
        where = (*_of(change.workspace, endpoint), column.in_(part))
        change.execute(update(feedback).where(*where).values(is_known=True))


def counts(conn: Connection, workspace: str, endpoint: str) -> tuple[int, int]:
    """Return how many labels there are, and how many of them have a record."""
    query = select(feedback.c.is_known, func.count()).where(*_of(workspace, endpoint)).group_by(feedback.c.is_known)
    found = {bool(row[0]): int(row[1]) for row in conn.execute(query)}
    return sum(found.values()), found.get(True, 0)


def matching(conn: Connection, command: ListFeedback, *, masked: bool = False) -> list[Feedback]:
    """Return one label more than the page wants, newest first."""
    query = select(feedback).where(*_of(command.workspace, command.endpoint))
    if command.request_id is not None:
        query = query.where(feedback.c.request_id == command.request_id)
    if command.known is not None:
        query = query.where(feedback.c.is_known == command.known)
    if command.cursor:
        query = query.where(feedback.c.seq < decode_number(command.cursor))
    rows = conn.execute(query.order_by(feedback.c.seq.desc()).limit(command.limit + 1)).all()
    before = _before(conn, command, rows) if command.request_id is not None else {}
    return [
        Feedback(
            request_id=r.request_id,
            row=r.row,
            label=r.label,
            key=MASK if masked and r.key is not None else r.key,
            is_known=r.is_known,
            at=r.at,
            by=r.by,
            before=before.get((r.request_id, r.row), []),
        )
        for r in rows
    ]


def seq_of(conn: Connection, command: ListFeedback, item: Feedback) -> str:
    """Return the number of a label, which continues a list."""
    where = (
        *_of(command.workspace, command.endpoint),
        feedback.c.request_id == item.request_id,
        feedback.c.row == item.row,
    )
    return str(conn.execute(select(feedback.c.seq).where(*where)).scalar_one())


def _before(conn: Connection, command: ListFeedback, rows: Sequence[Row[Any]]) -> dict[Key, list[Said]]:
    newest = {row.seq for row in rows}
    where = (
        said.c.workspace == command.workspace,
        said.c.endpoint == command.endpoint,
        said.c.request_id == command.request_id,
    )
    found: dict[Key, list[Said]] = {}
    for row in conn.execute(select(said).where(*where).order_by(said.c.seq)):
        if row.seq not in newest:
            found.setdefault((row.request_id, row.row), []).append(Said(label=row.label, at=row.at, by=row.by))
    return found


def labels_for(conn: Connection, workspace: str, endpoint: str, ids: Sequence[str]) -> dict[Key, str]:
    """Return the labels of requests on a page."""
    told = told_of(conn, workspace, endpoint, [(id_, 0) for id_ in ids])
    return {key: label for key, (label, _) in told.items()}


def forget(change: Change, endpoint: str, *, before: datetime) -> int:
    """Delete feedback by age; return how many labels that were."""
    gone = 0
    for table in (feedback, said):
        where = (table.c.workspace == change.workspace, table.c.endpoint == endpoint, table.c.at < before)
        done = change.execute(delete(table).where(*where)).rowcount
        gone += done if table is feedback else 0
    return gone


def of_person(conn: Connection, workspace: str, endpoint: str, person: Person) -> list[list[Any]]:
    """Return request id and row of the feedback that is about a person: by the key that came with it, or by the id."""
    found: set[tuple[str, int]] = set()
    for table in (feedback, said):
        query = select(table).where(table.c.workspace == workspace, table.c.endpoint == endpoint)
        query = query.where(mentioning([table.c.key, table.c.request_id], person))
        for row in conn.execute(query):
            if row.key in person.values or row.request_id in person.values or person.is_in(row.request_id):
                found.add((row.request_id, row.row))
    return [list(pair) for pair in sorted(found)]


def forget_rows(change: Change, endpoint: str, rows: Sequence[Sequence[Any]]) -> int:
    """Delete feedback by request id and row, with all that was said before; return how many labels that were."""
    gone = 0
    for table in (feedback, said):
        column = tuple_(table.c.request_id, table.c.row)
        where = (table.c.workspace == change.workspace, table.c.endpoint == endpoint)
        for part in _parts(sorted({tuple(row) for row in rows})):
            done = change.execute(delete(table).where(*where, column.in_(part))).rowcount
            gone += done if table is feedback else 0
    return gone
