"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of lag regression."""

    model_config = ConfigDict(extra="forbid")

    history: int | None = Field(
        default=None, ge=2, le=1500, description="Known values that a question holds; two seasons if absent"
    )
    penalty: float = Field(default=10.0, ge=1e-6, le=1e9, description="Weight of the penalty on large weights")
    inside: float = Field(default=0.8, ge=0.5, le=0.99, description="Share of the values that lie between low and high")


RECIPE = RecipeManifest(
    name="lag_regression",
    version="1.0",
    title="Lag regression",
    summary="A weighted sum of the last values and of the calendar for each step ahead, with a ridge penalty.",
    parameters=Parameters,
    tasks=("forecasting",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        strength="one line for each step ahead learns from all series at once, and is fast and small",
        fit_s=10.0,
        row_us=60,
        size=200_000,
        is_explainable=True,
    ),
    space={"penalty": {"type": "float", "low": 0.1, "high": 1e4, "log": True}},
)
