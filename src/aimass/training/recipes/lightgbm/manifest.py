"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits, Variant
from aimass.training.recipes.enlargingparams import Augment, AugmentShare


class Parameters(BaseModel):
    """The parameters of LightGBM."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=150, ge=1, le=5000, description="Trees, one after the other")
    learning_rate: float = Field(default=0.04, gt=0, le=1, description="Weight of each tree")
    max_leaves: int = Field(default=8, ge=2, le=1024, description="Leaves of a tree at most")
    min_rows_per_leaf: int = Field(default=20, ge=1, le=10_000, description="Rows that a leaf holds at least")
    column_share: float = Field(default=0.8, gt=0, le=1, description="Share of the columns that each tree sees")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (classification)"
    )
    loss: Literal["squared", "absolute", "huber"] = Field(
        default="squared",
        description="What an error costs (regression): its square, its size, or its square as far as huber_at and its size beyond",
    )
    huber_at: float = Field(
        default=1.345,
        gt=0,
        le=100,
        description="Where large errors begin, in spreads of the target without its extremes",
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
    augment: Augment = "none"
    augment_share: AugmentShare = 1.0


RECIPE = RecipeManifest(
    name="lightgbm",
    version="1.2",
    title="LightGBM",
    summary="Gradient boosting on binned values with leaf-wise trees: fast to train, small to serve.",
    parameters=Parameters,
    tasks=("classification", "regression", "ranking", "multilabel"),
    capabilities=frozenset({"resumable", "prunable", "exportable:onnx"}),
    steps="trees",
    traits=Traits(
        place=0.9,
        strength="boosted trees win on most tables, and this is their fastest kind",
        fit_s=1.8,
        row_us=240,
        size=90_000,
    ),
    variants=(
        Variant(
            name="deep",
            params={"trees": 300, "max_leaves": 31, "learning_rate": 0.05},
            traits=Traits(
                place=0.95,
                few_rows=-0.5,
                strength="larger trees find more where there are many rows",
                fit_s=5.0,
                row_us=300,
                size=800_000,
            ),
        ),
    ),
    space={
        "trees": {"type": "int", "low": 50, "high": 600, "log": True},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_leaves": {"type": "int", "low": 4, "high": 64, "log": True},
        "min_rows_per_leaf": {"type": "int", "low": 5, "high": 100, "log": True},
        "column_share": {"type": "float", "low": 0.4, "high": 1.0},
    },
)
