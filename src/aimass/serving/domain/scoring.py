"""Batch inference: the rows of a dataset version scored by a model version, as a new version of another dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import prod
from typing import Annotated, Any, Literal, Protocol

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Conflict, Invalid
from aimass.serving.domain.commands import Cursor, Limit, Workspace

SCORE = "serving.score"
MOST_VALUES = 1000  # of a list: each becomes a column
ROWS_PER_REQUEST = 100
RECORDED = 10_000
ScoringState = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
ENDED: tuple[ScoringState, ...] = ("SUCCEEDED", "FAILED", "CANCELLED")
Mode = Literal["overwrite", "append"]
Slug = Annotated[str, MaxLen(63)]

# The types of a dataset's columns that each type of an input takes.
FITTING: Mapping[str, tuple[str, ...]] = {
    "string": ("string",),
    "float": ("float", "integer"),
    "integer": ("integer", "float"),
    "boolean": ("boolean",),
}
LISTS = "json"  # the type of a column that holds lists, as a row of a tensor is


@dataclass(frozen=True, slots=True, kw_only=True)
class StartScoring:
    """Score a dataset: with the main deployment of an endpoint, or with a model version or alias.

    Attributes
    ----------
    columns
        Where the column of an input has another name than the input.
    keep
        Columns of the scored dataset that the predictions keep beside them; all of them when absent.
    record
        Rows that are recorded as inference records of the endpoint, spread evenly; within the endpoint's own sample.
    """

    workspace: Workspace
    dataset: Annotated[Slug, doc("dataset whose rows are scored")]
    to: Annotated[Slug, doc("dataset that gets the predictions; made when it is missing")]
    dataset_version: Annotated[int | None, Ge(1), doc("version to score; the newest when absent")] = None
    endpoint: Annotated[Slug | None, doc("endpoint whose main deployment scores")] = None
    model: Annotated[Slug | None, doc("model that scores, instead of an endpoint")] = None
    model_version: Annotated[int | None, Ge(1), doc("version of the model")] = None
    alias: Annotated[Slug | None, doc("alias of the model; 'champion' when no version is given")] = None
    columns: Annotated[Mapping[str, str], doc("input of the model to column of the dataset, where they differ")] = (
        field(default_factory=dict[str, str])
    )
    keep: Annotated[list[str] | None, doc("columns to keep beside the predictions; all when absent")] = None
    prefix: Annotated[str, MaxLen(63), doc("put before the names of the prediction columns")] = ""
    mode: Annotated[Mode, doc("the new version holds these predictions alone, or the ones before too")] = "overwrite"
    record: Annotated[int, Ge(0), Le(1_000_000), doc("rows kept as inference records of the endpoint")] = RECORDED
    slots: Annotated[int, Ge(1), Le(64), doc("threads that score")] = 1
    key: Annotated[str | None, MaxLen(120), doc("the same key again is the same scoring")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneScoring:
    """Name one scoring."""

    workspace: Workspace
    scoring: Annotated[str, MaxLen(26), doc("id of the scoring")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListScorings:
    """Which scorings are wanted, newest first."""

    workspace: Workspace
    endpoint: Annotated[Slug | None, doc("only those of this endpoint")] = None
    model: Annotated[Slug | None, doc("only those with this model")] = None
    dataset: Annotated[Slug | None, doc("only those of this dataset, scored or written")] = None
    state: Annotated[ScoringState | None, doc("only those in this state")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """One scoring.

    Attributes
    ----------
    rows, total
        Rows scored so far, and rows of the scored version.
    to_version
        Number of the version with the predictions; None until it is there.
    revision
        The deployment revision whose model scored, when an endpoint was named; records are kept under it.
    """

    id: str
    workspace: str
    title: str
    state: ScoringState
    fraction: float
    stage: str
    rows: int
    total: int
    rows_per_s: float | None
    dataset: str
    dataset_version: int
    to: str
    to_version: int | None
    endpoint: str | None
    deployment: str | None
    revision: str | None
    model: str
    model_version: int
    columns: Mapping[str, str]
    keep: list[str]
    mode: Mode
    job: str
    error: Mapping[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInput:
    """An input with the column that feeds it."""

    input: str
    type: str
    nullable: bool
    column: str | None
    column_type: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringPlan:
    """What a scoring would do: the version that scores, the rows, the columns, and what is wrong with it."""

    dataset: str
    dataset_version: int
    rows: int
    model: str
    model_version: int
    endpoint: str | None
    inputs: list[MappedInput]
    keep: list[str]
    predictions: list[str]
    problems: list[str]


class InputLike(Protocol):
    """What the rules read of an input."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def nullable(self) -> bool: ...  # noqa: D102
    @property
    def shape(self) -> Sequence[int] | None: ...  # noqa: D102


class OutputLike(Protocol):
    """What the rules read of an output."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> Sequence[str] | None: ...  # noqa: D102
    @property
    def shape(self) -> Sequence[int] | None: ...  # noqa: D102


def map_inputs(
    inputs: Iterable[InputLike], types: Mapping[str, str], nulls: Mapping[str, int], chosen: Mapping[str, str]
) -> list[MappedInput]:
    """Find the column of each input; what does not fit is told in ``problem``.

    Examples
    --------
    >>> from types import SimpleNamespace as Input
    >>> age = Input(name="age", type="float", nullable=False, shape=None)
    >>> map_inputs([age], {"age": "integer"}, {}, {})[0].problem
    ''
    >>> map_inputs([age], {"Age": "integer"}, {}, {})[0].problem
    "input 'age' has no column in the dataset"
    """
    return [_mapped(one, types, nulls, chosen.get(one.name, one.name)) for one in inputs]


def _mapped(one: InputLike, types: Mapping[str, str], nulls: Mapping[str, int], column: str) -> MappedInput:
    found = types.get(column)
    problem = ""
    if one.shape is not None and not is_row(one.shape):
        problem = f"input {one.name!r} is a tensor, and a dataset has columns"
    elif found is None:
        name = "" if column == one.name else f" {column!r}"
        problem = f"input {one.name!r} has no column{name} in the dataset"
    elif not _fits(one, found):
        wanted = one.type if one.shape is None else f"lists of {prod(one.shape[1:])} numbers"
        problem = f"input {one.name!r} wants {wanted}, and column {column!r} is {found}"
    elif not one.nullable and nulls.get(column):
        problem = f"input {one.name!r} may not be null, and column {column!r} has {nulls[column]} nulls"
    return MappedInput(
        input=one.name,
        type=one.type,
        nullable=one.nullable,
        column=column if found is not None else None,
        column_type=found,
        problem=problem,
    )


def _fits(one: InputLike, found: str) -> bool:
    if one.shape is not None:
        return found == LISTS and one.type != "string"
    return found in FITTING[one.type]


def is_row(shape: Sequence[int]) -> bool:
    """Tell whether a list in a column is one row of a tensor: its first size alone is free.

    Examples
    --------
    >>> is_row((-1, 28, 28)), is_row((-1, -1)), is_row((2, 2)), is_row((-1,))
    (True, False, False, False)
    """
    return len(shape) > 1 and shape[0] == -1 and all(size > 0 for size in shape[1:])


def prediction_columns(outputs: Iterable[OutputLike], prefix: str) -> list[tuple[str, str, int | None]]:
    """Return the columns that the outputs become: name, output, and place among its values.

    Examples
    --------
    >>> from types import SimpleNamespace as Output
    >>> label = Output(name="label", classes=None, shape=(-1,))
    >>> shares = Output(name="probabilities", classes=("No", "Yes"), shape=(-1, 2))
    >>> [name for name, _, _ in prediction_columns([label, shares], "")]
    ['prediction', 'probability_No', 'probability_Yes']
    >>> prediction_columns([Output(name="forecast", classes=None, shape=(-1, 2))], "")
    [('forecast_1', 'forecast', 0), ('forecast_2', 'forecast', 1)]
    >>> prediction_columns([shares, Output(name="labels", classes=None, shape=(-1, 2))], "")[2:]
    [('labels', 'labels', None)]
    """
    found: list[tuple[str, str, int | None]] = []
    outputs = list(outputs)
    for one in outputs:
        if one.name == "labels" and any(other.classes for other in outputs):  # those that are chosen, as one list
            found.append((prefix + one.name, one.name, None))
        elif one.classes:
            found += [(f"{prefix}probability_{name}", one.name, at) for at, name in enumerate(one.classes)]
        elif width := _width(one):
            found += [(f"{prefix}{one.name}_{at + 1}", one.name, at) for at in range(width)]
        else:
            found.append((prefix + ("prediction" if one.name == "label" else one.name), one.name, None))
    return found


def output_problems(outputs: Iterable[OutputLike]) -> list[str]:
    """Say which outputs are no columns: those with a table of values for a row, or with a list of any length."""
    return [
        f"output {one.name!r} is a tensor, and a dataset has columns"
        for one in outputs
        if not one.classes and len(one.shape or ()) > 1 and not _width(one)
    ]


def _width(one: OutputLike) -> int:
    """Return how many values an output has for each row, as a forecast has; 0 where it is no list of one length."""
    shape = tuple(one.shape or ())
    is_list = len(shape) == 2 and shape[0] == -1 and 1 <= shape[1] <= MOST_VALUES  # noqa: PLR2004 rows and values
    return shape[1] if is_list else 0


def about_columns(prefix: str) -> list[str]:
    """Return the columns that tell where each prediction comes from."""
    return [f"{prefix}{name}" for name in ("model", "model_version", "request_id", "row")]


def check_keep(keep: Sequence[str] | None, columns: Sequence[str], made: Sequence[str]) -> list[str]:
    """Return the columns that are kept, or refuse some that are not there or are named like a prediction.

    Examples
    --------
    >>> check_keep(None, ["id", "age"], ["prediction"])
    ['id', 'age']
    """
    kept = list(columns) if keep is None else list(dict.fromkeys(keep))
    for name in kept:
        if name not in columns:
            raise Invalid(f"the dataset has no column {name!r}", field="keep", value=name, allowed=list(columns)[:100])
        if name in made:
            raise Conflict(
                f"column {name!r} has the name of a prediction column",
                field="keep",
                value=name,
                hint="leave it out of 'keep', or give a 'prefix'",
            )
    return kept


def check_chosen(chosen: Mapping[str, str], inputs: Iterable[InputLike]) -> None:
    """Refuse a mapping for what is no input."""
    names = [one.name for one in inputs]
    for name in chosen:
        if name not in names:
            raise Invalid(f"the model has no input {name!r}", field="columns", value=name, allowed=names)


def every_nth(total: int, wanted: int) -> int:
    """Return which requests are recorded: every so many of them; 0 for none.

    Examples
    --------
    >>> every_nth(1_000_000, 10_000), every_nth(500, 10_000), every_nth(500, 0)
    (100, 1, 0)
    """
    if wanted <= 0 or total <= 0:
        return 0
    requests = -(-total // ROWS_PER_REQUEST)
    return max(1, requests * ROWS_PER_REQUEST // max(wanted, ROWS_PER_REQUEST))
