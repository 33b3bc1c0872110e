"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits
from aimass.training.recipes.enlargingparams import Augment, AugmentShare


class Parameters(BaseModel):
    """The parameters of logistic regression."""

    model_config = ConfigDict(extra="forbid")

    strength: float = Field(default=1.0, gt=0, le=1e6, description="Inverse of the regularisation: smaller is simpler")
    max_iterations: int = Field(default=500, ge=10, le=100_000, description="Iterations of the solver at most")
    class_weight: Literal["none", "balanced"] = Field(default="none", description="Weight rare classes up")
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
    augment: Augment = "none"
    augment_share: AugmentShare = 1.0


RECIPE = RecipeManifest(
    name="logistic_regression",
    version="1.1",
    title="Logistic regression",
    summary="A linear model on scaled numbers and one-hot text: small, fast, easy to explain.",
    parameters=Parameters,
    tasks=("classification", "multilabel"),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.62,
        few_rows=0.2,
        wide=0.2,
        strength="a line is fast, small and can be explained; it differs from trees, which helps a blend",
        fit_s=8.0,
        row_us=90,
        size=12_000,
        is_explainable=True,
    ),
    space={
        "strength": {"type": "float", "low": 1e-4, "high": 100.0, "log": True},
        "class_weight": {"type": "categorical", "choices": ["none", "balanced"]},
        "max_categories": {"type": "int", "low": 5, "high": 100, "log": True},
    },
)
