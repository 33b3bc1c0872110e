"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of gradient boosting."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=150, ge=1, le=5000, description="Trees, one after the other")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Weight of each tree")
    max_depth: int = Field(default=3, ge=1, le=32, description="Depth of a tree at most")
    min_rows_per_leaf: int = Field(default=20, ge=1, le=10_000, description="Rows that a leaf holds at least")
    subsample: float = Field(default=0.8, gt=0, le=1, description="Share of the rows that each tree sees")
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="gradient_boosting",
    version="1.1",
    title="Gradient boosting",
    summary="Trees that correct each other, by scikit-learn: strong on small tables, exact splits, slower to train.",
    parameters=Parameters,
    tasks=("classification", "regression", "multilabel"),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.75,
        few_rows=0.1,
        strength="boosted trees win on most tables; this kind looks at every value, which takes its time",
        fit_s=60.0,
        row_us=280,
        size=90_000,
    ),
    space={
        "trees": {"type": "int", "low": 50, "high": 600, "log": True},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_depth": {"type": "int", "low": 2, "high": 8},
        "min_rows_per_leaf": {"type": "int", "low": 2, "high": 100, "log": True},
        "subsample": {"type": "float", "low": 0.5, "high": 1.0},
    },
)
