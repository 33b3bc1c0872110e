"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a convolutional net."""

    model_config = ConfigDict(extra="forbid")

    height: int | None = Field(default=None, ge=1, le=4096, description="Rows of an image; empty: images are square")
    width: int | None = Field(default=None, ge=1, le=4096, description="Columns of an image; empty: images are square")
    channels: int | None = Field(
        default=None, ge=1, le=64, description="Numbers of a pixel; empty: 1, 3 or 4, as it fits"
    )
    order: Literal["pixels", "planes"] = Field(
        default="pixels",
        description="Whether the numbers of a pixel lie side by side, or each channel as a whole plane",
    )
    blocks: int = Field(
        default=2, ge=1, le=6, description="Blocks; each halves height and width and doubles the filters"
    )
    filters: int = Field(default=16, ge=2, le=512, description="Filters of the first block")
    residual: bool = Field(
        default=False, description="Add two more layers to each block, around which its input goes too"
    )
    units: int = Field(default=64, ge=0, le=4096, description="Units of the layer behind the blocks; 0: none")
    batch_norm: bool = Field(default=True, description="Normalise each layer over the rows of a batch")
    dropout: float = Field(
        default=0.25, ge=0, lt=1, description="Share of the units before the last layer that a step leaves out"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="Share of the truth that is spread over all classes"
    )
    shift: int = Field(
        default=0, ge=0, le=64, description="Pixels by which an image is moved at most while it is learned from"
    )
    flip: bool = Field(default=False, description="Mirror half of the images while they are learned from")
    noise: float = Field(
        default=0.0, ge=0, le=2, description="Noise added while learning, in deviations of the numbers"
    )
    learning_rate: float = Field(
        default=0.003, gt=0, le=1, description="Size of the first steps; it falls to a twentieth"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=15, ge=1, le=10_000, description="Passes over the training images at most")
    batch_rows: int = Field(default=64, ge=2, le=65_536, description="Images of one step")
    patience: int = Field(
        default=5, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="Share of the training images that tells when to stop"
    )
    class_weight: Literal["none", "balanced"] = Field(default="none", description="Weight rare classes up")


RECIPE = RecipeManifest(
    name="torch_cnn",
    version="1.0",
    title="Convolutional network",
    summary="Classes of images that lie in one column of lists: convolutions with batch norm, residual blocks and augmentation.",
    parameters=Parameters,
    tasks=("classification",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "prunable", "compressible", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.9,
        strength="convolutions win on images",
        fit_s=60.0,
        row_us=200,
        size=500_000,
    ),
    space={
        "blocks": {"type": "int", "low": 1, "high": 3},
        "filters": {"type": "int", "low": 8, "high": 64, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.02, "log": True},
        "weight_decay": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
    },
    reads="lists",
    extra="deep",
    library="torch",
)
