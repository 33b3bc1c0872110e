"""Put documents into the index and find them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, literal_column, or_, select, text

from aimass.infra.database import Change, Database, mentioning
from aimass.infra.search.port import Document, Hit
from aimass.infra.search.tables import WORDS, search_documents
from aimass.infra.search.words import words_of
from aimass.kernel.erasing import Person
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal

_MOST_WORDS = 2_000
_SPARE = 5


class Search:
    """One index over everything that has a page.

    Examples
    --------
    >>> search = Search(Database.memory())
    >>> search.put([Document(workspace="demo", key="dataset:telco", kind="dataset", title="Telco 客户流失", text="",
    ...     href="/demo/data/telco", permission="lake.read")])
    >>> [hit.key for hit in search.find(SYSTEM, "流失")], [hit.key for hit in search.find(SYSTEM, "tel")]
    (['dataset:telco'], ['dataset:telco'])
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, documents: Iterable[Document]) -> None:
        """Add documents, or replace those with the same key."""
        for document in documents:
            with self._database.change(SYSTEM, document.workspace) as change:
                self._forget(change, document.workspace, document.key)
                words = " ".join(words_of(f"{document.title} {document.text}")[:_MOST_WORDS])
                values = {
                    name: getattr(document, name)
                    for name in ("workspace", "key", "kind", "title", "href", "permission")
                }
                done = change.execute(insert(search_documents).values(**values, words=words))
                if self._database.is_sqlite and done.inserted_primary_key:
                    row = {"id": done.inserted_primary_key[0], "words": words}
                    change.execute(text("insert into search_index(rowid, words) values (:id, :words)"), row)

    def remove(self, workspace: str, key: str) -> None:
        """Take a document out; a missing one is no error."""
        with self._database.change(SYSTEM, workspace) as change:
            self._forget(change, workspace, key)

    def leave(self, workspace: str) -> int:
        """Take every document of a workspace out; return how many those were."""
        with self._database.change(SYSTEM, workspace) as change:
            mine = search_documents.c.workspace == workspace
            keys = list(change.execute(select(search_documents.c.key).where(mine)).scalars())
            for key in keys:
                self._forget(change, workspace, key)
        return len(keys)

    def mentioning(self, person: Person) -> list[tuple[str, str]]:
        """Return workspace and key of each document that names a person."""
        words = [" ".join(words_of(value)) for value in person.values]
        told = [search_documents.c.words.contains(word, autoescape=True) for word in words if word]
        here = [] if person.workspace == ANYWHERE else [search_documents.c.workspace == person.workspace]
        query = select(search_documents).where(or_(mentioning([search_documents.c.title], person), *told), *here)
        with self._database.read() as conn:
            return [(row.workspace, row.key) for row in conn.execute(query)]

    def rebuild(self) -> None:
        """Make the index of words anew from the documents: after rows came here from another engine."""
        if not self._database.is_sqlite:
            return  # PostgreSQL keeps its own
        with self._database.change(SYSTEM, ANYWHERE) as change:
            change.execute(text("delete from search_index"))
            change.execute(text("insert into search_index(rowid, words) select id, words from search_documents"))

    def _forget(self, change: Change, workspace: str, key: str) -> None:
        where = (search_documents.c.workspace == workspace) & (search_documents.c.key == key)
        found = change.execute(select(search_documents.c.id).where(where)).scalar()
        if found is None:
            return
        if self._database.is_sqlite:
            change.execute(text("delete from search_index where rowid = :id"), {"id": found})
        change.execute(delete(search_documents).where(where))

    def find(self, who: Principal, query: str, *, kind: str | None = None, limit: int = 20) -> list[Hit]:
        """Return the best findings that the principal may see; the last word counts as a beginning."""
        words = words_of(query, for_query=True)
        if not words:
            return []
        wanted = self._ranked(words)
        if kind is not None:
            wanted = wanted.where(search_documents.c.kind == kind)
        with self._database.read() as conn:
            rows = conn.execute(wanted.limit(limit * _SPARE)).all()
        return [_hit(row) for row in rows if who.allows(row.permission, row.workspace)][:limit]

    def _ranked(self, words: list[str]) -> Select[Any]:
        if self._database.is_sqlite:
            match = " ".join(f'"{word}"' for word in words[:-1]) + f' "{words[-1]}"*'
            ranked = text("select rowid, rank from search_index where search_index match :m").bindparams(m=match)
            found = ranked.columns(literal_column("rowid"), literal_column("rank")).subquery("found")
            return (
                select(search_documents)
                .join(found, literal_column("found.rowid") == search_documents.c.id)
                .order_by(literal_column("found.rank"), search_documents.c.id.desc())
            )
        query = func.to_tsquery(text("'simple'"), " & ".join([*words[:-1], f"{words[-1]}:*"]))
        return select(search_documents).where(WORDS.op("@@")(query)).order_by(func.ts_rank(WORDS, query).desc())


def _hit(row: Row[Any]) -> Hit:
    return Hit(key=row.key, kind=row.kind, workspace=row.workspace, title=row.title, href=row.href)
