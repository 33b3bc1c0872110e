"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of histogram gradient boosting."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=150, ge=1, le=5000, description="Trees, one after the other")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Weight of each tree")
    max_leaves: int = Field(default=8, ge=2, le=1024, description="Leaves of a tree at most")
    min_rows_per_leaf: int = Field(default=20, ge=1, le=10_000, description="Rows that a leaf holds at least")
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="hist_gradient_boosting",
    version="1.1",
    title="Histogram gradient boosting",
    summary="Trees on binned values, by scikit-learn: fast on big tables; does not convert to ONNX, served by Python.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    capabilities=frozenset({"resumable"}),
    traits=Traits(
        place=0.55,
        strength="boosted trees win on most tables; this kind is served as Python, which is slower",
        fit_s=45.0,
        row_us=5000,
        size=500_000,
    ),
    space={
        "trees": {"type": "int", "low": 50, "high": 600, "log": True},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_leaves": {"type": "int", "low": 4, "high": 64, "log": True},
        "min_rows_per_leaf": {"type": "int", "low": 2, "high": 100, "log": True},
    },
)
