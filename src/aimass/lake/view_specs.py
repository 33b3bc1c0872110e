"""Views as documents: ``aimass export`` writes them, ``aimass apply`` makes it so; whoever applies a text owns the view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lake.service.lake import Lake
from aimass.lake.views import EVERY_S, ChangeView, CreateView, ListViews, OneView, View, upstream

KIND = "view"
_FIELDS = ("description", "sql", "parameters", "layer", "refresh", "every_s")
_NOTHING: Mapping[str, Any] = {
    "description": "",
    "sql": "",
    "parameters": {},
    "layer": "gold",
    "refresh": "manual",
    "every_s": EVERY_S,
}


class Views:
    """The kind ``view``: name, text, values, layer, the dataset it makes, and when it is refreshed."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every view that the principal may read, each after those that it reads."""
        if not who.allows("lake.read", workspace):
            return []
        lake, wish = registry.get(Lake), ListViews(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: lake.list_views(who, replace(wish, cursor=cursor)))
        made_of = {view.dataset: view.reads for view in found}
        return [_document(view) for view in sorted(found, key=lambda view: len(upstream(view.dataset, made_of)))]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Make or change a view until it is as the document says; return what was done and which fields differ."""
        _check(document)
        lake, slug = registry.get(Lake), document.get("slug") or slug_of(document["name"])
        try:
            known = lake.get_view(who, OneView(workspace=workspace, view=slug))
        except NotFound:
            known = None
        present = _document(known) if known else _NOTHING
        wanted = {name: document[name] for name in _FIELDS if name in document and document[name] != present[name]}
        if known and document.get("dataset", known.dataset) != known.dataset:
            raise Invalid(
                f"view {slug!r} makes another dataset",
                field="dataset",
                value=document["dataset"],
                allowed=known.dataset,
            )
        if not dry_run and known is None:
            more = {"slug": slug, "dataset": document.get("dataset"), **wanted}
            lake.create_view(who, CreateView(workspace=workspace, name=document["name"], **more))
        elif not dry_run and wanted:
            lake.change_view(who, ChangeView(workspace=workspace, view=slug, **wanted))
        return ("create" if known is None else "change" if wanted else "none"), sorted(wanted)


VIEW = Views()


def _document(view: View) -> dict[str, Any]:
    slug = {} if view.slug == slug_of(view.name) else {"slug": view.slug}
    dataset = {} if view.dataset == view.slug else {"dataset": view.dataset}
    return {"kind": KIND, "name": view.name, **slug, **dataset, **{name: getattr(view, name) for name in _FIELDS}}


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that a view does not have, values that it cannot have, and one without a text."""
    allowed = ["name", "slug", "dataset", *_FIELDS]
    unknown = sorted(set(document) - {"kind", *allowed})
    if unknown:
        raise Invalid(f"a view has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=allowed)
    if not document.get("sql"):
        raise Invalid("a view needs its text", field="sql", value=document.get("sql"))
    for name, values in (("layer", ["silver", "gold"]), ("refresh", ["manual", "on_change"])):
        if document.get(name, values[0]) not in values:
            raise Invalid(f"{name} is {document[name]!r}", field=name, value=document[name], allowed=values)
