"""The parameters that every recipe of policies has."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PolicyParameters(BaseModel):
    """How a policy learns from what was logged, and how it goes on trying."""

    model_config = ConfigDict(extra="forbid")

    learned: Literal["direct", "weighted", "doubly_robust"] = Field(
        default="doubly_robust",
        description="From the rows in which an action was taken; from these by how seldom they were logged; or from all",
    )
    exploration: Literal["epsilon", "softmax"] = Field(
        default="epsilon", description="The best action, or more often what would bring more"
    )
    epsilon: float = Field(default=0.1, ge=0, le=1, description="Share of decisions drawn from all actions alike")
    temperature: float = Field(
        default=0.2, gt=0, le=100, description="Of softmax, in deviations of the reward: the higher, the more is tried"
    )
    max_categories: int = Field(default=100, ge=2, le=1000, description="Most frequent values kept per text column")
