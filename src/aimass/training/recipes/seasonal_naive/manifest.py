"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of the seasonal naive forecast."""

    model_config = ConfigDict(extra="forbid")

    history: int | None = Field(
        default=None, ge=2, le=1500, description="Known values that a question holds; two seasons if absent"
    )
    seasons: int = Field(
        default=1, ge=1, le=20, description="Seasons whose mean is the forecast, as far as the history holds them"
    )
    inside: float = Field(default=0.8, ge=0.5, le=0.99, description="Share of the values that lie between low and high")


RECIPE = RecipeManifest(
    name="seasonal_naive",
    version="1.0",
    title="Seasonal naive",
    summary="The value of the same place one season before, or the mean of several: what every forecast has to beat.",
    parameters=Parameters,
    tasks=("forecasting",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.2,
        few_rows=0.3,
        strength="it has nothing to learn but the season, and is what every forecast has to beat",
        fit_s=0.5,
        row_us=50,
        size=100_000,
        is_explainable=True,
    ),
    space={"seasons": {"type": "int", "low": 1, "high": 4}},
)
