"""How rows are split again for a model of the same question: everything that its task was told stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

from aimass.training import CreateSplit, Split, find_task


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRows:
    """The version of a dataset that is split again; ``key``: the same one twice is one split."""

    dataset: str
    version: int
    target: str | None
    key: str | None = None


def order_again(base: Split, rows: NewRows) -> CreateSplit:
    """Return the wish for a split that asks what the base asked, of other rows.

    Rows that the base knows keep their part and new ones go to train. Of series no part can be kept, because parts follow each
    other in time: later rows move all borders on, so what was for judging may be learned from, and what judges now is newer than
    all that the base knew to be for training.
    """
    task = find_task(base.task or "classification")
    return CreateSplit(
        workspace=base.workspace,
        dataset=rows.dataset,
        dataset_version=rows.version,
        target=rows.target or base.target,
        task=base.task,
        key_column=base.key_column,
        group_column=base.group_column,
        time_column=base.time_column,
        horizon=base.horizon,
        known_ahead=list(base.known_ahead) or None,
        past=list(base.past) or None,
        label_separator=base.label_separator,
        action_column=base.action_column,
        propensity_column=base.propensity_column,
        episode_column=base.episode_column,
        step_column=base.step_column,
        discount=base.discount if base.episode_column else None,
        fractions=base.fractions,
        seed=base.seed,
        stratify=base.stratify,
        base=None if task.is_windowed else base.id,
        new_rows="train",
        key=rows.key,
    )
