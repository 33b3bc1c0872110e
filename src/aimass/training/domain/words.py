"""Words that every part of the room uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.pages import MAX_LIMIT

RunState = Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]
WorkState = Literal["PENDING", "READY", "FAILED"]
Part = Literal["train", "validation", "test", "future"]
ENDED: tuple[RunState, ...] = ("FINISHED", "FAILED", "KILLED")
FIT, SPLIT, EVALUATE, GATE = "training.fit", "training.split", "training.evaluate", "training.metric_gate"
BLEND, COMPRESS, OWN = "training.blend", "training.compress", "training.own"
FRACTIONS: Mapping[str, float] = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
DEFAULT = "default"
Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
RunId = Annotated[str, MaxLen(26), doc("id of the run")]
SplitId = Annotated[str, MaxLen(26), doc("id of the split")]
RecipeName = Annotated[str, MaxLen(120), doc("name of the recipe; my_recipe.py@RUN is the file that a run kept")]
ExperimentSlug = Annotated[str, MaxLen(63), doc("slug of the experiment")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")]
Cursor = Annotated[str | None, doc("where the page before ended")]
Key = Annotated[str | None, MaxLen(120), doc("makes it happen once, however often it is asked")]
