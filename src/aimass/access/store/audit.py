"""Reading the audit log for people, for the sealer and for the verification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, func, insert, or_, select
from sqlalchemy.exc import SQLAlchemyError

from aimass.access.domain.audit import ListAudit
from aimass.access.domain.chain import canonical
from aimass.access.store.tables import audit_chain
from aimass.infra.database import audit_log
from aimass.kernel.principal import ANYWHERE

_BATCH = 2000
_TIME = "%Y-%m-%d %H:%M:%S.%f"
_EXPONENT_FROM = 1e16
_RAW = select(*(cast(column, Text).label(column.name) for column in audit_log.c if column.name != "seq"))
_RAW = _RAW.add_columns(audit_log.c.seq)


def entries(conn: Connection, wanted: ListAudit, before: int | None) -> Sequence[Row[Any]]:
    """Return entries with their hashes, the newest first."""
    log = audit_log.c
    query = select(audit_log, audit_chain.c.hash).outerjoin(audit_chain, audit_chain.c.seq == log.seq)
    if wanted.workspace != ANYWHERE:
        query = query.where(log.workspace == wanted.workspace)
    if wanted.actor is not None:
        query = query.where(or_(log.actor == wanted.actor, log.actor_id == wanted.actor))
    if wanted.action is not None:
        start = wanted.action.removesuffix("*")
        same = log.action == wanted.action
        query = query.where(same if start == wanted.action else log.action.startswith(start, autoescape=True))
    equal = {"object": wanted.object}
    query = query.where(*(log[name] == value for name, value in equal.items() if value is not None))
    if wanted.since is not None:
        query = query.where(log.time >= wanted.since)
    if wanted.until is not None:
        query = query.where(log.time < wanted.until)
    if before is not None:
        query = query.where(log.seq < before)
    return conn.execute(query.order_by(log.seq.desc()).limit(wanted.limit + 1)).all()


def texts(conn: Connection, after: int | None, limit: int) -> list[tuple[int, str]]:
    """Return rows behind a sequence number (None: from the lowest) in canonical text."""
    found = conn.execute(_behind(_RAW, after, limit)).mappings()
    return [(row["seq"], _canonical(row, is_file=_is_file(conn))) for row in found]


def _canonical(row: Any, *, is_file: bool) -> str:
    """Write a row from its stored text, so that it is the same on every engine, each of which writes in its own way.

    A file takes any bytes, so there the text has to be exactly what was written.

    Raises
    ------
    ValueError
        The stored text is not what was ever written.
    """
    time, detail = datetime.fromisoformat(row["time"]), json.loads(row["detail"], parse_float=_number)
    if is_file and (time.strftime(_TIME), json.dumps(json.loads(row["detail"]))) != (row["time"], row["detail"]):
        raise ValueError("the row is not as it was written")
    return canonical({**row, "time": time.strftime(_TIME), "detail": detail})


def _is_file(conn: Connection) -> bool:
    return conn.dialect.name == "sqlite"


def _number(text: str) -> float | int:
    """Read a number; a large whole one is written with an exponent by one engine and with all its digits by another."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) >= _EXPONENT_FROM else value


def all_texts(conn: Connection) -> Iterator[tuple[int, str | None]]:
    """Yield every row of the log in its canonical text; None for a row that cannot be read any more."""
    after = None
    while batch := _batch(conn, after):
        yield from batch
        after = batch[-1][0]


def _behind(query: Any, after: int | None, limit: int) -> Any:
    query = query.order_by(audit_log.c.seq).limit(limit)
    return query if after is None else query.where(audit_log.c.seq > after)


def _batch(conn: Connection, after: int | None) -> list[tuple[int, str | None]]:
    try:
        return [*texts(conn, after, _BATCH)]
    except (SQLAlchemyError, ValueError):
        numbers = conn.execute(_behind(select(audit_log.c.seq), after, _BATCH)).scalars().all()
        return [(seq, _text(conn, seq)) for seq in numbers]


def _text(conn: Connection, seq: int) -> str | None:
    try:
        found = conn.execute(_RAW.where(audit_log.c.seq == seq)).mappings().one()
        return _canonical(found, is_file=_is_file(conn))
    except (SQLAlchemyError, ValueError):
        return None


def all_links(conn: Connection) -> Iterator[tuple[int, str]]:
    """Yield every link of the chain."""
    after = 0
    while batch := sealed(conn, after, _BATCH):
        yield from ((row.seq, row.hash) for row in batch)
        after = batch[-1].seq


def sealed(conn: Connection, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return links of the chain behind a sequence number."""
    query = select(audit_chain).where(audit_chain.c.seq > after).order_by(audit_chain.c.seq)
    return conn.execute(query.limit(limit)).all()


def count_links(conn: Connection) -> int:
    """Count the links of the chain."""
    return conn.execute(select(func.count()).select_from(audit_chain)).scalar_one()


def last_link(conn: Connection) -> Row[Any] | None:
    """Return the newest link of the chain."""
    return conn.execute(select(audit_chain).order_by(audit_chain.c.seq.desc()).limit(1)).first()


def last_number(conn: Connection) -> int:
    """Return the sequence number of the newest row of the log."""
    return conn.execute(select(func.max(audit_log.c.seq))).scalar() or 0


def link_at(conn: Connection, seq: int) -> str | None:
    """Return the hash of the newest link up to a sequence number."""
    query = select(audit_chain.c.hash).where(audit_chain.c.seq <= seq).order_by(audit_chain.c.seq.desc()).limit(1)
    return conn.execute(query).scalar()


def add_links(conn: Connection, found: Sequence[tuple[int, str]]) -> None:
    """Append links to the chain."""
    conn.execute(insert(audit_chain), [{"seq": seq, "hash": hash_} for seq, hash_ in found])
