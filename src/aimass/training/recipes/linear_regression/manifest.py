"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of linear regression."""

    model_config = ConfigDict(extra="forbid")

    penalty: float = Field(default=1.0, ge=0, le=1e9, description="Weight of the penalty on large weights; 0 for none")
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
    augment: Literal["none", "noise", "mixup"] = Field(
        default="none",
        description="Rows made of training rows: copies with noise, mixtures of two",
    )
    augment_share: float = Field(
        default=1.0, gt=0, le=5, description="Rows that are made, as a share of the training rows"
    )


RECIPE = RecipeManifest(
    name="linear_regression",
    version="1.1",
    title="Linear regression",
    summary="A weighted sum of scaled numbers and one-hot text with a ridge penalty: small, fast, easy to explain.",
    parameters=Parameters,
    tasks=("regression", "ranking"),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    space={
        "penalty": {"type": "float", "low": 1e-3, "high": 1e3, "log": True},
        "max_categories": {"type": "int", "low": 5, "high": 100, "log": True},
    },
    traits=Traits(
        place=0.5,
        few_rows=0.4,
        wide=0.2,
        strength="a line is fast, small and can be explained; it differs from trees, which helps a blend",
        fit_s=2.0,
        row_us=90,
        size=12_000,
        is_explainable=True,
    ),
)
