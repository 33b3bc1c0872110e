"""Parameters of recipes of tables that learn from more rows than there are, see ``enlarging.py``; light, for manifests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Augment = Annotated[
    Literal["none", "noise", "mixup", "between"],
    Field(
        description="Rows made of training rows: copies with noise, mixtures of two, rows between those of a rare class"
    ),
]
AugmentShare = Annotated[
    float,
    Field(gt=0, le=5, description="Rows that are made, as a share of the training rows (or of what a class lacks)"),
]
