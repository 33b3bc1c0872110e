"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits, Variant


class Parameters(BaseModel):
    """The parameters of lag boosting."""

    model_config = ConfigDict(extra="forbid")

    history: int | None = Field(
        default=None, ge=2, le=1500, description="Known values that a question holds; two seasons if absent"
    )
    trees: int = Field(default=300, ge=1, le=5000, description="Trees, one after the other")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Weight of each tree")
    max_leaves: int = Field(default=31, ge=2, le=1024, description="Leaves of a tree at most")
    min_rows_per_leaf: int = Field(default=50, ge=1, le=10_000, description="Rows that a leaf holds at least")
    column_share: float = Field(default=0.6, gt=0, le=1, description="Share of the columns that each tree sees")
    most_rows: int = Field(
        default=100_000,
        ge=1000,
        le=5_000_000,
        description="Rows, a window and a step ahead each, that are learned from",
    )
    inside: float = Field(default=0.8, ge=0.5, le=0.99, description="Share of the values that lie between low and high")


RECIPE = RecipeManifest(
    name="lag_boosting",
    version="1.0",
    title="Lag boosting",
    summary="Boosted trees by LightGBM that correct the mean of the last seasons, from lags, means and the calendar of each step.",
    parameters=Parameters,
    tasks=("forecasting",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.9,
        few_rows=-0.4,
        strength="boosted trees find what lags and calendar tell together, for every step ahead at once",
        fit_s=60.0,
        row_us=500,
        size=800_000,
    ),
    variants=(
        Variant(
            name="deep",
            params={"max_leaves": 63, "most_rows": 300_000},
            traits=Traits(
                place=0.95,
                few_rows=-0.6,
                strength="larger trees find more where there are many windows",
                fit_s=150.0,
                row_us=600,
                size=1_500_000,
            ),
        ),
    ),
    space={
        "trees": {"type": "int", "low": 100, "high": 600, "log": True},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.2, "log": True},
        "max_leaves": {"type": "int", "low": 8, "high": 128, "log": True},
        "min_rows_per_leaf": {"type": "int", "low": 10, "high": 200, "log": True},
        "column_share": {"type": "float", "low": 0.4, "high": 1.0},
    },
)
