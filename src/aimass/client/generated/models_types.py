"""Objects of models. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review of a version: checks first, then a decision by a policy or a person."""

    id: str
    workspace: str
    model: str
    number: int
    state: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"]
    checks: list[Check]
    author: str
    requested_by: str
    requested_at: datetime
    checked_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a review; ``passed`` is None while it runs."""

    name: str
    passed: bool | None
    evidence: str
    job: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: a name under which versions are kept."""

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    latest: int | None
    aliases: dict[str, int]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """Two versions side by side."""

    first: ModelVersion
    second: ModelVersion
    metrics: dict[str, list[float | None]]
    differences: list[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model: an immutable package, where it comes from, and how far its review is."""

    id: str
    workspace: str
    model: str
    number: int
    state: Literal["PENDING", "READY", "FAILED"]
    review: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None
    description: str
    digest: str
    runtime: str
    size: int
    signature: Signature
    why_python: str | None
    origin: Literal["run", "upload", "graph", "zoo"]
    source: str
    facts: Facts
    metrics: dict[str, float]
    aliases: list[str]
    author: str
    author_name: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The typed inputs and outputs of a model."""

    inputs: list[Column]
    outputs: list[Output]
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input of a model: its type, whether it may be null, and which categories it knows."""

    name: str
    type: Literal["string", "float", "integer", "boolean"]
    nullable: bool = False
    categories: list[str] | None = None
    unseen: Literal["serve", "refuse"] = "serve"
    shape: list[int] | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of a model; ``classes`` names the columns of probabilities."""

    name: str
    type: Literal["string", "float", "integer", "boolean"]
    shape: list[int] | None = None
    classes: list[str] | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of how a version came to be; the model card is filled from it."""

    recipe: str | None = None
    recipe_version: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    dataset_version: int | None = None
    target: str | None = None
    task: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    seed: int | None = None
    evaluation: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    steps: list[StepVersion] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVersion:
    """The version that a step of a graph was made of."""

    step: str
    model: str
    number: int
    digest: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which two versions differ."""

    what: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The model card of a version, in Markdown sections."""

    workspace: str
    model: str
    number: int
    sections: list[CardSection]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """One section of a card; ``origin`` tells whether the facts or a person wrote it."""

    name: str
    title: str
    text: str
    origin: Literal["facts", "person"]
    edited_by: str | None = None
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name for a version that may move: ``champion`` is what production means."""

    workspace: str
    model: str
    alias: str
    number: int
    previous: int | None
    changed_by: str
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyModel:
    """A trained model that comes with the platform, or with a package beside it."""

    name: str
    title: str
    summary: str
    family: Literal[
        "tabular",
        "image-classification",
        "object-detection",
        "speech",
        "text-classification",
        "named-entities",
        "summary",
        "clustering",
        "language-model",
        "forecasting",
        "anomaly",
        "ranking",
        "bandit",
    ]
    task: str
    licence: str
    recipe: str
    recipe_version: str
    data: Origin
    digest: str
    metrics: dict[str, float]
    card: dict[str, str]
    params: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    target: str | None = None
    seed: int | None = None
    size: int = 0
    runtime: str = "onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the rows come from that a ready model learned from."""

    title: str
    source: str
    licence: str
