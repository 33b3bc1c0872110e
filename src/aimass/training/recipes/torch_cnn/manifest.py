"""What the recipe is."""

from __future__ import annotations

from pydantic import Field

from aimass.training.recipes import Needs, RecipeManifest, Traits
from aimass.training.recipes.imageparams import ImageParameters


class Parameters(ImageParameters):
    """The parameters of a convolutional net."""

    blocks: int = Field(
        default=2, ge=1, le=6, description="Blocks; each halves height and width and doubles the filters"
    )
    filters: int = Field(default=16, ge=2, le=512, description="Filters of the first block")
    residual: bool = Field(
        default=False, description="Add two more layers to each block, around which its input goes too"
    )
    units: int = Field(default=64, ge=0, le=4096, description="Units of the layer behind the blocks; 0: none")
    batch_norm: bool = Field(default=True, description="Normalise each layer over the rows of a batch")


RECIPE = RecipeManifest(
    name="torch_cnn",
    version="1.0",
    title="Convolutional network",
    summary="Classes or numbers of images that lie in one column of lists: convolutions with batch norm, residual blocks and augmentation.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    needs=Needs(memory_mb=4096),
    capabilities=frozenset({"resumable", "prunable", "compressible", "fine_tunes", "exportable:onnx"}),
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
