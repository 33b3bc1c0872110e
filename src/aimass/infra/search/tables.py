"""The documents; their words are indexed by FTS5 on SQLite and by a GIN index on PostgreSQL."""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint, event, func, text

from aimass.infra.database import OUTLIVES, metadata

search_documents = Table(
    "search_documents",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("workspace", String(63), nullable=False),
    Column("key", String(300), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("title", String(300), nullable=False),
    Column("words", Text, nullable=False),
    Column("href", String(600), nullable=False),
    Column("permission", String(80), nullable=False),
    UniqueConstraint("workspace", "key"),
    info={OUTLIVES: True},  # Search.leave takes the words with the rows
)
WORDS = func.to_tsvector(text("'simple'"), search_documents.c.words)
_gin = Index("ix_search_documents_words", WORDS, postgresql_using="gin")
_gin.ddl_if(dialect="postgresql")

CREATE_FTS = (
    "create virtual table if not exists search_index using fts5(words, tokenize='unicode61 remove_diacritics 2')"
)
event.listen(search_documents, "after_create", DDL(CREATE_FTS).execute_if(dialect="sqlite"))
