"""What the recipe is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import Needs, RecipeManifest, Traits


class Parameters(BaseModel):
    """The parameters of a net that remembers."""

    model_config = ConfigDict(extra="forbid")

    cell: Literal["gru", "lstm"] = Field(default="gru", description="Kind of the cells that remember")
    layers: int = Field(default=1, ge=1, le=4, description="Layers of cells")
    units: int = Field(default=32, ge=2, le=1024, description="Numbers that each layer remembers")
    both_ways: bool = Field(default=False, description="Read each list backwards too")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share of what is remembered that a step leaves out")
    history: int | None = Field(
        default=None, ge=2, le=1500, description="Known values that a question holds; two seasons if absent (forecasts)"
    )
    read: int = Field(default=48, ge=2, le=1500, description="Newest known values that the cells read (forecasts)")
    inside: float = Field(
        default=0.8, ge=0.5, le=0.99, description="Share of the values that lie between low and high (forecasts)"
    )
    most_windows: int = Field(
        default=20_000, ge=1000, le=1_000_000, description="Windows that are learned from at most (forecasts)"
    )
    learning_rate: float = Field(
        default=0.003, gt=0, le=1, description="Size of the first steps; it falls to a twentieth"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="How strongly weights are pulled to 0")
    clip: float = Field(default=1.0, ge=0, le=1000, description="Largest length of a gradient; 0: any")
    epochs: int = Field(default=20, ge=1, le=10_000, description="Passes over the training rows at most")
    batch_rows: int = Field(default=128, ge=2, le=65_536, description="Rows of one step")
    patience: int = Field(
        default=5, ge=0, le=1000, description="Epochs without a better loss before it stops; 0: never"
    )
    held_out: float = Field(default=0.1, gt=0, lt=0.9, description="Share of the training rows that tells when to stop")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="Weight rare classes up (classification)"
    )


RECIPE = RecipeManifest(
    name="torch_recurrent",
    version="1.0",
    title="Recurrent network",
    summary="GRU or LSTM cells that read lists moment by moment: windows of sensors, or a series to forecast; learned by torch.",
    parameters=Parameters,
    tasks=("classification", "regression", "forecasting"),
    needs=Needs(memory_mb=2048),
    capabilities=frozenset({"resumable", "prunable", "exportable:onnx"}),
    steps="epochs",
    traits=Traits(
        place=0.35,
        few_rows=-0.3,
        strength="cells that remember read a list in its order, which trees do not",
        fit_s=240.0,
        row_us=400,
        size=60_000,
    ),
    space={
        "cell": {"type": "categorical", "choices": ["gru", "lstm"]},
        "layers": {"type": "int", "low": 1, "high": 2},
        "units": {"type": "int", "low": 8, "high": 128, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.02, "log": True},
    },
    reads="moments",
    extra="deep",
    library="torch",
)
