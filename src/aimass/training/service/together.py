"""Rows that belong together as an episode: which columns tell it, and what later rewards are worth."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Invalid
from aimass.training.domain.splits import CreateSplit, Split
from aimass.training.tasks import TASKS

USUAL_DISCOUNT = 0.95


def discount_of(command: CreateSplit) -> float:
    """Return what a reward one step later is worth."""
    if command.episode_column is None:
        return 1.0
    return USUAL_DISCOUNT if command.discount is None else command.discount


def episodes_of(split: Split) -> dict[str, Any]:
    """Return the part of a job's payload that names episodes."""
    return {"episode": split.episode_column, "step": split.step_column, "discount": split.discount}


def check_episode_columns(command: CreateSplit) -> None:
    """Refuse columns of episodes for anything but a policy, one of them alone, and those that play another part."""
    needs_action = command.task is not None and TASKS[command.task].needs_action
    for field in ("episode_column", "step_column", "discount"):
        if getattr(command, field) is not None and not needs_action:
            raise Invalid(
                "only a policy has episodes",
                field=field,
                value=getattr(command, field),
                hint="split for the task policy, or leave it out",
            )
    if command.episode_column is None:
        left = next((field for field in ("step_column", "discount") if getattr(command, field) is not None), None)
        if left:
            raise Invalid(
                "steps follow each other in an episode",
                field="episode_column",
                value=None,
                hint="name the column of the episode, or leave step and discount out",
            )
        return
    if command.step_column is None:
        raise Invalid(
            "an episode needs the column that puts its rows in order",
            field="step_column",
            value=None,
            hint="name the column of the step, or of the moment",
        )
    _check_apart(command)


def _check_apart(command: CreateSplit) -> None:
    if command.group_column:
        raise Invalid(
            "episodes are the groups of such a split",
            field="group_column",
            value=command.group_column,
            allowed=None,
            hint="leave it out; or make episodes of whole groups",
        )
    taken = {command.target, command.key_column, command.action_column, command.propensity_column}
    for field in ("episode_column", "step_column"):
        if getattr(command, field) in taken:
            raise Invalid("this column plays another part already", field=field, value=getattr(command, field))
    if command.episode_column in (command.step_column, command.time_column):
        raise Invalid("the episode and its order are two columns", field="episode_column", value=command.episode_column)
