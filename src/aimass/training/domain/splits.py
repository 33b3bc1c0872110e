"""Splits: which row belongs to which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MaxLen, MinLen, doc

from aimass.training.domain.words import FRACTIONS, Cursor, Key, Limit, Part, SplitId, Workspace, WorkState
from aimass.training.tasks import TaskName


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which row of a dataset version belongs to which part, by a stored seed, by groups, by time, or by both.

    Attributes
    ----------
    task
        What the target is predicted as; None until the job has looked at the target, where nobody named one.
    group_column
        Rows with the same value of it lie in one part; of forecasting they are one series.
    time_column
        Rows that are later by it lie in later parts.
    horizon
        Steps ahead of a forecast; None for other tasks, and until the job has looked at the rows, where nobody named it.
    label_separator
        What cuts the text of the target into labels; None where it holds lists, and for other tasks.
    action_column, propensity_column
        Of a policy: which action was taken, and the chance that it had; the chance is estimated where no column tells it.
    episode_column, step_column
        Of a policy of several steps: which episode a row belongs to, and what puts its rows in order.
    discount
        What a reward one step later is worth; 1 for decisions of one step.
    known_ahead
        Columns beside the target of a series whose values are known for the moments that are forecast.
    past
        Columns beside the target of a series whose values are known up to the moment at which it is asked.
    key_column
        The column that names a row; rows keep their part in the splits of later versions by it.
    base
        The split of an earlier version, whose parts were kept.
    target
        The column that tells what is true; empty where none does.
    classes
        Rows by part and class; empty where numbers are predicted.
    texts
        The columns of free text among those to learn from.
    lists
        How many numbers a cell holds, by column of lists among those to learn from.
    """

    id: str
    workspace: str
    dataset: str
    dataset_version: int
    target: str
    task: TaskName | None
    key_column: str | None
    group_column: str | None
    time_column: str | None
    horizon: int | None
    label_separator: str | None
    action_column: str | None
    propensity_column: str | None
    episode_column: str | None
    step_column: str | None
    discount: float
    known_ahead: tuple[str, ...]
    past: tuple[str, ...]
    fractions: Mapping[str, float]
    seed: int
    stratify: bool
    base: str | None
    state: WorkState
    counts: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    sha256: str | None
    notes: tuple[str, ...]
    texts: tuple[str, ...]
    lists: Mapping[str, int]
    error: Mapping[str, Any] | None
    job: str | None
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSplit:
    """Split a dataset version.

    Without ``task`` the target tells it: text, truth values and up to 20 different whole numbers are classes; numbers with
    fractions, or more of them, are predicted as numbers (regression). With ``group_column`` a group lies in one part, whole; with
    ``time_column`` the earliest rows are for training and the latest for later; with both, later parts hold later rows of groups
    that earlier ones do not know, and the rest is left out. The folds of a cross-validation obey the same. Lists of texts are several labels a row (multilabel), and so is a text that ``label_separator``
    cuts. Forecasting needs ``time_column``, looks ``horizon`` steps ahead, and takes ``group_column`` as the name of the series;
    columns of ``known_ahead`` (future covariates: a holiday, a promotion, the weather forecast) and of ``past`` (past
    covariates) are learned from beside the target. A policy needs ``action_column``, and predicts what came of it: the target is
    the reward; with ``episode_column`` its rows follow each other by ``step_column``, episodes lie in one part, and what counts is the
    sum of their rewards, each step later less by ``discount``. With ``base`` the rows of an earlier split keep their part, so that a test set stays untouched when the dataset
    grows; new rows go to ``new_rows``.
    """

    workspace: Workspace
    dataset: Annotated[str, MaxLen(63), doc("slug of the dataset")]
    target: Annotated[
        str, MaxLen(255), doc("column to predict; for anomaly and clustering none, or one to measure by")
    ] = ""
    dataset_version: Annotated[int | None, Ge(1), doc("number of the version; the newest if absent")] = None
    task: Annotated[TaskName | None, doc("what the target is predicted as; found from the target if absent")] = None
    key_column: Annotated[str | None, MaxLen(255), doc("column that names a row; never learned from")] = None
    group_column: Annotated[
        str | None,
        MaxLen(255),
        doc("rows with the same value stay together, of forecasting as a series; never learned from"),
    ] = None
    time_column: Annotated[str | None, MaxLen(255), doc("later rows go to later parts: train, validation, test")] = None
    horizon: Annotated[
        int | None, Ge(1), Le(1000), doc("steps ahead of a forecast; a day, a week or a year of them if absent")
    ] = None
    known_ahead: Annotated[
        list[str] | None, MaxLen(100), doc("columns whose values are known for the moments that are forecast")
    ] = None
    past: Annotated[
        list[str] | None, MaxLen(100), doc("columns whose values are known up to the moment of the question")
    ] = None
    label_separator: Annotated[
        str | None, MinLen(1), MaxLen(8), doc("what cuts the text of the target into labels, for example ';'")
    ] = None
    action_column: Annotated[
        str | None, MaxLen(255), doc("of a policy: column of the action that was taken; never learned from")
    ] = None
    propensity_column: Annotated[
        str | None, MaxLen(255), doc("of a policy: column of the chance that the action had; estimated if absent")
    ] = None
    episode_column: Annotated[
        str | None, MaxLen(255), doc("of a policy of several steps: rows with the same value follow each other")
    ] = None
    step_column: Annotated[
        str | None, MaxLen(255), doc("what puts the rows of an episode in order; learned from only where it is named")
    ] = None
    discount: Annotated[
        float | None, Gt(0), Le(1), doc("what a reward one step later is worth; 0.95 of episodes if absent")
    ] = None
    fractions: Annotated[Mapping[str, float], doc("share of train, validation, test and future")] = field(
        default_factory=lambda: dict(FRACTIONS)
    )
    seed: Annotated[int, Ge(0), Le(2**32 - 1), doc("the same seed gives the same split")] = 0
    stratify: Annotated[bool, doc("give every part its share of each class, or of each tenth of the numbers")] = True
    base: Annotated[str | None, doc("id of an earlier split whose parts are kept")] = None
    new_rows: Annotated[Part, doc("part of rows that the base does not know")] = "train"
    key: Key = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSplits:
    """List splits, newest first."""

    workspace: Workspace
    dataset: Annotated[str | None, doc("only splits of this dataset")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSplit:
    """Name one split."""

    workspace: Workspace
    split: SplitId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSplitRows:
    """Name the part of a split whose rows are wanted."""

    workspace: Workspace
    split: SplitId
    part: Annotated[Part, doc("train, validation, test or future")]
    limit: Limit = 500
    cursor: Cursor = None
