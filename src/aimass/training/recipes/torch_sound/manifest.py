"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aimass.training.recipes import Needs, RecipeManifest, Traits
from aimass.training.recipes.sounds.parameters import Hearing


class Parameters(Hearing):
    """The parameters of a small convolutional net that hears."""

    filters: int = Field(default=48, ge=4, le=512, description="Filters of each layer")
    blocks: int = Field(
        default=3, ge=1, le=8, description="Blocks: a convolution for each filter alone, and one across the filters"
    )
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the filters before the last layer that a step leaves out"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="Share of the truth that is spread over all classes"
    )
    shift_ms: float = Field(
        default=100.0,
        ge=0,
        le=5_000,
        description="Milliseconds by which a clip is moved at most while it is learned from",
    )
    noise: float = Field(
        default=0.1, ge=0, le=10, description="Noise added at most while learning, in deviations of the samples"
    )
    mask_bands: int = Field(
        default=6, ge=0, le=128, description="Neighbouring bands that are hidden at most while it is learned from"
    )
    mask_ms: float = Field(
        default=100.0, ge=0, le=5_000, description="Milliseconds that are hidden at most while it is learned from"
    )
    learning_rate: float = Field(
        default=0.005, gt=0, le=1, description="Size of the first steps; it falls to a twentieth"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=30, ge=1, le=10_000, description="Passes over the training clips at most")
    batch_rows: int = Field(default=32, ge=2, le=65_536, description="Clips of one step")
    patience: int = Field(
        default=8, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="Share of the training clips that tells when to stop"
    )
    class_weight: Literal["none", "balanced"] = Field(default="none", description="Weight rare classes up")


RECIPE = RecipeManifest(
    name="torch_sound",
    version="1.0",
    title="Sound network",
    summary="Classes of short clips of sound that lie in one column of lists: a log-mel picture and separable convolutions, "
    "learned with shifts, noise and masks; one graph from samples to shares.",
    parameters=Parameters,
    tasks=("classification",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "prunable", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.95,
        strength="separable convolutions on a log-mel picture win on words and noises",
        fit_s=8.0,
        row_us=1200,
        size=950_000,
    ),
    space={
        "filters": {"type": "int", "low": 16, "high": 96, "log": True},
        "blocks": {"type": "int", "low": 2, "high": 5},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "learning_rate": {"type": "float", "low": 0.001, "high": 0.02, "log": True},
        "mask_bands": {"type": "int", "low": 0, "high": 12},
    },
    reads="sounds",
    extra="deep",
    library="torch",
)
