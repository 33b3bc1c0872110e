"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aimass.training.recipes import Needs, RecipeManifest, Traits
from aimass.training.recipes.sounds.parameters import Hearing


class Parameters(Hearing):
    """The parameters of a linear classifier behind kernels drawn by chance."""

    kernels: int = Field(default=256, ge=0, le=4_096, description="Patterns drawn by chance that are looked for")
    strength: float = Field(default=0.1, gt=0, le=1e6, description="Inverse of the regularisation: smaller is simpler")
    class_weight: Literal["none", "balanced"] = Field(default="none", description="Weight rare classes up")
    max_iterations: int = Field(default=1000, ge=10, le=100_000, description="Iterations of the solver at most")


RECIPE = RecipeManifest(
    name="sound_kernels",
    version="1.0",
    title="Sound kernels",
    summary="Classes of short clips of sound that lie in one column of lists: a log-mel picture, patterns drawn by chance "
    "that are looked for at all moments, and logistic regression; one graph from samples to shares.",
    parameters=Parameters,
    tasks=("classification",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.85,
        few_rows=0.1,
        strength="it hears words and noises wherever in a clip they are, and needs no net",
        fit_s=0.8,
        row_us=650,
        size=1_300_000,
    ),
    space={
        "kernels": {"type": "int", "low": 64, "high": 1024, "log": True},
        "strength": {"type": "float", "low": 0.001, "high": 10.0, "log": True},
        "bands": {"type": "int", "low": 20, "high": 64},
    },
    reads="sounds",
)
