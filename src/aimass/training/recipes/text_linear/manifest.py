"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a linear model of texts."""

    model_config = ConfigDict(extra="forbid")

    strength: float = Field(default=10.0, gt=0, le=1e6, description="Inverse of the regularisation: smaller is simpler")
    words_together: int = Field(
        default=2,
        ge=1,
        le=3,
        description="Words that are read as one feature at most; of Chinese and Japanese, signs",
    )
    letters: int = Field(
        default=0,
        ge=0,
        le=6,
        description="Letters that are read together at most, from 2, beside the words: for spelling; 0: none",
    )
    min_rows: int = Field(default=2, ge=1, le=10_000, description="Training rows that a feature occurs in at least")
    max_features: int = Field(
        default=20_000, ge=10, le=200_000, description="Most frequent features kept per text column"
    )
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (of numbers nothing is)"
    )
    max_iterations: int = Field(default=1000, ge=10, le=100_000, description="Iterations of the solver at most")
    copies: int = Field(default=0, ge=0, le=10, description="Varied copies of each training row; 0: none")
    dropped: float = Field(default=0.1, ge=0, le=0.5, description="Share of the words of a copy that are left out")
    swapped: float = Field(
        default=0.05, ge=0, le=0.5, description="Share of the words that change places with the next"
    )
    mistyped: float = Field(default=0.0, ge=0, le=0.5, description="Share of the words that get a wrong letter")
    max_categories: int = Field(
        default=100, ge=2, le=1000, description="Most frequent values kept per column of categories"
    )


RECIPE = RecipeManifest(
    name="text_linear",
    version="1.2",
    title="Linear text model",
    summary="Words and pairs of words of free text, weighted by how rare they are, beside the other columns; "
    "logistic regression of classes and labels, ridge regression of numbers, which tells its words.",
    parameters=Parameters,
    tasks=("classification", "multilabel", "regression"),
    needs=Needs(memory_mb=2048),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.95,
        strength="it reads the words of free text, and tells which of them speak for what",
        fit_s=60.0,
        row_us=120,
        size=2_000_000,
        is_explainable=True,
    ),
    space={
        "strength": {"type": "float", "low": 0.1, "high": 100.0, "log": True},
        "words_together": {"type": "int", "low": 1, "high": 3},
        "letters": {"type": "categorical", "choices": [0, 4]},
        "min_rows": {"type": "int", "low": 1, "high": 10, "log": True},
        "class_weight": {"type": "categorical", "choices": ["none", "balanced"]},
        "copies": {"type": "categorical", "choices": [0, 2]},
    },
    reads="texts",
)
