"""Sources as documents: ``aimass export`` writes them, ``aimass apply`` makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from aimass.collector.connectors.file.plan import plan_of
from aimass.collector.domain import (
    READING,
    ChangeSource,
    ColumnPlan,
    CreateSource,
    ListSources,
    OneSource,
    PinTypes,
    Source,
)
from aimass.collector.linked_specs import LINKED, change_linked, check_linked, linked_document, make_linked
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry

KIND = "source"
_FIELDS = ("dataset", "mode", "max_reject_rate", "plan")


class Sources:
    """The kind ``source``: name, dataset, mode, tolerated share of bad rows, and the plan by which files are read."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every source that the principal may read."""
        if not who.allows("collector.read", workspace):
            return []
        collector, wish = registry.get(Collector), ListSources(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: collector.list_sources(who, replace(wish, cursor=cursor)))
        return [_document(source) for source in found]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a source until it is as the document says; return what was done and which fields differ."""
        _check(document)
        collector, slug = registry.get(Collector), slug_of(document["name"])
        try:
            present = collector.get_source(who, OneSource(workspace=workspace, source=slug))
        except NotFound:
            present = None
        before = _document(present) if present else {}
        if before.get("plan"):  # one that was pinned before there was a field leaves it out
            before["plan"] = _whole(before["plan"])
        given = {**document, "plan": _whole(document["plan"])} if document.get("plan") else document
        names = LINKED if document.get("connection") else _FIELDS
        fields = sorted(name for name in names if name in given and _differs(given[name], before.get(name)))
        if (present and bool(present.connection) != bool(document.get("connection"))) or (
            "connection" in fields and present
        ):
            raise Conflict(
                f"source {slug!r} reads from elsewhere",
                field="connection",
                value=document.get("connection"),
                hint="delete the source first, or give this one another name",
            )
        if present and "dataset" in fields:
            raise Conflict(
                f"source {slug!r} fills {present.dataset!r}",
                field="dataset",
                value=document["dataset"],
                hint="delete the source first, or give this one another name",
            )
        if not dry_run and (fields or not present):
            _make(collector, who, workspace, document, fields, is_new=present is None)
        return ("change" if fields else "none") if present else "create", fields


SOURCE = Sources()


def _make(
    collector: Collector,
    who: Principal,
    workspace: str,
    document: Mapping[str, Any],
    fields: list[str],
    *,
    is_new: bool,
) -> None:
    slug, plain = slug_of(document["name"]), {name: document[name] for name in fields if name != "plan"}
    if document.get("connection") and is_new:
        make_linked(collector, who, workspace, document)
        return
    if document.get("connection"):
        source = collector.get_source(who, OneSource(workspace=workspace, source=slug))
        change_linked(collector, who, source, document, fields)
        return
    if is_new:
        collector.create_source(who, CreateSource(workspace=workspace, name=document["name"], **plain))
    elif plain:
        collector.change_source(who, ChangeSource(workspace=workspace, source=slug, **plain))
    if "plan" in fields and document["plan"]:
        plan = dict(document["plan"])
        columns = [ColumnPlan(**column) for column in plan.pop("columns")]
        collector.pin_types(who, PinTypes(workspace=workspace, source=slug, columns=columns, **plan))


def _whole(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan with what it leaves out, as a source keeps it."""
    columns = [asdict(ColumnPlan(**column)) for column in plan["columns"]]
    left_out = {
        field.name: field.default
        for field in dataclass_fields(PinTypes)
        if field.name in READING and field.default is not MISSING
    }
    return {**left_out, "null_values": [], "widths": [], **plan, "columns": columns}


def _differs(given: Any, before: Any) -> bool:
    """Compare as far as a document tells: what it leaves out of a mapping stays."""
    if isinstance(given, Mapping) and isinstance(before, Mapping):
        return any(value != before.get(name) for name, value in given.items())
    return given != before


def _document(source: Source) -> dict[str, Any]:
    if source.connection:
        return {"kind": KIND, "name": source.name, **linked_document(source)}
    return {"kind": KIND, "name": source.name, **{name: getattr(source, name) for name in _FIELDS}}


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that a source or its plan does not have."""
    if document.get("connection"):
        check_linked(document)
        return
    unknown = sorted(set(document) - {"kind", "name", *_FIELDS})
    if unknown:
        raise Invalid(f"a source has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=["name", *_FIELDS])
    if document.get("mode", "append") not in ("append", "replace"):
        raise Invalid(
            f"mode {document['mode']!r} is unknown", field="mode", value=document["mode"], allowed=["append", "replace"]
        )
    if document.get("plan"):
        plan_of(document["plan"])
