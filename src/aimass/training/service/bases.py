"""Models to start from: a parameter names an approved version of the library, and its graph goes to the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.kernel.principal import Principal
from aimass.models import ModelVersion
from aimass.training.recipes import RecipeManifest
from aimass.training.service.ground import Ground

BASE = "base"
_GRAPH = "model.onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a run starts from."""

    version: ModelVersion
    sha256: str

    @property
    def reference(self) -> str:
        """Return its name, which means the same version for ever."""
        return f"{self.version.model}@{self.version.number}"

    @property
    def source(self) -> tuple[str, str]:
        """Return its end of an edge of lineage."""
        return ("model_version", f"{self.version.model}/{self.version.number}")


def base_of(
    ground: Ground, who: Principal, workspace: str, recipe: RecipeManifest, params: Mapping[str, Any]
) -> Base | None:
    """Return the version that parameters name to start from, None where they name none.

    It is one of the same workspace which that person may read and a review has approved; and a graph, which is data: no
    program, and no path of a server.
    """
    reference = params.get(BASE) if recipe.fine_tunes else None
    if not reference:
        return None
    model, _, number = str(reference).partition("@")
    who.need("models.read", workspace, f"model:{model}")
    version, folder = ground.models.servable(workspace, model, number or "champion")
    manifest = ground.models.manifest(version)
    if version.runtime != "onnx" or _GRAPH not in manifest.files:
        raise Invalid(
            f"version {version.number} of {model!r} is no graph but runs by {version.runtime!r}",
            field=f"params.{BASE}",
            value=reference,
            allowed="a version whose runtime is onnx",
        )
    del folder
    return Base(version=version, sha256=manifest.files[_GRAPH].sha256)
