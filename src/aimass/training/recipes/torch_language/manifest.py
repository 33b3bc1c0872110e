"""What the recipe is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a net that goes on with texts."""

    model_config = ConfigDict(extra="forbid")

    vocabulary: int = Field(
        default=1024, ge=257, le=16_384, description="Pieces of text at most: 256 bytes, the end, and pairs"
    )
    context: int = Field(default=128, ge=8, le=1024, description="Pieces that it looks back")
    layers: int = Field(default=2, ge=1, le=12, description="Layers behind each other")
    width: int = Field(default=64, ge=8, le=512, description="Numbers that stand for a piece, and of a text's vector")
    heads: int = Field(default=4, ge=1, le=16, description="Heads of the attention; they share the width")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share of the numbers that a step leaves out")
    learning_rate: float = Field(default=0.003, gt=0, le=1, description="Size of the largest steps")
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="Share of the steps over which they grow at first")
    clip: float = Field(default=1.0, ge=0, le=1000, description="Longest gradient of a step; 0: any")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=30, ge=1, le=10_000, description="Passes over the training texts at most")
    batch_rows: int = Field(default=16, ge=2, le=4096, description="Stretches of text of one step")
    patience: int = Field(
        default=3, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="Share of the training texts that tells when to stop"
    )

    @model_validator(mode="after")
    def fits_together(self) -> Parameters:
        """Refuse a width that cannot be shared."""
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.width}")
        return self


RECIPE = RecipeManifest(
    name="torch_language",
    version="1.0",
    title="Language net",
    summary="A small decoder of a transformer over pieces of text, learned by torch; its package is an ONNX graph and needs no torch.",
    parameters=Parameters,
    tasks=("language",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.7,
        few_rows=-0.3,
        strength="it looks back further than counts do",
        fit_s=60_000.0,
        row_us=3000,
        size=1_000_000,
    ),
    space={
        "layers": {"type": "int", "low": 1, "high": 4},
        "width": {"type": "categorical", "choices": [32, 64, 128]},
        "dropout": {"type": "float", "low": 0.0, "high": 0.4},
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.01, "log": True},
    },
    reads="texts",
    extra="deep",
    library="torch",
)
