"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aimass.training.recipes import Needs, RecipeManifest, Traits
from aimass.training.recipes.imageparams import ImageParameters


class Parameters(ImageParameters):
    """The parameters of a residual net."""

    stages: int = Field(
        default=3, ge=1, le=5, description="Stages; each but the first halves height and width and doubles the filters"
    )
    depth: int = Field(default=1, ge=1, le=16, description="Residual blocks of each stage, of two convolutions each")
    filters: int = Field(default=16, ge=4, le=256, description="Filters of the first stage")
    stem: Literal["small", "large"] = Field(
        default="small",
        description="First layer: 3 x 3, or 7 x 7 that halves height and width, with a pool that halves them again",
    )


RECIPE = RecipeManifest(
    name="torch_resnet",
    version="1.0",
    title="Residual network",
    summary="Classes or numbers of images that lie in one column of lists: a ResNet with batch norm, of any depth and width.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "prunable", "compressible", "fine_tunes", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.85,
        few_rows=-0.1,
        strength="residual blocks let a deep net learn from images",
        fit_s=150.0,
        row_us=500,
        size=700_000,
    ),
    space={
        "stages": {"type": "int", "low": 2, "high": 4},
        "depth": {"type": "int", "low": 1, "high": 3},
        "filters": {"type": "int", "low": 8, "high": 64, "log": True},
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.02, "log": True},
        "weight_decay": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
    },
    reads="lists",
    extra="deep",
    library="torch",
)
