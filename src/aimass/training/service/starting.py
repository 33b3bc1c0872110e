"""What a learner may begin with: the knowledge of another one of the same model, at a snapshot or as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from aimass.kernel.errors import Conflict, Invalid
from aimass.training.domain.learners import CreateLearner
from aimass.training.domain.splits import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What another learner knew: the hash of its file, and what it is."""

    slug: str
    model: str
    params: Mapping[str, Any]
    dataset: str
    split: str
    sha256: str


def check_alone(command: CreateLearner) -> None:
    """Refuse what says how to begin with another learner where none is named."""
    for field, is_given in (
        ("start_snapshot", command.start_snapshot is not None),
        ("transfer", command.transfer != "plain"),
    ):
        if is_given:
            raise Invalid(
                "no learner is named whose knowledge it could begin with",
                field=field,
                value=getattr(command, field),
                hint="name one in start_from",
            )


def start_of(row: Row[Any], snapshots: Sequence[Row[Any]], command: CreateLearner) -> Start:
    """Return what a learner knows, or knew at a snapshot that is still kept."""
    sha256 = row.sha256
    if command.start_snapshot is not None:
        kept = {one.number: one.sha256 for one in snapshots if one.sha256 is not None}
        if command.start_snapshot not in kept:
            raise Invalid(
                f"what learner {row.slug!r} knew at snapshot {command.start_snapshot} is not kept",
                field="start_snapshot",
                value=command.start_snapshot,
                allowed=sorted(kept),
            )
        sha256 = kept[command.start_snapshot]
    if sha256 is None or not row.seq:
        raise Conflict(
            f"learner {row.slug!r} knows nothing yet",
            field="start_from",
            value=row.slug,
            hint="wait until it has learned its first rows",
        )
    return Start(slug=row.slug, model=row.model, params=row.params, dataset=row.dataset, split=row.split, sha256=sha256)


def check_start(start: Start, command: CreateLearner, split: Split) -> None:
    """Refuse another model, and a split whose judging rows the other learner may have learned."""
    if command.model not in (None, start.model):
        raise Invalid(
            f"a learner that begins with what {start.slug!r} knows has its model",
            field="model",
            value=command.model,
            allowed=start.model,
            hint="leave the model out, or begin without start_from",
        )
    if split.dataset == start.dataset and split.id != start.split:
        raise Invalid(
            f"learner {start.slug!r} learned the same dataset by another split, so it may know the rows that judge here",
            field="split",
            value=split.id,
            allowed=start.split,
            hint="take the split of that learner, or another dataset",
        )
    if command.transfer == "weighted" and split.task == "policy":
        raise Invalid(
            "rows of decisions are not weighted between domains", field="transfer", value="weighted", allowed="plain"
        )


def same_params(command: CreateLearner, params: Mapping[str, Any], start: Start) -> dict[str, Any]:
    """Return the parameters of the other learner; others than these would be those of another model.

    Examples
    --------
    >>> wish = CreateLearner(workspace="demo", name="b", split="s", start_from="a", params={"l2": 0.1})
    >>> start = Start(slug="a", model="m", params={"l2": 0.1}, dataset="d", split="t", sha256="")
    >>> same_params(wish, {"l2": 0.1}, start)
    {'l2': 0.1}
    """
    if command.params:
        wrong = next((name for name in command.params if params[name] != start.params.get(name)), None)
        if wrong is not None:
            raise Invalid(
                f"a learner that begins with what {start.slug!r} knows has its parameters",
                field=f"params.{wrong}",
                value=params[wrong],
                allowed=start.params.get(wrong),
            )
    return dict(start.params)
