"""Take what names a person out of texts and documents in a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, String, Table, cast, or_, select, update

from aimass.infra.database.change import Change
from aimass.kernel.erasing import Person


def mentioning(columns: Sequence[Column[Any]], person: Person) -> ColumnElement[bool]:
    """Return the condition that a column may name a person; who reads the row has the last word.

    Documents are searched as text: a letter may stand in them as it is or escaped.
    """
    needles = {form for word in person.words for form in (word, json.dumps(word)[1:-1])}
    needles |= {form for value in person.values for form in (json.dumps(value), json.dumps(value, ensure_ascii=False))}
    texts = [cast(column, String) for column in columns]
    found = [text.contains(needle, autoescape=True) for text in texts for needle in sorted(needles)]
    return or_(*found, *(text.in_(person.values) for text in texts))


def rows_mentioning(
    change: Change, table: Table, columns: Sequence[str], person: Person, *where: ColumnElement[bool]
) -> Iterator[tuple[Row[Any], dict[str, Any]]]:
    """Yield each row in which a column names a person, with these columns as they are without him."""
    query = select(table).where(mentioning([table.c[name] for name in columns], person), *where)
    for row in change.execute(query).all():
        clean = {name: person.scrubbed(getattr(row, name)) for name in columns}
        news = {name: value for name, value in clean.items() if value != getattr(row, name)}
        if news:
            yield row, news


def scrub(
    change: Change, table: Table, columns: Sequence[str], person: Person, *where: ColumnElement[bool]
) -> list[Row[Any]]:
    """Take what names a person out of columns; return the rows as they were.

    Examples
    --------
    >>> from sqlalchemy import Integer, MetaData
    >>> from aimass.infra.database import Database, Json
    >>> from aimass.kernel.principal import SYSTEM
    >>> notes = Table("notes", MetaData(), Column("id", Integer, primary_key=True), Column("body", Json))
    >>> database = Database.memory()
    >>> notes.create(database.engine)
    >>> with database.change(SYSTEM, "*") as change:
    ...     _ = change.execute(notes.insert().values(id=1, body={"of": "ann@example.org"}))
    ...     _ = scrub(change, notes, ["body"], Person(erasure="e", values=("ann@example.org",)))
    ...     change.execute(select(notes.c.body)).scalar_one()
    {'of': '[erased]'}
    """
    found: list[Row[Any]] = []
    for row, news in rows_mentioning(change, table, columns, person, *where):
        key = [column == getattr(row, column.name) for column in table.primary_key]
        change.execute(update(table).where(*key).values(**news))
        found.append(row)
    return found
