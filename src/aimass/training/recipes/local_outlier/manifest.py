"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of the local outlier factor."""

    model_config = ConfigDict(extra="forbid")

    contamination: float = Field(
        default=0.02, gt=0, le=0.5, description="Share of the training rows that is flagged; sets the threshold alone"
    )
    neighbours: int = Field(default=20, ge=1, le=500, description="Rows that a row is compared with")
    rows: int = Field(
        default=2000,
        ge=10,
        le=20_000,
        description="Training rows kept at most, drawn by the seed; the model carries them",
    )
    max_categories: int = Field(default=30, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="local_outlier",
    version="1.0",
    title="Local outlier factor",
    summary="Rows in emptier places than their nearest neighbours are strange: finds what is odd beside its own kind.",
    parameters=Parameters,
    tasks=("anomaly",),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        few_rows=0.15,
        strength="it compares a row with its neighbours, so groups may be dense and sparse",
        fit_s=3.0,
        row_us=900,
        size=300_000,
    ),
    space={
        "neighbours": {"type": "int", "low": 5, "high": 100, "log": True},
        "rows": {"type": "int", "low": 500, "high": 4000, "log": True},
    },
)
