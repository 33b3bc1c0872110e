"""Datasets as documents: ``aimass export`` writes them, ``aimass apply`` makes it so; rows are no part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lake.commands import (
    ChangeDataset,
    CreateDataset,
    ListDatasets,
    OneDataset,
    SetClassification,
    SetRules,
)
from aimass.lake.domain import Dataset, Finding, Rule
from aimass.lake.ordering import OrderDataset
from aimass.lake.policy_specs import apply_policies, read_policies, written_policies
from aimass.lake.service.lake import Lake

KIND = "dataset"
_PLAIN = ("description", "keys", "retain_days", "layer", "ordered_by")
_FIELDS = (*_PLAIN, "rules", "personal", "policies")
_RULE = frozenset(Rule.__dataclass_fields__)


class Datasets:
    """The kind ``dataset``: name, slug, description, keys, retention, rules, policies and the columns with personal data."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every dataset that the principal may read."""
        if not who.allows("lake.read", workspace):
            return []
        lake, wish = registry.get(Lake), ListDatasets(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: lake.list_datasets(who, replace(wish, cursor=cursor)))
        return [_document(lake, who, dataset) for dataset in found]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a dataset until it is as the document says; return what was done and which fields differ."""
        _check(document)
        lake, slug = registry.get(Lake), document.get("slug") or slug_of(document["name"])
        one = OneDataset(workspace=workspace, dataset=slug)
        try:
            before, action = _document(lake, who, lake.get_dataset(who, one)), "change"
        except NotFound:
            before, action = {}, "create"
        nothing: dict[str, Any] = {"description": "", "keys": [], "retain_days": None, "layer": None, "ordered_by": []}
        nothing |= {"rules": [], "personal": [], "policies": []}
        present = nothing | before
        fields = sorted(
            name
            for name in _FIELDS
            if name in document and _given(document, name) != present[name] and not _undecided(document, name)
        )
        if not dry_run and (fields or not before):
            plain: dict[str, Any] = {name: document[name] for name in fields if name in _PLAIN}
            if not before:
                lake.create_dataset(who, CreateDataset(workspace=workspace, name=document["name"], slug=slug, **plain))
            elif plain:
                kept: dict[str, Any] = plain | (
                    {"retain_days": plain["retain_days"] or 0} if "retain_days" in plain else {}
                )
                columns = kept.pop("ordered_by", None)
                if kept:
                    lake.change_dataset(who, ChangeDataset(workspace=workspace, dataset=slug, **kept))
                if columns is not None:
                    lake.order_dataset(who, OrderDataset(workspace=workspace, dataset=slug, columns=columns))
            _apply_parts(lake, who, one, {name: _given(document, name) for name in fields})
        return (action if fields or not before else "none"), fields


DATASET = Datasets()


def _apply_parts(lake: Lake, who: Principal, one: OneDataset, wanted: Mapping[str, Any]) -> None:
    """Set rules and personal data where they differ."""
    where: dict[str, Any] = {"workspace": one.workspace, "dataset": one.dataset}
    if "rules" in wanted:
        lake.set_rules(who, SetRules(**where, rules=[Rule(**rule) for rule in wanted["rules"]]))
    if "policies" in wanted:
        apply_policies(lake, who, one, wanted["policies"])
    if "personal" in wanted:
        known = {finding.column: finding for finding in lake.get_classification(who, one)}
        for column in {*known, *wanted["personal"]}:
            is_private = column in wanted["personal"]
            found = known.get(column) or Finding(
                column=column, kind="personal", confidence=1.0, by="person", private=is_private
            )
            known[column] = replace(found, private=is_private)
        lake.set_classification(who, SetClassification(**where, columns=list(known.values())))


def _document(lake: Lake, who: Principal, dataset: Dataset) -> dict[str, Any]:
    rules = lake.list_rules(who, OneDataset(workspace=dataset.workspace, dataset=dataset.slug))
    slug = {} if dataset.slug == slug_of(dataset.name) else {"slug": dataset.slug}
    plain = {name: getattr(dataset, name) for name in _PLAIN}
    return {
        "kind": KIND,
        "name": dataset.name,
        **slug,
        **plain,
        "rules": [asdict(rule) for rule in rules],
        "personal": sorted(dataset.personal),
        "policies": written_policies(lake, who, dataset.workspace, dataset.slug),
    }


def _given(document: Mapping[str, Any], name: str) -> Any:
    """Return a field of a document in the shape in which it is exported."""
    value = document[name]
    if name == "personal":
        return sorted(value)
    if name == "policies":
        return read_policies(value)
    if name == "rules":
        return [asdict(Rule(**{"id": "", **rule})) for rule in value]
    return value


def _undecided(document: Mapping[str, Any], name: str) -> bool:
    """Tell whether a document leaves the layer to the first version."""
    return name == "layer" and document[name] is None


def _check(document: Mapping[str, Any]) -> None:
    """Refuse fields that a dataset or a rule does not have."""
    allowed = ["name", "slug", *_FIELDS]
    unknown = sorted(set(document) - {"kind", *allowed})
    if unknown:
        raise Invalid(f"a dataset has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=allowed)
    read_policies(document.get("policies") or [])
    for rule in document.get("rules") or []:
        strange = sorted(set(rule) - _RULE)
        if strange or "kind" not in rule:
            name = strange[0] if strange else "kind"
            raise Invalid(f"a rule has no {name!r}", field=f"rules.{name}", value=name, allowed=sorted(_RULE))
