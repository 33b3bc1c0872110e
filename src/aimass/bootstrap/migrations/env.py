"""What alembic runs: the connection comes from the caller, the tables from the rooms."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from aimass.infra.database import Instant, metadata


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our own column types as they are imported in a migration."""
    if kind == "type" and isinstance(item, Instant):
        autogen.imports.add("from aimass.infra.database import Instant")
        return "Instant()"
    if kind == "type" and type(item).__name__ == "JSON":
        autogen.imports.add("from aimass.infra.database import Json")
        return "Json"
    return False


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out what alembic does not own: the words of the search and the tables of the workflow engine."""
    del thing, reflected, compare_to
    return not (kind == "table" and (name or "").startswith("search_index")) and name != "ix_search_documents_words"


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render_item,
    include_object=include_object,
    render_as_batch=True,
    user_module_prefix=None,
)
with context.begin_transaction():
    context.run_migrations()
