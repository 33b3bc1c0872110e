"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a transformer that reads."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(
        default=None,
        max_length=130,
        description="Model to start from, such as words@1 or words@champion: imported weights, or another run of this "
        "recipe; sizes and pieces are then its own",
    )
    tuning: Literal["full", "lora", "frozen"] = Field(
        default="full",
        description="What of the base learns on: all of it, small adapters beside it, or what lies behind frozen layers",
    )
    frozen_layers: int | None = Field(
        default=None, ge=0, le=48, description="First layers that stay as they are (frozen); empty: all of them"
    )
    rank: int = Field(default=8, ge=1, le=256, description="Numbers that an adapter has room for (lora)")
    alpha: float = Field(
        default=16.0, gt=0, le=1024, description="How much what an adapter learns counts, beside its rank (lora)"
    )
    layers: int = Field(default=2, ge=1, le=48, description="Layers behind each other")
    width: int = Field(default=64, ge=4, le=2048, description="Numbers that stand for a piece of a word")
    heads: int = Field(default=4, ge=1, le=64, description="Heads of the attention; they share the width")
    vocabulary: int = Field(
        default=4000, ge=50, le=200_000, description="Pieces of words that are found in the texts at most"
    )
    folds_case: bool = Field(default=True, description="Whether capital letters and accents make no difference")
    length: int = Field(default=128, ge=4, le=4096, description="Pieces of a text that are read; what follows is not")
    pooling: Literal["mean", "first"] = Field(
        default="mean", description="Whether the mean of all pieces tells the class, or the beginning of the text"
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share of the numbers that a step leaves out")
    masking: float = Field(
        default=0.0, ge=0, le=0.9, description="Share of the pieces that are hidden while a text is learned from"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="Share of the truth that is spread over all classes"
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Size of the largest steps; empty: 0.002, from a base 0.001, or 0.0001 where all of it learns on",
    )
    warm_up: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps over which they grow at first")
    clip: float = Field(default=1.0, ge=0, le=1000, description="Longest gradient of a step; 0: any")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=15, ge=1, le=10_000, description="Passes over the training texts at most")
    batch_rows: int = Field(default=32, ge=2, le=65_536, description="Texts of one step")
    patience: int = Field(
        default=4, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="Share of the training texts that tells when to stop"
    )
    class_weight: Literal["none", "balanced"] = Field(default="none", description="Weight rare classes up")

    @model_validator(mode="after")
    def fits_together(self) -> Parameters:
        """Refuse a width that cannot be shared, and frozen weights that have learned nothing."""
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.width}")
        if self.base is None and self.tuning != "full":
            raise ValueError(f"tuning {self.tuning!r} wants a base, of which it leaves most as it is")
        return self


RECIPE = RecipeManifest(
    name="torch_transformer",
    version="1.0",
    title="Text transformer",
    summary="Classes of texts in one column: a transformer that reads pieces of words in their order; learned by torch.",
    parameters=Parameters,
    tasks=("classification",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "prunable", "fine_tunes", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.7,
        few_rows=-0.4,
        strength="it reads words in their order",
        fit_s=3000.0,
        row_us=1500,
        size=1_500_000,
    ),
    space={
        "layers": {"type": "int", "low": 1, "high": 4},
        "width": {"type": "categorical", "choices": [32, 64, 128]},
        "dropout": {"type": "float", "low": 0.0, "high": 0.4},
        "masking": {"type": "float", "low": 0.0, "high": 0.3},
        "learning_rate": {"type": "float", "low": 0.0003, "high": 0.01, "log": True},
    },
    reads="text",
    extra="deep",
    library="torch",
)
