"""Full-text search: SQLite FTS5 or PostgreSQL tsvector, over words cut by our own tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.search.index import Search
    from aimass.infra.search.port import Document, Hit
    from aimass.infra.search.tables import CREATE_FTS
    from aimass.infra.search.words import words_of

__getattr__, __dir__ = door(
    __name__,
    {
        "CREATE_FTS": "aimass.infra.search.tables",
        "Document": "aimass.infra.search.port",
        "Hit": "aimass.infra.search.port",
        "Search": "aimass.infra.search.index",
        "words_of": "aimass.infra.search.words",
    },
)
__all__ = ["CREATE_FTS", "Document", "Hit", "Search", "words_of"]
