"""The parameters that all recipes for images share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ImageParameters(BaseModel):
    """What an image is, how it is changed while it is learned from, and how a net learns."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(
        default=None,
        max_length=130,
        description="Model to start from, such as digits@1 or digits@champion: an approved version with a net for images of "
        "the same size; its layers are then its own, all but the last",
    )
    tuning: Literal["full", "frozen"] = Field(
        default="full", description="What of the base learns on: all of it, or what lies behind frozen blocks"
    )
    frozen_blocks: int | None = Field(
        default=None,
        ge=0,
        le=64,
        description="First blocks that stay as they are (frozen); a block ends where images are halved; empty: all of them",
    )
    height: int | None = Field(default=None, ge=1, le=4096, description="Rows of an image; empty: images are square")
    width: int | None = Field(default=None, ge=1, le=4096, description="Columns of an image; empty: images are square")
    channels: int | None = Field(
        default=None, ge=1, le=64, description="Numbers of a pixel; empty: 1, 3 or 4, as it fits"
    )
    order: Literal["pixels", "planes"] = Field(
        default="pixels",
        description="Whether the numbers of a pixel lie side by side, or each channel as a whole plane",
    )
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

    @model_validator(mode="after")
    def starts_from_something(self) -> ImageParameters:
        """Refuse frozen weights that have learned nothing."""
        if self.base is None and self.tuning != "full":
            raise ValueError(f"tuning {self.tuning!r} wants a base, of which it leaves most as it is")
        return self
