"""Saved queries as documents: ``aimass export`` writes the shared ones and your own, ``aimass apply`` makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lake.saved import ChangeSavedQuery, ListSavedQueries, OneSavedQuery, SavedQuery, SaveQuery
from aimass.lake.service.lake import Lake

KIND = "query"
_FIELDS = ("description", "sql", "parameters", "shared")
_NOTHING: Mapping[str, Any] = {"description": "", "sql": "", "parameters": {}, "shared": False}


class Queries:
    """The kind ``query``: name, text, values of its parameters, and whether the workspace shares it."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every saved query that the principal sees, but the private ones of others."""
        if not who.allows("lake.use", workspace):
            return []
        lake, wish = registry.get(Lake), ListSavedQueries(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: lake.list_saved_queries(who, replace(wish, cursor=cursor)))
        return [_document(saved) for saved in found if saved.shared or saved.owner == who.id]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Save or change a query until it is as the document says; return what was done and which fields differ."""
        _check(document)
        lake, slug = registry.get(Lake), document.get("slug") or slug_of(document["name"])
        try:
            known = lake.get_saved_query(who, OneSavedQuery(workspace=workspace, saved_query=slug))
        except NotFound:
            known = None
        present = _document(known) if known else _NOTHING
        wanted = {name: document[name] for name in _FIELDS if name in document and document[name] != present[name]}
        if not dry_run and known is None:
            lake.save_query(who, SaveQuery(workspace=workspace, name=document["name"], slug=slug, **wanted))
        elif not dry_run and wanted:
            lake.change_saved_query(who, ChangeSavedQuery(workspace=workspace, saved_query=slug, **wanted))
        return ("create" if known is None else "change" if wanted else "none"), sorted(wanted)


QUERY = Queries()


def _document(saved: SavedQuery) -> dict[str, Any]:
    slug = {} if saved.slug == slug_of(saved.name) else {"slug": saved.slug}
    return {"kind": KIND, "name": saved.name, **slug, **{name: getattr(saved, name) for name in _FIELDS}}


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that a saved query does not have, and one without a text."""
    allowed = ["name", "slug", *_FIELDS]
    unknown = sorted(set(document) - {"kind", *allowed})
    if unknown:
        raise Invalid(f"a saved query has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=allowed)
    if not document.get("sql"):
        raise Invalid("a saved query needs its text", field="sql", value=document.get("sql"))
