"""Pipelines as documents: ``aimass export`` writes them, ``aimass apply`` makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lifecycle.domain import ChangePipeline, CreatePipeline, ListPipelines, NamePipeline, Pipeline, Trigger
from aimass.lifecycle.service import Lifecycle

KIND = "pipeline"
_FIELDS = ("template", "parameters", "triggers", "paused")


class Pipelines:
    """The kind ``pipeline``: name, template, parameters, triggers and whether its triggers are paused."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every pipeline that the principal may read."""
        if not who.allows("lifecycle.read", workspace):
            return []
        page = registry.get(Lifecycle).list_pipelines(who, ListPipelines(workspace=workspace, limit=500))
        return [_document(pipeline) for pipeline in page.items]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a pipeline until it is as the document says; return what was done and which fields differ."""
        unknown = sorted(set(document) - {"kind", "name", *_FIELDS})
        if unknown:
            raise Invalid(f"a pipeline has no {unknown[0]!r}", field=unknown[0], allowed=["name", *_FIELDS])
        lifecycle, slug = registry.get(Lifecycle), slug_of(document["name"])
        try:
            present = lifecycle.get_pipeline(who, NamePipeline(workspace=workspace, pipeline=slug))
        except NotFound:
            if not dry_run:
                _create(lifecycle, who, workspace, document)
            return "create", sorted(name for name in _FIELDS if name in document)
        before = _document(present)
        fields = sorted(name for name in _FIELDS if name in document and document[name] != before[name])
        if "template" in fields:
            raise Invalid(
                f"pipeline {slug!r} has the template {present.template!r}",
                field="template",
                value=document["template"],
                hint="delete it first",
            )
        if fields and not dry_run:
            given: dict[str, Any] = {name: document[name] for name in fields if name != "triggers"}
            if "triggers" in fields:
                given["triggers"] = [Trigger(**trigger) for trigger in document["triggers"]]
            lifecycle.change_pipeline(who, ChangePipeline(workspace=workspace, pipeline=slug, **given))
        return ("change" if fields else "none"), fields


def _create(lifecycle: Lifecycle, who: Principal, workspace: str, document: Mapping[str, Any]) -> None:
    triggers = [Trigger(**trigger) for trigger in document.get("triggers", [])]
    given = {name: document[name] for name in ("name", "template", "parameters") if name in document}
    made = lifecycle.create_pipeline(who, CreatePipeline(workspace=workspace, triggers=triggers, **given))
    if document.get("paused"):
        lifecycle.change_pipeline(who, ChangePipeline(workspace=workspace, pipeline=made.slug, paused=True))


def _document(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "kind": KIND,
        "name": pipeline.name,
        "template": pipeline.template,
        "parameters": pipeline.parameters,
        "triggers": [asdict(trigger) for trigger in pipeline.triggers],
        "paused": pipeline.paused,
    }


PIPELINE = Pipelines()
