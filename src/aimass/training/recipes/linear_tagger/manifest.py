"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a linear chain of tags."""

    model_config = ConfigDict(extra="forbid")

    strength: float = Field(default=1.0, gt=0, le=1e6, description="Inverse of the regularisation: smaller is simpler")
    window: int = Field(default=2, ge=0, le=4, description="Words to the left and to the right that are looked at")
    letters: int = Field(
        default=3, ge=0, le=6, description="Letters at the beginning and at the end of a word that are looked at"
    )
    min_words: int = Field(
        default=2, ge=1, le=10_000, description="How often a word, a beginning or an end occurs at least to be known"
    )
    max_features: int = Field(
        default=50_000, ge=10, le=500_000, description="Most frequent words, beginnings and ends kept, of each kind"
    )
    max_iterations: int = Field(default=100, ge=5, le=10_000, description="Iterations of the solver at most")


RECIPE = RecipeManifest(
    name="linear_tagger",
    version="1.0",
    title="Linear tagger",
    summary="A linear chain (conditional random field) over words, their cases, beginnings and ends, and those of their "
    "neighbours; one ONNX graph from a text to its entities.",
    parameters=Parameters,
    tasks=("tagging",),
    needs=Needs(memory_mb=2048),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        strength="it reads words in their order, and learns from a few hundred marked texts",
        fit_s=2000.0,
        row_us=500,
        size=2_000_000,
        is_explainable=True,
    ),
    space={
        "strength": {"type": "float", "low": 0.01, "high": 100.0, "log": True},
        "window": {"type": "int", "low": 0, "high": 3},
        "letters": {"type": "int", "low": 0, "high": 5},
        "min_words": {"type": "int", "low": 1, "high": 5},
    },
    reads="texts",
)
