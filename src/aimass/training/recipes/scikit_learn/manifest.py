"""What the recipe is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aimass.training.recipes import RecipeManifest, Traits

NAME = r"^[A-Za-z][A-Za-z0-9]{1,63}$"


class Step(BaseModel):
    """A transformer that works on the columns before the estimator sees them."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME, description="Class of scikit-learn, for example SelectKBest or PCA")
    settings: dict[str, Any] = Field(default_factory=dict, description="Its arguments")


class Parameters(BaseModel):
    """The parameters of any estimator of scikit-learn."""

    model_config = ConfigDict(extra="forbid")

    estimator: str = Field(
        default="ExtraTrees",
        pattern=NAME,
        description="Class of scikit-learn; Classifier or Regressor is added by the task where it is missing",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="Its arguments; the rest get their defaults")
    before: list[Step] = Field(
        default_factory=list, max_length=8, description="Transformers in a row before it, after nulls and texts"
    )
    scale: bool | None = Field(default=None, description="Scale numbers; empty: for everything but trees")
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")


RECIPE = RecipeManifest(
    name="scikit_learn",
    version="1.0",
    title="scikit-learn estimator",
    summary="A classifier or regressor by its name, with transformers before it: what no recipe of its own brings.",
    parameters=Parameters,
    tasks=("classification", "regression"),
    capabilities=frozenset({"resumable", "exportable:onnx"}),
    traits=Traits(
        place=0.45,
        strength="extremely random trees differ from boosted ones, which helps a blend",
        fit_s=20.0,
        row_us=700,
        size=10_000_000,
    ),
    space={"estimator": {"type": "categorical", "choices": ["ExtraTrees", "MLP", "AdaBoost"]}},
)
