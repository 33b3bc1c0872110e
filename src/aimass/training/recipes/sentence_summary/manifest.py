"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of summaries out of sentences."""

    model_config = ConfigDict(extra="forbid")

    sentences: int = Field(default=3, ge=1, le=50, description="Sentences of a summary at most")
    characters: int = Field(default=0, ge=0, le=100_000, description="Characters of a summary at most; 0 is no limit")
    diversity: float = Field(
        default=0.3, ge=0, le=2, description="How much a sentence loses that says what another one says already"
    )
    strength: float = Field(default=1.0, gt=0, le=1e6, description="Inverse of the regularisation: smaller is simpler")


RECIPE = RecipeManifest(
    name="sentence_summary",
    version="1.0",
    title="Sentence summary",
    summary="The sentences of a text that say most of it: weighed by place, length and likeness, as the sentences are that come "
    "nearest to what people wrote.",
    parameters=Parameters,
    tasks=("summary",),
    needs=Needs(memory_mb=1024),
    capabilities=frozenset({"resumable"}),
    traits=Traits(
        place=0.6,
        strength="it says nothing that the text does not say, and learns from a hundred summaries",
        fit_s=3000.0,
        row_us=2000,
        size=60_000,
        is_explainable=True,
    ),
    space={
        "diversity": {"type": "float", "low": 0.0, "high": 1.0},
        "strength": {"type": "float", "low": 0.01, "high": 100.0, "log": True},
    },
    reads="texts",
)
