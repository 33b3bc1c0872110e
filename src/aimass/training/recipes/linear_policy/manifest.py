"""What the recipe is."""

from __future__ import annotations

from pydantic import Field

from aimass.training.recipes import RecipeManifest, Traits
from aimass.training.recipes.exploring import PolicyParameters


class Parameters(PolicyParameters):
    """The parameters of a linear policy."""

    penalty: float = Field(default=10.0, ge=1e-6, le=1e9, description="Weight of the penalty on large weights")


RECIPE = RecipeManifest(
    name="linear_policy",
    version="1.0",
    title="Linear policy",
    summary="A weighted sum for what each action would bring, with a ridge penalty; the best action, and tries of the others.",
    parameters=Parameters,
    tasks=("policy",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        few_rows=0.2,
        strength="a line for each action wants few rows of it, and its weights can be read",
        fit_s=0.5,
        row_us=60,
        size=20_000,
        is_explainable=True,
    ),
    space={
        "penalty": {"type": "float", "low": 0.1, "high": 1e4, "log": True},
        "learned": {"type": "categorical", "choices": ["direct", "weighted", "doubly_robust"]},
    },
)
