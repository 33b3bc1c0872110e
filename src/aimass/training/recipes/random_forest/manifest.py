"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits
from aimass.training.recipes.enlargingparams import Augment, AugmentShare


class Parameters(BaseModel):
    """The parameters of a random forest."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=200, ge=1, le=5000, description="Trees in the forest")
    min_rows_per_leaf: int = Field(default=8, ge=1, le=10_000, description="Rows that a leaf holds at least")
    max_depth: int | None = Field(default=None, ge=1, le=64, description="Depth of a tree at most; empty for no limit")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (classification)"
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
    augment: Augment = "none"
    augment_share: AugmentShare = 1.0


RECIPE = RecipeManifest(
    name="random_forest",
    version="1.2",
    title="Random forest",
    summary="Many decision trees on random parts of the data: robust without tuning, larger to serve.",
    parameters=Parameters,
    tasks=("classification", "regression", "ranking", "multilabel"),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.6,
        few_rows=0.05,
        strength="a forest is robust and differs from boosted trees, which helps a blend",
        fit_s=20.0,
        row_us=730,
        size=4_500_000,
    ),
    space={
        "trees": {"type": "int", "low": 50, "high": 500, "log": True},
        "min_rows_per_leaf": {"type": "int", "low": 1, "high": 50, "log": True},
        "max_depth": {"type": "categorical", "choices": [None, 6, 10, 16]},
        "class_weight": {"type": "categorical", "choices": ["none", "balanced"]},
    },
)
