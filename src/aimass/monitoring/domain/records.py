"""Inference records, how they are kept, and feedback on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

MAX_FEEDBACK = 10_000
_MAX_LABEL = 300
_MAX_MARKS = 20_000
_MAX_TEXT = MAX_FEEDBACK * _MAX_LABEL  # of one call: however long a list of marks may be, a call is no larger
_MARKS = ({"type", "start", "end"}, {"label", "x", "y", "width", "height"})  # what an entity and an object have
RecordOrigin = Literal["live", "batch"]
_MAX_WRITTEN = 5_000
Truth = str | int | float | bool | list[str] | list[float | None] | list[dict[str, Any]]
_WORDS_APART = re.compile(r"[\s。！？]")
_SERIES = re.compile(r"\[[-+.,\deEnul ]{2,20000}\]")
_LAST_ROW = 2**31 - 1  # as many as a record can name


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place in a segment that could not be read, or a whole segment that was set aside."""

    worker: str
    segment: int
    offset: int
    reason: str
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is kept of an endpoint's requests, and what has been kept so far.

    Attributes
    ----------
    sample, payload
        Share of requests that the gateway records, and whether with inputs and outputs.
    requests, rows
        Committed so far; ``requests`` leaves out what jobs scored. ``repeated``: dropped, because a record with the same request id was there.
    size_bytes
        Size of the table when it was last looked at.
    damage
        The newest places in segments that could not be read (of all endpoints: a damaged frame names none).
    """

    workspace: str
    endpoint: str
    sample: float
    payload: bool
    retention_days: int
    max_bytes: int
    requests: int
    rows: int
    repeated: int
    size_bytes: int
    last_record_at: datetime | None
    damaged: int = 0
    damage: list[Damage] = field(default_factory=list[Damage])


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRecording:
    """Which endpoint is meant."""

    workspace: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecords:
    """Which inference records are wanted, newest first."""

    workspace: str
    endpoint: str
    deployment: Annotated[str | None, doc("only those of this deployment")] = None
    revision: Annotated[str | None, doc("only those of this revision")] = None
    status: Annotated[int | None, doc("only those answered with this HTTP status")] = None
    request_id: Annotated[str | None, doc("only this request")] = None
    trace: Annotated[str | None, doc("only requests of this trace: 32 hexadecimal digits")] = None
    origin: Annotated[RecordOrigin | None, doc("only rows of requests, or only rows that a job scored")] = None
    since: Annotated[datetime | None, doc("not before this moment")] = None
    until: Annotated[datetime | None, doc("before this moment")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("records wanted")] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRecord:
    """One predicted row of a request.

    ``inputs`` holds ``***`` for each value when the reader may not see values (permission ``monitoring.use``); ``feedback`` is
    the truth that came back for it. ``origin`` is ``batch`` for a row that a job scored: it has no latency.
    ``fallback`` says who failed and how, when another answered in place of the chosen deployment. ``trace`` is the W3C trace
    id of the request.
    """

    id: str
    row: int
    t: datetime
    deployment: str
    revision: str
    model: str
    version: str
    consumer: str
    status: int
    latency_us: int | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    origin: RecordOrigin
    fallback: str
    trace: str
    label: str | None
    probabilities: list[float] | None
    unseen: list[str]
    feedback: str | None
    is_masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The truth about one request; ``row`` counts within a request of several rows.

    ``key`` names the row in the dataset (a customer number): who is told the truth knows whom it is about. Rows that are
    fed back carry it, so they replace the older state of the same row, and an erasure finds them.
    """

    request_id: Annotated[str, MinLen(1), MaxLen(300)]
    label: Truth
    row: Annotated[int, Ge(0), Le(_LAST_ROW)] = 0
    key: Annotated[str | None, MinLen(1), MaxLen(255), doc("what names the row in the dataset")] = None

    @property
    def is_finite(self) -> bool:
        """Tell whether the values of a series are numbers that can be counted with.

        Examples
        --------
        >>> Label(request_id="a", label=[1.0, float("inf")]).is_finite, Label(request_id="a", label=[None, 1]).is_finite
        (False, True)
        """
        values = self.label if isinstance(self.label, list) else ()
        return all(isfinite(one) for one in values if isinstance(one, float))

    @property
    def text(self) -> str:
        """Return the label as models write theirs.

        Examples
        --------
        >>> Label(request_id="a", label=1.0).text, Label(request_id="a", label=True).text
        ('1', 'true')
        >>> Label(request_id="a", label=["war", "love"]).text
        '["love", "war"]'
        >>> Label(request_id="a", label=[12.5, None, 13]).text
        '[12.5, null, 13]'
        >>> Label(request_id="a", label=[{"type": "city", "start": 0, "end": 4}]).text
        '[{"type": "city", "start": 0, "end": 4}]'
        """
        if isinstance(self.label, list):
            names = [name.strip() for name in self.label if isinstance(name, str)]
            if len(names) < len(self.label):  # the values of a series, entities or objects stay as they came
                return json.dumps(self.label, ensure_ascii=False)
            return json.dumps(sorted({*names} - {""}), ensure_ascii=False)
        if isinstance(self.label, bool):
            return "true" if self.label else "false"
        if isinstance(self.label, float) and self.label.is_integer():
            return str(int(self.label))
        return str(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFeedback:
    """The truth about requests that an endpoint answered; at most 10,000 at once."""

    workspace: str
    endpoint: str
    labels: Annotated[
        list[Label],
        doc(
            'JSON list of {"request_id", "label", "key"}, or @file with one; key may be absent; of several labels, entities, objects or a forecast "label" is a list'
        ),
    ]

    def __post_init__(self) -> None:
        if not 0 < len(self.labels) <= MAX_FEEDBACK:
            found = len(self.labels)
            raise Invalid(
                f"there are {found} labels",
                field="labels",
                value=found,
                allowed=f"1 to {MAX_FEEDBACK}",
                hint="send parts",
            )
        long = next((label for label in self.labels if not 0 < len(label.text) <= most_of(label.text)), None)
        if long is not None:
            raise Invalid(
                "a label is empty or too long",
                field="labels",
                value=long.request_id,
                allowed=f"1 to {_MAX_LABEL} characters; a summary: to {_MAX_WRITTEN}; a list of entities, objects or numbers: to {_MAX_MARKS}",
            )
        endless = next((label for label in self.labels if not label.is_finite), None)
        if endless is not None:
            raise Invalid(
                "a value of a series is no finite number",
                field="labels",
                value=endless.request_id,
                allowed="numbers, and null where none is known",
            )
        together = sum(len(label.text) for label in self.labels)
        if together > _MAX_TEXT:
            raise Invalid(
                f"the labels have {together} characters together",
                field="labels",
                value=together,
                allowed=f"at most {_MAX_TEXT}",
                hint="send parts, or the list of entities without spaces and texts",
            )


def most_of(text: str) -> int:
    """Return how long a label may be.

    A class or a number is short, a summary has several words, and a list tells of the whole of a text, a picture or a series.

    Examples
    --------
    >>> most_of("churned"), most_of("The train was late."), most_of('[{"type": "place", "start": 0, "end": 4}]'), most_of("[1, null]")
    (300, 5000, 20000, 20000)
    """
    if not text.startswith("["):
        return _MAX_WRITTEN if _WORDS_APART.search(text) else _MAX_LABEL
    if _SERIES.fullmatch(text):
        return _MAX_MARKS
    if not text.startswith("[{") or len(text) > _MAX_MARKS:
        return _MAX_LABEL
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _MAX_LABEL
    is_marks = all(isinstance(one, dict) and any(one.keys() >= mark for mark in _MARKS) for one in found)
    return _MAX_MARKS if is_marks else _MAX_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceipt:
    """What became of a batch: ``added`` are new, ``changed`` have another label than before, ``repeated`` were known."""

    received: int
    added: int
    changed: int
    repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFeedback:
    """Which feedback is wanted, newest first."""

    workspace: str
    endpoint: str
    request_id: Annotated[str | None, doc("only this request, with what was said before")] = None
    known: Annotated[bool | None, doc("only with a record (true), or only those whose record has not come (false)")] = (
        None
    )
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("labels wanted")] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A label that was given before another one replaced it."""

    label: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """The truth about one request; ``is_known`` tells that its record has arrived.

    ``key`` is ``***`` for who may not see values (permission ``monitoring.use``).
    """

    request_id: str
    row: int
    label: str
    key: str | None
    is_known: bool
    at: datetime
    by: str
    before: list[Said] = field(default_factory=list[Said])


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCoverage:
    """Which endpoint is meant."""

    workspace: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the traffic has its truth: ``share`` = known feedback over recorded rows."""

    workspace: str
    endpoint: str
    rows: int
    feedback: int
    known: int
    unknown: int
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """Keys in a Parquet file: the values of ``column`` in the rows whose ``by`` is one of ``chosen``."""

    path: str
    column: str
    by: str
    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRecords:
    """Which records with feedback are wanted for training.

    Attributes
    ----------
    target
        Name of the column that takes the true label.
    key
        Name of the column that takes the key which came with the feedback; None leaves it out.
    without
        Keys whose rows are left out, because they judge models.
    name
        Names the file: asking again under the same name writes the same file anew.
    since, told_since
        Only requests, or only feedback, from this moment on.
    by_request
        The key column takes what names the request, for all rows, so that each answer is a row of its own.
    action, propensity
        Names of the columns that take the action that was answered and its chance; then the true label is a reward, a number, and
        answers without an action are left out.
    joined_by
        Of several labels a row: what stands between them in one text, or, where it is empty, lists are written; None where the
        truth is one value.
    """

    workspace: str
    endpoint: str
    target: str
    action: str | None = None
    propensity: str | None = None
    key: str | None = None
    without: KeyList | None = None
    name: str | None = None
    deployment: str | None = None
    since: datetime | None = None
    told_since: datetime | None = None
    by_request: bool = False
    joined_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A Parquet file with ``rows`` of inputs and true labels; ``until`` is the moment of the newest feedback in it.

    Attributes
    ----------
    without_inputs
        Rows left out because payloads were not kept.
    without_key
        Rows in the file that nothing names, because their feedback came without a key.
    left_out
        Rows left out because their key was not wanted.
    """

    path: str
    rows: int
    columns: list[dict[str, str]]
    labels: Mapping[str, int]
    without_inputs: int
    without_key: int
    left_out: int
    until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackMark:
    """How far the feedback of an endpoint is: it changes with every label that comes, and with every record that one finds.

    Attributes
    ----------
    known
        Labels whose record has arrived.
    newest, oldest_open
        When the newest label was told, and the oldest one whose record has not arrived; None where there is none.
    """

    known: int
    newest: datetime | None
    oldest_open: datetime | None
