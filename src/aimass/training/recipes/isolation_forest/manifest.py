"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of an isolation forest."""

    model_config = ConfigDict(extra="forbid")

    contamination: float = Field(
        default=0.02, gt=0, le=0.5, description="Share of the training rows that is flagged; sets the threshold alone"
    )
    trees: int = Field(default=150, ge=1, le=2000, description="Trees; more of them answer more evenly")
    rows_per_tree: int = Field(default=256, ge=2, le=100_000, description="Rows that each tree is grown from at most")
    max_categories: int = Field(default=30, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="isolation_forest",
    version="1.0",
    title="Isolation forest",
    summary="Rows that few random cuts set apart are strange: fast, for many rows and columns, and without a scale.",
    parameters=Parameters,
    tasks=("anomaly",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.8,
        strength="a forest of random cuts needs no scale, and no choice of what near means",
        fit_s=1.0,
        row_us=300,
        size=600_000,
    ),
    space={
        "trees": {"type": "int", "low": 50, "high": 400, "log": True},
        "rows_per_tree": {"type": "int", "low": 32, "high": 2048, "log": True},
    },
)
