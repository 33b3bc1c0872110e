"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of XGBoost."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=500, ge=1, le=5000, description="Trees at most, one after the other")
    learning_rate: float = Field(default=0.06, gt=0, le=1, description="Weight of each tree")
    max_depth: int = Field(default=4, ge=1, le=12, description="Questions from the root to a leaf at most")
    min_weight_per_leaf: float = Field(
        default=5.0, ge=0, le=10_000, description="Weight that a leaf holds at least; for numbers that is rows"
    )
    penalty: float = Field(default=1.0, ge=0, le=1000, description="Penalty on the squares of the leaves")
    row_share: float = Field(default=0.8, gt=0, le=1, description="Share of the rows that each tree sees")
    column_share: float = Field(default=0.8, gt=0, le=1, description="Share of the columns that each tree sees")
    patience: int = Field(
        default=25,
        ge=0,
        le=500,
        description="Stop after as many trees without gain on rows held out of the training part; 0: never",
    )
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (classification)"
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="xgboost",
    version="1.0",
    title="XGBoost",
    summary="Gradient boosting with penalties on its leaves; it finds on rows held out how many trees are worth it.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    capabilities=frozenset({"resumable", "prunable", "exportable:onnx"}),
    steps="trees",
    extra="xgboost",
    library="xgboost",
    traits=Traits(
        place=0.88,
        few_rows=-0.1,
        strength="boosted trees win on most tables, and this kind finds by itself how many are worth it",
        fit_s=25.0,
        row_us=280,
        size=250_000,
    ),
    space={
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_depth": {"type": "int", "low": 2, "high": 8},
        "min_weight_per_leaf": {"type": "float", "low": 0.5, "high": 50, "log": True},
        "penalty": {"type": "float", "low": 0.1, "high": 30, "log": True},
        "column_share": {"type": "float", "low": 0.4, "high": 1.0},
    },
)
