"""What the recipe is."""

from __future__ import annotations

from pydantic import Field

from aimass.training.recipes import RecipeManifest, Traits
from aimass.training.recipes.exploring import PolicyParameters


class Parameters(PolicyParameters):
    """The parameters of a policy of boosted trees."""

    trees: int = Field(default=100, ge=1, le=5000, description="Trees of each action, one after the other")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Weight of each tree")
    max_leaves: int = Field(default=8, ge=2, le=1024, description="Leaves of a tree at most")
    min_rows_per_leaf: int = Field(default=20, ge=1, le=10_000, description="Rows that a leaf holds at least")


RECIPE = RecipeManifest(
    name="lightgbm_policy",
    version="1.0",
    title="LightGBM policy",
    summary="Boosted trees for what each action would bring; the best action, and tries of the others.",
    parameters=Parameters,
    tasks=("policy",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.9,
        few_rows=-0.3,
        strength="trees find for whom an action is worth more than another",
        fit_s=10.0,
        row_us=300,
        size=300_000,
    ),
    space={
        "trees": {"type": "int", "low": 30, "high": 400, "log": True},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_leaves": {"type": "int", "low": 4, "high": 32, "log": True},
        "learned": {"type": "categorical", "choices": ["direct", "weighted", "doubly_robust"]},
    },
)
