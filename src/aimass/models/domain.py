"""Models, versions, reviews, cards and aliases, and the rules between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.pages import MAX_LIMIT
from aimass.models.package import Signature
from aimass.models.zoo import Family

VersionState = Literal["PENDING", "READY", "FAILED"]
ReviewState = Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"]
Origin = Literal["run", "upload", "graph", "zoo"]
OPEN: tuple[ReviewState, ...] = ("SUBMITTED", "SCANNING")
CHAMPION = "champion"
REVIEW = "models.review"
COMPOSE = "models.compose"

Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
ModelSlug = Annotated[str, MaxLen(63), doc("slug of the model")]
Number = Annotated[int, Ge(1), doc("number of the version")]
AliasName = Annotated[str, MaxLen(63), doc("alias, for example champion")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")]
Cursor = Annotated[str | None, doc("where the page before ended")]
Text = Annotated[str, MaxLen(20_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: a name under which versions are kept.

    Attributes
    ----------
    latest
        Number of the newest version, or None.
    aliases
        Number of the version that each alias points to.
    """

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    latest: int | None
    aliases: Mapping[str, int]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVersion:
    """The version that a step of a graph was made of.

    Attributes
    ----------
    id
        Id of the version, which outlives a new model under an old name.
    """

    step: str
    model: str
    number: int
    digest: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of how a version came to be; the model card is filled from it."""

    recipe: str | None = None
    recipe_version: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dataset: str | None = None
    dataset_version: int | None = None
    target: str | None = None
    task: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    seed: int | None = None
    evaluation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()
    steps: tuple[StepVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model: an immutable package, where it comes from, and how far its review is.

    Attributes
    ----------
    digest
        SHA-256 of the package's manifest: the identity of what is served.
    origin, source
        ``run`` and the id of the run, ``upload`` and the name of the file, ``graph`` and the id of the job, or ``zoo`` and
        the name of a ready model.
    review
        State of the newest review, or None before the first.
    """

    id: str
    workspace: str
    model: str
    number: int
    state: VersionState
    review: ReviewState | None
    description: str
    digest: str
    runtime: str
    size: int
    signature: Signature
    why_python: str | None
    origin: Origin
    source: str
    facts: Facts
    metrics: Mapping[str, float]
    aliases: tuple[str, ...]
    author: str
    author_name: str
    created_at: datetime
    version: int

    @property
    def subject(self) -> str:
        """Return the name of the version in events and audit entries."""
        return f"model_version:{self.model}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Everything needed to register a version; rooms above call with it, people use ``training`` or an upload.

    ``key`` makes it happen once: a second registration with the same key returns the first version. ``card`` has words for
    sections of the card, by name, that stand in for what the facts would say.
    """

    workspace: str
    model: str
    digest: str
    origin: Origin
    source: str
    key: str
    name: str | None = None
    description: str = ""
    facts: Facts = field(default_factory=Facts)
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    card: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a review; ``passed`` is None while it runs."""

    name: str
    passed: bool | None
    evidence: str
    job: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review of a version: checks first, then a decision by a policy or a person.

    SCANNING while checks run; QUARANTINED when they have ended and nobody has decided yet; then APPROVED or REJECTED.
    """

    id: str
    workspace: str
    model: str
    number: int
    state: ReviewState
    checks: tuple[Check, ...]
    author: str
    requested_by: str
    requested_at: datetime
    checked_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    version: int

    @property
    def has_passed(self) -> bool:
        """Tell whether every check has passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def is_checked(self) -> bool:
        """Tell whether every check has ended."""
        return all(check.passed is not None for check in self.checks)


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
class Card:
    """The model card of a version, in Markdown sections."""

    workspace: str
    model: str
    number: int
    sections: tuple[CardSection, ...]
    version: int


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
class Difference:
    """One thing in which two versions differ."""

    what: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """Two versions side by side."""

    first: ModelVersion
    second: ModelVersion
    metrics: Mapping[str, tuple[float | None, float | None]]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateModel:
    """Create a model without versions; registering a version creates it too."""

    workspace: Workspace
    name: Annotated[str, doc("any name")]
    slug: Annotated[str | None, doc("short name for addresses; made from the name when absent")] = None
    description: Annotated[str, MaxLen(5000), doc("what the model is for")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListModels:
    """List models, newest first."""

    workspace: Workspace
    text: Annotated[str | None, MaxLen(200), doc("words in the name")] = None
    alias: Annotated[str | None, MaxLen(63), doc("only models with this alias")] = None
    review: Annotated[ReviewState | None, doc("only models whose newest version is there")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModel:
    """Name one model."""

    workspace: Workspace
    model: ModelSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeModel:
    """Change name or description of a model."""

    workspace: Workspace
    model: ModelSlug
    name: Annotated[str | None, doc("new name")] = None
    description: Annotated[str | None, MaxLen(5000), doc("new description")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersions:
    """List versions of a model, newest first."""

    workspace: Workspace
    model: ModelSlug
    review: Annotated[ReviewState | None, doc("only versions whose review is there")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneVersion:
    """Name one version."""

    workspace: Workspace
    model: ModelSlug
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class EditCard:
    """Write a section of a card; an empty text takes the section away, or gives the facts their word back."""

    workspace: Workspace
    model: ModelSlug
    number: Number
    section: Annotated[str, MaxLen(63), doc("summary, intended_use, limits, ... or a name of your own")]
    text: Annotated[Text, doc("Markdown")]
    title: Annotated[str | None, MaxLen(120), doc("heading of a section of your own")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReviews:
    """List reviews, newest first."""

    workspace: Workspace
    state: Annotated[ReviewState | None, doc("only reviews in this state")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Approve or reject a version."""

    workspace: Workspace
    model: ModelSlug
    number: Number
    comment: Annotated[str, MaxLen(2000), doc("a word for the author and the audit")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAlias:
    """Point an alias to an approved version."""

    workspace: Workspace
    model: ModelSlug
    alias: AliasName
    number: Number
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAlias:
    """Name one alias."""

    workspace: Workspace
    model: ModelSlug
    alias: AliasName


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAliases:
    """List the aliases of a model."""

    workspace: Workspace
    model: ModelSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareVersions:
    """Compare two versions of a model."""

    workspace: Workspace
    model: ModelSlug
    first: Annotated[int, Ge(1), doc("number of one version")]
    second: Annotated[int, Ge(1), doc("number of the other")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeModel:
    """Compose approved versions into a graph that answers as one model."""

    workspace: Workspace
    model: Annotated[str, MaxLen(63), doc("slug of the model that gets a version; it is created when it is missing")]
    graph: Annotated[Mapping[str, Any], doc("steps, and inputs and outputs where they have to be named")]
    rows: Annotated[
        Mapping[str, Sequence[Any]] | None, doc("input to values: rows to replay; those of the steps when absent")
    ] = None
    description: Annotated[str, MaxLen(5000), doc("what is new in this version")] = ""
    key: Annotated[str | None, MaxLen(150), doc("a name for this wish: the same again makes nothing new")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReady:
    """List the ready models."""

    text: Annotated[str | None, MaxLen(200), doc("words in name, title or summary")] = None
    family: Annotated[Family | None, doc("only models of this family")] = None
    task: Annotated[str | None, MaxLen(63), doc("only models of this task")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneReady:
    """Name a ready model."""

    ready: Annotated[str, MaxLen(63), doc("name of the ready model")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeReady:
    """Take a ready model into the library of a workspace."""

    workspace: Workspace
    ready: Annotated[str, MaxLen(63), doc("name of the ready model")]
    model: Annotated[
        str | None, MaxLen(63), doc("slug of the model that gets the version; its own name when absent")
    ] = None
