"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a net of layers in a row."""

    model_config = ConfigDict(extra="forbid")

    layers: int = Field(default=2, ge=1, le=8, description="Hidden layers")
    units: int = Field(default=64, ge=2, le=4096, description="Units of each hidden layer")
    batch_norm: bool = Field(default=True, description="Normalise each layer over the rows of a batch")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Share of the units that a step leaves out")
    learning_rate: float = Field(
        default=0.003, gt=0, le=1, description="Size of the first steps; it falls to a twentieth"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    epochs: int = Field(default=40, ge=1, le=10_000, description="Passes over the training rows at most")
    batch_rows: int = Field(default=64, ge=2, le=65_536, description="Rows of one step")
    patience: int = Field(
        default=8, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(default=0.1, gt=0, lt=0.9, description="Share of the training rows that tells when to stop")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (classification)"
    )
    loss: Literal["squared", "absolute", "huber"] = Field(
        default="squared",
        description="What an error costs (regression): its square, its size, or its square as far as huber_at and its size beyond",
    )
    huber_at: float = Field(
        default=1.345,
        gt=0,
        le=100,
        description="Where large errors begin, in spreads of the target without its extremes",
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
    beside: list[str] = Field(
        default_factory=list[str],
        max_length=20,
        description="Further targets, learned beside the main one by the same layers; no inputs",
    )
    beside_weight: float = Field(
        default=1.0, gt=0, le=100, description="How much the further targets count together; the main one counts 1"
    )


RECIPE = RecipeManifest(
    name="torch_mlp",
    version="1.0",
    title="Neural network",
    summary="A net of layers with batch norm and dropout, stopped where held-out rows stop to improve; learned by torch.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    needs=Needs(memory_mb=2048),
    capabilities=frozenset({"resumable", "prunable", "compressible", "learns_beside", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.4,
        few_rows=-0.2,
        strength="a net finds smooth shapes that trees do not, which helps a blend",
        fit_s=60.0,
        row_us=120,
        size=60_000,
    ),
    space={
        "layers": {"type": "int", "low": 1, "high": 4},
        "units": {"type": "int", "low": 16, "high": 256, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "learning_rate": {"type": "float", "low": 0.0003, "high": 0.03, "log": True},
        "weight_decay": {"type": "float", "low": 0.0001, "high": 1.0, "log": True},
    },
    extra="deep",
    library="torch",
)
