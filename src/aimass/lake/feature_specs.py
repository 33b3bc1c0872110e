"""Feature views as documents: ``aimass export`` writes them, ``aimass apply`` makes it so; values are no part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lake.feature_commands import (
    ChangeFeatureView,
    CreateFeatureView,
    ListFeatureViews,
    OneFeatureView,
)
from aimass.lake.features import SPEC, Feature, FeatureView
from aimass.lake.service.lake import Lake

KIND = "feature-view"
_NEEDED = ("name", "entity", "event_time")
_FEATURE = tuple(Feature.__dataclass_fields__)


class FeatureViews:
    """The kind ``feature-view``: what it reads, its entity, its moments, its features and who answers for it."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every feature view that the principal may read."""
        if not who.allows("lake.read", workspace):
            return []
        lake, wish = registry.get(Lake), ListFeatureViews(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: lake.list_feature_views(who, replace(wish, cursor=cursor)))
        return [_document(view) for view in found]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a view until it is as the document says; return what was done and which fields differ."""
        _check(document)
        lake, slug = registry.get(Lake), document.get("slug") or slug_of(document["name"])
        try:
            before = _document(lake.get_feature_view(who, OneFeatureView(workspace=workspace, feature_view=slug)))
        except NotFound:
            before = {}
        given = {name: _given(name, document[name]) for name in SPEC if name in document}
        present = {name: _given(name, before.get(name)) for name in SPEC}
        fields = sorted(name for name, value in given.items() if not _same(name, value, present[name]))
        if not dry_run and (fields or not before):
            wanted = {name: _wish(name, given[name]) for name in fields}
            if before:
                lake.change_feature_view(who, ChangeFeatureView(workspace=workspace, feature_view=slug, **wanted))
            else:
                whole = {name: _wish(name, value) for name, value in given.items()}
                wish = CreateFeatureView(workspace=workspace, name=document["name"], slug=slug, **_without_none(whole))
                lake.create_feature_view(who, wish)
        if not before:
            return "create", fields
        return ("change" if fields else "none"), fields


FEATURE_VIEW = FeatureViews()


def _document(view: FeatureView) -> dict[str, Any]:
    slug = {} if view.slug == slug_of(view.name) else {"slug": view.slug}
    plain = {name: getattr(view, name) for name in SPEC if getattr(view, name) is not None}
    return {"kind": KIND, "name": view.name, **slug, **plain, "features": [asdict(one) for one in view.features]}


def _given(name: str, value: Any) -> Any:
    """Return a field in the shape in which it is exported."""
    if name == "features":
        return [
            asdict(Feature(**one)) if isinstance(one, Mapping) else asdict(Feature(name=one)) for one in value or []
        ]
    return value


def _same(name: str, wanted: Any, present: Any) -> bool:
    """Compare a field; a feature without a type has the one of its column."""
    if name != "features":
        return wanted == present
    typed = [{**one, "type": one["type"] or known["type"]} for one, known in zip(wanted, present, strict=False)]
    return len(wanted) == len(present) and typed == present


def _wish(name: str, value: Any) -> Any:
    if name == "features":
        return [Feature(**one) for one in value]
    if value is None and name in ("created_time", "ttl_s"):
        return "" if name == "created_time" else 0
    return value


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that a view or a feature does not have, and a view that lacks what it needs."""
    allowed = ["name", "slug", *SPEC]
    unknown = sorted(set(document) - {"kind", *allowed})
    if unknown:
        raise Invalid(f"a feature view has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=allowed)
    missing = [name for name in _NEEDED if not document.get(name)]
    if missing:
        raise Invalid(f"a feature view needs {missing[0]!r}", field=missing[0], value=None)
    for feature in document.get("features") or []:
        strange = sorted(set(feature) - set(_FEATURE)) if isinstance(feature, Mapping) else []
        if strange:
            raise Invalid(
                f"a feature has no {strange[0]!r}", field=f"features.{strange[0]}", value=strange[0], allowed=_FEATURE
            )
