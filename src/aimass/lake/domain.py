"""Datasets and their versions, the rules they keep, and what is told about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug
from aimass.kernel.pages import MAX_LIMIT

ColumnType = Literal["string", "integer", "float", "boolean", "timestamp", "date", "decimal", "json"]
RuleKind = Literal["not_null", "unique", "range", "in_set", "regex", "row_count", "freshness"]
Severity = Literal["error", "warning"]
Format = Literal["csv", "parquet", "ndjson", "avro", "xlsx"]
Layer = Literal["landing", "bronze", "silver", "gold"]
LAYERS = ("landing", "bronze", "silver", "gold")
RULE_KINDS = ("not_null", "unique", "range", "in_set", "regex", "row_count", "freshness")

Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
DatasetSlug = Annotated[str, MaxLen(63), doc("slug of the dataset")]
Number = Annotated[int, Ge(1), doc("number of the version")]
NumberOrNewest = Annotated[int | None, Ge(1), doc("number of the version; the newest if absent")]
At = Annotated[
    str | None, MaxLen(63), doc("tag of the version, or a moment (ISO 8601): the version that was the newest then")
]
BranchSlug = Annotated[str, MaxLen(61), doc("slug of the branch, without the dataset and the @")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("most items of the page")]
Cursor = Annotated[str | None, doc("where the page before ended")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a version; of a decimal also how many digits it has, and how many of them after the point."""

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Field:
        """Read a column as a child tells it.

        Examples
        --------
        >>> Field.read({"name": "price", "type": "decimal", "precision": 12, "scale": 3}).precision
        12
        """
        return cls(name=told["name"], type=told["type"], precision=told.get("precision"), scale=told.get("scale"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every version has to keep.

    Attributes
    ----------
    kind
        ``not_null`` (params ``max_share``), ``unique`` (``columns``), ``range`` (``min, max``), ``in_set`` (``values``), ``regex``
        (``pattern``), ``row_count`` (``min, max``), ``freshness`` (``max_age_s``).
    severity
        A broken ``error`` fails the version; a ``warning`` lowers its score by half as much.
    """

    id: str
    kind: RuleKind
    column: str | None = None
    severity: Severity = "error"
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Personal data in a column: its kind, and how sure that is; ``private`` columns are masked and kept out of the log."""

    column: str
    kind: str
    confidence: float
    by: str
    private: bool
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset: a name under which versions of a table are kept.

    Attributes
    ----------
    keys
        Columns that name a row.
    latest
        Number of the newest version, or None; ``rows, bytes, columns, score, passed``, ``quarantined`` (rows put aside on the
        way to it) and ``latest_at`` (when it was made) are of that version.
    personal
        Columns with personal data.
    retain_days
        Age after which versions that are neither pinned nor tagged nor the newest are collected; None keeps them all.
    layer
        How far its rows are worked up: ``landing`` as they came, ``bronze`` typed, ``silver`` mended and joined, ``gold`` ready for
        reports; None until its first version decides.
    parent
        Slug of the dataset that this is a branch of; the slug of a branch is ``<dataset>@<branch>``.
    deleted_at
        When it was deleted; it can be restored for 30 days.
    ordered_by
        Columns by whose values its rows lie on disk; empty: as they came.
    """

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    keys: list[str]
    ordered_by: list[str]
    layer: str | None
    parent: str | None
    latest: int | None
    rows: int | None
    bytes: int | None
    columns: int | None
    score: float | None
    passed: bool | None
    quarantined: int | None
    latest_at: datetime | None
    personal: list[str]
    retain_days: int | None
    created_by: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """One version: a state of the table that never changes.

    Attributes
    ----------
    delta_version
        Version of the Delta table that holds it.
    quarantined
        Rows that were rejected on the way here.
    origin
        What made it, ``<kind>:<id>``.
    collected_at
        When retention removed its files; the facts stay.
    """

    id: str
    workspace: str
    dataset: str
    number: int
    delta_version: int
    schema_hash: str
    columns: list[Field]
    rows: int
    bytes: int
    quarantined: int
    score: float
    passed: bool
    tag: str | None
    pinned: bool
    origin: str
    created_by: str
    created_at: datetime
    collected_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the rows of a version lie: a Delta table, its version, and how many rows that has."""

    dataset: str
    number: int
    version_id: str
    path: str
    delta_version: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is in a version: counts, ranges, quantiles, histograms and top values per column."""

    dataset: str
    number: int
    rows: int
    columns: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """How well a version keeps the rules: score from 0 to 100, and each rule with the rows that break it."""

    dataset: str
    number: int
    score: float
    passed: bool
    rows: int
    quarantined: int
    rules: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows, as lists in the order of the columns."""

    columns: list[Field]
    rows: list[list[Any]]
    truncated: bool = False
    total_columns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed between two versions."""

    dataset: str
    base: int
    head: int
    rows: dict[str, int]
    rows_added: int | None
    rows_removed: int | None
    columns: dict[str, list[dict[str, Any]]]
    changed: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much room a dataset takes on disk: the newest version, and everything with old versions and quarantine."""

    dataset: str
    name: str
    latest_bytes: int
    total_bytes: int
    quarantine_bytes: int
    versions: int
    retain_days: int | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How much room the datasets of a workspace take."""

    total_bytes: int
    datasets: list[Usage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A job that was started; the command line follows it."""

    workspace: str
    job: str
    title: str


def check_rules(rules: list[Rule]) -> list[Rule]:
    """Refuse rules that contradict themselves; give each its own id.

    Examples
    --------
    >>> check_rules([Rule(id="", kind="not_null", column="a")])[0].id
    'not_null:a'
    """
    seen: set[str] = set()
    checked: list[Rule] = []
    for rule in rules:
        identity = rule.id or (rule.kind if rule.column is None else f"{rule.kind}:{rule.column}")
        if identity in seen:
            raise Invalid(f"rule {identity!r} appears twice", field="rules", value=identity, hint="give it another id")
        if rule.column is None and rule.kind not in {"row_count", "unique"}:
            raise Invalid(f"rule {identity!r} needs a column", field="column", value=None)
        missing = _NEEDED.get(rule.kind, frozenset()) - set(rule.params)
        if missing:
            raise Invalid(f"rule {identity!r} needs {min(missing)!r}", field="params", allowed=sorted(missing))
        _check_params(rule, identity)
        seen.add(identity)
        checked.append(Rule(**{**{name: getattr(rule, name) for name in _RULE_FIELDS}, "id": identity}))
    return checked


def _check_params(rule: Rule, identity: str) -> None:
    """Refuse parameters that no version could be checked by."""
    params = rule.params
    for name, kinds in _PARAMS[rule.kind].items():
        value = params.get(name)
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise Invalid(f"{name!r} of rule {identity!r} is {value!r}", field=name, value=value, allowed=_said(kinds))
    strange = sorted(set(params) - set(_PARAMS[rule.kind]))
    if strange:
        raise Invalid(
            f"rule {identity!r} takes no {strange[0]!r}", field=strange[0], allowed=sorted(_PARAMS[rule.kind])
        )
    if rule.kind in {"range", "row_count"} and params.get("min") is None and params.get("max") is None:
        raise Invalid(f"rule {identity!r} needs a limit", field="params", allowed=["min", "max"])
    if rule.kind == "unique" and rule.column is None and not params.get("columns"):
        raise Invalid(f"rule {identity!r} needs a column", field="column", value=None)
    if rule.kind == "regex":
        _check_pattern(params["pattern"])


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as reason:
        raise Invalid(f"{pattern!r} is no pattern: {reason}", field="pattern", value=pattern) from reason


def _said(kinds: tuple[type, ...]) -> list[str]:
    return [_KIND_WORDS[kind] for kind in kinds]


_KIND_WORDS = {int: "a number", float: "a number", str: "a text", list: "a list"}
_NUMBER, _MOMENT = (int, float), (int, float, str)
_PARAMS: dict[str, dict[str, tuple[type, ...]]] = {
    "not_null": {"max_share": _NUMBER},
    "unique": {"columns": (list,)},
    "range": {"min": _MOMENT, "max": _MOMENT},
    "in_set": {"values": (list,)},
    "regex": {"pattern": (str,)},
    "row_count": {"min": _NUMBER, "max": _NUMBER},
    "freshness": {"max_age_s": _NUMBER},
}
_NEEDED = {"in_set": frozenset({"values"}), "regex": frozenset({"pattern"}), "freshness": frozenset({"max_age_s"})}
_RULE_FIELDS = ("id", "kind", "column", "severity", "params", "enabled")


def check_layer(layer: str | None) -> str | None:
    """Return a layer, or refuse a name that is none.

    Examples
    --------
    >>> check_layer("gold"), check_layer(None)
    ('gold', None)
    """
    if layer is not None and layer not in LAYERS:
        raise Invalid(f"there is no layer {layer!r}", field="layer", value=layer, allowed=list(LAYERS))
    return layer


def layer_of(origin: str) -> str:
    """Return the layer of a dataset whose first version comes from there.

    Examples
    --------
    >>> layer_of("collection:01H"), layer_of("sql")
    ('bronze', 'silver')
    """
    return "silver" if origin.partition(":")[0] in ("sql", "query") else "bronze"


def check_tag(tag: str | None) -> str | None:
    """Return a tag, or refuse one that an address cannot carry; the empty text takes a tag away."""
    return check_slug(tag, field="tag") if tag else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What upkeep did: files put together, files removed, bytes on disk afterwards."""

    dataset: str
    compacted: int
    removed: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A row that differs between two versions.

    Attributes
    ----------
    change
        ``added``, ``removed`` or ``changed``.
    before, after
        Its cells in the order of the columns; None where the row is not there.
    cells
        The columns in which it differs.
    """

    change: str
    key: dict[str, Any]
    before: list[Any] | None
    after: list[Any] | None
    cells: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """Which rows differ between two versions: how many, and some of them; without keys rows are added or removed, never changed."""

    dataset: str
    base: int
    head: int
    keys: list[str]
    added: int
    removed: int
    changed: int
    columns: list[Field]
    rows: list[RowChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch: a dataset of its own that began with the rows of a version of another.

    Attributes
    ----------
    dataset
        Its address wherever a dataset is named, ``<dataset>@<branch>``.
    from_version
        The version of the parent where they met last: where the branch began, or what the last merge made.
    base
        The version of the branch that both have in common: its first, or what the last merge brought.
    ahead, behind
        Versions that the branch has made since, and that the parent has.
    """

    dataset: str
    branch: str
    parent: str
    description: str
    from_version: int
    base: int
    latest: int | None
    rows: int | None
    ahead: int
    behind: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConflict:
    """A row that branch and dataset both changed: as it was, and as it is in each; None where it is gone."""

    key: dict[str, Any]
    base: dict[str, Any] | None
    branch: dict[str, Any] | None
    dataset: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a merge of a branch does, or did.

    Attributes
    ----------
    fast_forward
        True when the dataset has not moved since the branch began: it becomes what the branch is, and no row is compared.
    conflicts, samples
        Rows that both sides changed, and the first hundred of them.
    version
        Number of the version that was made; None when nothing was.
    """

    dataset: str
    branch: str
    fast_forward: bool
    added: int
    changed: int
    removed: int
    conflicts: int
    samples: list[RowConflict]
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRows:
    """What a merge of rows did, and the version that it made; None when the same key had made it before."""

    dataset: str
    number: int
    inserted: int
    updated: int
    deleted: int
    already: bool
