"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of k-means."""

    model_config = ConfigDict(extra="forbid")

    clusters: int = Field(default=4, ge=2, le=100, description="Clusters; a study finds how many there are")
    starts: int = Field(default=10, ge=1, le=100, description="Draws of first centres, of which the best is kept")
    max_categories: int = Field(default=30, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="kmeans",
    version="1.0",
    title="K-means",
    summary="Rows around as many centres as are asked for; a row belongs to the nearest one.",
    parameters=Parameters,
    tasks=("clustering",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        strength="centres are fast to find, small to serve, and can be read",
        fit_s=2.0,
        row_us=40,
        size=10_000,
        is_explainable=True,
    ),
    space={"clusters": {"type": "int", "low": 2, "high": 10}},
)
