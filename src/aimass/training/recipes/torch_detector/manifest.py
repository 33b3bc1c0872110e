"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a net that finds objects."""

    model_config = ConfigDict(extra="forbid")

    height: int | None = Field(default=None, ge=8, le=4096, description="Rows of a picture; empty: pictures are square")
    width: int | None = Field(
        default=None, ge=8, le=4096, description="Columns of a picture; empty: pictures are square"
    )
    channels: int | None = Field(
        default=None, ge=1, le=64, description="Numbers of a pixel; empty: 1, 3 or 4, as it fits"
    )
    order: Literal["pixels", "planes"] = Field(
        default="pixels",
        description="Whether the numbers of a pixel lie side by side, or each channel as a whole plane",
    )
    halvings: int = Field(
        default=2,
        ge=1,
        le=4,
        description="How often height and width are halved before objects are looked for; fewer find smaller objects",
    )
    filters: int = Field(default=16, ge=4, le=256, description="Filters of the first layer")
    depth: int = Field(default=1, ge=1, le=6, description="Residual blocks at each of the two coarse sizes")
    most_objects: int = Field(default=50, ge=1, le=100, description="Objects that are told of one picture at most")
    least_score: float = Field(
        default=0.05, gt=0, lt=0.5, description="Objects that are less sure are not told at all; 0.5 counts as found"
    )
    shift: int = Field(
        default=4, ge=0, le=64, description="Pixels by which a picture is moved at most while it is learned from"
    )
    flip: bool = Field(
        default=False, description="Mirror half of the pictures while they are learned from; not with key points"
    )
    noise: float = Field(
        default=0.0, ge=0, le=2, description="Noise added while learning, in deviations of the numbers"
    )
    learning_rate: float = Field(
        default=0.004, gt=0, le=1, description="Size of the first steps; it falls to a twentieth"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=60, ge=1, le=10_000, description="Passes over the training pictures at most")
    batch_rows: int = Field(default=16, ge=2, le=4096, description="Pictures of one step")
    patience: int = Field(
        default=12,
        ge=0,
        le=1000,
        description="Epochs without a better loss before it stops; 0: never, and scores stay as the net says them",
    )
    held_out: float = Field(
        default=0.1,
        gt=0,
        lt=0.9,
        description="Share of the training pictures that tells when to stop, and how sure to be",
    )


RECIPE = RecipeManifest(
    name="torch_detector",
    version="1.0",
    title="Object detector",
    summary="Boxes, labels and key points of objects in pictures that lie in one column of lists: a small net without anchors "
    "whose one graph also picks the boxes and writes them down.",
    parameters=Parameters,
    tasks=("detection",),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.8,
        strength="it learns where objects are from a few hundred pictures, and answers without code of its own",
        fit_s=120.0,
        row_us=2000,
        size=700_000,
    ),
    space={
        "filters": {"type": "int", "low": 8, "high": 48, "log": True},
        "depth": {"type": "int", "low": 1, "high": 3},
        "halvings": {"type": "int", "low": 1, "high": 3},
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.02, "log": True},
        "weight_decay": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
    },
    reads="pictures",
    extra="deep",
    library="torch",
)
