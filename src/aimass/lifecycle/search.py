"""How pipelines and their runs are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.lifecycle.domain import NamePipeline, NameRun
from aimass.lifecycle.service import Lifecycle


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a pipeline or a run is found, or None when it is gone."""
    kind, _, name = subject.partition(":")
    lifecycle = registry.get(Lifecycle)
    try:
        if kind == "pipeline":
            pipeline = lifecycle.get_pipeline(SYSTEM, NamePipeline(workspace=workspace, pipeline=name))
            words = " ".join(str(value) for value in pipeline.parameters.values() if isinstance(value, str))
            title, text = pipeline.name, f"{pipeline.slug} {pipeline.template} {words}"
            href = f"/{workspace}/work/pipelines/{pipeline.slug}"
        elif kind == "run":
            run = lifecycle.get_run(SYSTEM, NameRun(workspace=workspace, run=name))
            title, text, kind = f"{run.pipeline} run {run.number}", f"{run.cause} {run.id}", "pipeline_run"
            href = f"/{workspace}/work/runs/{run.id}"
        else:
            return None
    except NotFound:
        return None
    return Document(
        workspace=workspace, key=subject, kind=kind, title=title, text=text, href=href, permission="lifecycle.read"
    )
