"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of fitted Q iteration with trees."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=50, ge=1, le=1000, description="Trees of each action")
    min_rows_per_leaf: int = Field(default=10, ge=1, le=10_000, description="Rows that a leaf holds at least")
    iterations: int = Field(
        default=100,
        ge=1,
        le=2000,
        description="How many steps ahead are looked at, at most; it ends earlier when nothing moves",
    )
    rebuilds: int = Field(
        default=8,
        ge=1,
        le=200,
        description="Iterations in which the trees are grown anew; then only the values of their leaves move",
    )
    exploration: Literal["epsilon", "softmax"] = Field(
        default="epsilon", description="The best action, or more often what would bring more"
    )
    epsilon: float = Field(default=0.1, ge=0, le=1, description="Share of decisions drawn from all actions alike")
    temperature: float = Field(
        default=0.2,
        gt=0,
        le=100,
        description="Of softmax, in deviations of what episodes bring: the higher, the more is tried",
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="fitted_q",
    version="1.0",
    title="Fitted Q iteration",
    summary="Trees for what each action is worth together with all that follows; the best action, and tries of the others.",
    parameters=Parameters,
    tasks=("policy",),
    reads="episodes",
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.6,
        few_rows=-0.1,
        strength="it looks at what an action leads to, not only at what it brings at once",
        fit_s=15.0,
        row_us=400,
        size=2_000_000,
    ),
    space={
        "trees": {"type": "int", "low": 20, "high": 200, "log": True},
        "min_rows_per_leaf": {"type": "int", "low": 2, "high": 100, "log": True},
        "rebuilds": {"type": "int", "low": 1, "high": 20, "log": True},
    },
)
