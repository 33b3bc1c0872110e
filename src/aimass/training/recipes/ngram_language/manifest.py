"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a model of counts."""

    model_config = ConfigDict(extra="forbid")

    vocabulary: int = Field(
        default=1024, ge=257, le=4096, description="Pieces of text at most: 256 bytes, the end, and pairs"
    )
    order: int = Field(default=4, ge=2, le=5, description="Pieces that are looked at: the next one and those before it")
    least_count: int = Field(
        default=1, ge=1, le=100, description="How often three pieces or more followed each other at least to be kept"
    )
    dimensions: int = Field(default=32, ge=1, le=256, description="Numbers of a text's vector")


RECIPE = RecipeManifest(
    name="ngram_language",
    version="1.0",
    title="N-gram model",
    summary="Which pieces of text followed each other, by interpolated Kneser-Ney, and vectors of texts by what occurs together; "
    "without torch, in seconds.",
    parameters=Parameters,
    tasks=("language",),
    needs=Needs(memory_mb=2048),
    capabilities=frozenset({"resumable"}),
    traits=Traits(
        place=0.6,
        few_rows=0.2,
        strength="it learns from a few hundred texts, and never meets a sign that it cannot read",
        fit_s=500.0,
        row_us=500,
        size=2_000_000,
    ),
    space={
        "vocabulary": {"type": "int", "low": 300, "high": 4096, "log": True},
        "order": {"type": "int", "low": 2, "high": 5},
        "least_count": {"type": "int", "low": 1, "high": 3},
    },
    reads="texts",
)
