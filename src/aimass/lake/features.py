"""Feature views, training sets made by joining them as of a moment, and what is kept for look-ups."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, cast

from annotated_types import Ge, MaxLen, doc

from aimass.kernel.errors import Invalid

ViewSlug = Annotated[str, MaxLen(63), doc("slug of the feature view")]
BuildState = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
KEY_TYPES = frozenset({"string", "integer", "boolean", "date"})
MOMENT_TYPES = frozenset({"timestamp", "date"})
DEFINITION = ("entity", "entity_types", "dataset", "sql", "event_time", "created_time", "features", "ttl_s")
SPEC = (
    "description",
    *(name for name in DEFINITION if name != "entity_types"),
    "tags",
    "owner",
    "follows",
    "skew_limit",
)
_MOVING = re.compile(
    r"\b(current_date|current_time|current_timestamp|get_current_timestamp|now|today|random|uuid)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of a view that models learn from.

    Attributes
    ----------
    type
        Empty when declared: the type of the column in the source.
    default
        Stands where no value is known, or none that is young enough.
    """

    name: Annotated[str, MaxLen(255)]
    type: Annotated[Literal["", "string", "integer", "float", "boolean", "timestamp", "date", "json"], doc("type")] = ""
    description: Annotated[str, MaxLen(2_000)] = ""
    default: Annotated[str | int | float | bool | None, doc("stands where no value is known")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """A version of a dataset that something was made from, and where its rows lie in the log of its table."""

    dataset: str
    number: int
    version_id: str
    delta_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of one kind of entity: where they come from, and which moment each row speaks of.

    Attributes
    ----------
    entity
        Columns that name the entity: the join keys; ``entity_types`` are the types they have in the source.
    dataset, sql
        The source: a dataset, or a SELECT over datasets.
    event_time, created_time
        Columns: when a row became true, and when it was written down. A training set takes a value only if both were
        before the moment it is asked for.
    ttl_s
        Age from which a value is too old to be used; None means never.
    follows
        True when the online values are renewed with each new version of the source.
    online_rows, online_at, online_from
        How many entities can be looked up, when they were renewed last, and from which versions of the source.
    skew, skew_limit
        What the last comparison of offline with online values found, and the share of differing entities that calls somebody.
    """

    id: str
    workspace: str
    name: str
    slug: str
    description: str
    entity: list[str]
    entity_types: dict[str, str]
    dataset: str | None
    sql: str | None
    event_time: str
    created_time: str | None
    features: list[Feature]
    ttl_s: int | None
    tags: list[str]
    owner: str
    follows: bool
    online_rows: int
    online_at: datetime | None
    online_from: list[SourceVersion]
    skew: dict[str, Any] | None
    skew_limit: float
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A dataset version that was made by joining feature views as of the moments of a spine.

    Attributes
    ----------
    dataset, number
        The version that holds it; no number until it is built.
    definition
        Everything it was made by: spine, columns, and each view as it was then.
    sources
        The exact versions that were read, the spine first.
    digest
        Checksum of the rows whatever their order: building it again gives the same.
    report
        Rows with a value by view, rows whose value is newer than the event, features that give the label away.
    rebuild_of
        The training set that this one repeats.
    """

    id: str
    workspace: str
    dataset: str
    number: int | None
    state: BuildState
    title: str
    definition: dict[str, Any]
    sources: list[SourceVersion]
    rows: int | None
    digest: str | None
    report: dict[str, Any]
    rebuild_of: str | None
    job: str
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


def definition_of(view: FeatureView) -> dict[str, Any]:
    """Return what decides the values of a view, as a training set keeps it."""
    found = {name: getattr(view, name) for name in DEFINITION}
    return {"view": view.slug, **found, "features": [asdict(feature) for feature in view.features]}


def digest_of(definition: Mapping[str, Any]) -> str:
    """Digest a definition, so that a change of it is noticed.

    Examples
    --------
    >>> digest_of({"a": 1}) == digest_of({"a": 1}), len(digest_of({}))
    (True, 64)
    """
    return sha256(json.dumps(definition, sort_keys=True, default=str).encode()).hexdigest()


def check_source(dataset: str | None, sql: str | None) -> None:
    """Refuse a view without one source, and a SELECT that answers differently tomorrow.

    Examples
    --------
    >>> check_source(None, "SELECT now() AS t FROM visits")
    Traceback (most recent call last):
    ...
    aimass.kernel.errors.Invalid: 'now' gives another answer each time: a training set could not be built again
    """
    if (dataset is None) == (sql is None):
        raise Invalid("a feature view reads one dataset, or one SELECT", field="dataset", allowed="dataset or sql")
    moving = _MOVING.search(sql or "")
    if moving:
        raise Invalid(
            f"{moving.group()!r} gives another answer each time: a training set could not be built again",
            field="sql",
            value=moving.group(),
            hint="select the column with the moment instead",
        )


def settled(view: Mapping[str, Any], columns: Mapping[str, str]) -> list[Feature]:
    """Check a declaration against the columns of its source, and return the features with their types.

    Parameters
    ----------
    view
        ``entity``, ``event_time``, ``created_time`` and ``features``; no features mean every other column.
    columns
        Name to type of the source.

    Examples
    --------
    >>> declared = {"entity": ["id"], "event_time": "at", "created_time": None, "features": []}
    >>> [f.name for f in settled(declared, {"id": "integer", "at": "timestamp", "visits": "integer"})]
    ['visits']
    """
    moments = [name for name in (view["event_time"], view["created_time"]) if name]
    if not view["entity"]:
        raise Invalid("a feature view needs a column that names the entity", field="entity", value=[])
    for field_name, names, allowed in (("entity", view["entity"], KEY_TYPES), ("event_time", moments, MOMENT_TYPES)):
        for name in names:
            _check_column(field_name, name, columns, allowed)
    taken = [*view["entity"], *moments]
    if len(set(taken)) != len(taken):
        raise Invalid("a column cannot be key and moment, or either twice", field="entity", value=taken)
    wanted = view["features"] or [Feature(name=name) for name in columns if name not in taken]
    if not wanted:
        raise Invalid("the source has no column that could be a feature", field="features", value=[])
    return [_typed(feature, columns, taken) for feature in _once(wanted)]


def _check_column(field_name: str, name: str, columns: Mapping[str, str], allowed: frozenset[str]) -> None:
    if name not in columns:
        raise Invalid(f"the source has no column {name!r}", field=field_name, value=name, allowed=sorted(columns)[:50])
    if columns[name] not in allowed:
        raise Invalid(
            f"column {name!r} is of type {columns[name]!r}",
            field=field_name,
            value=columns[name],
            allowed=sorted(allowed),
        )


def _once(features: Sequence[Feature]) -> Sequence[Feature]:
    seen: set[str] = set()
    for feature in features:
        if feature.name in seen:
            raise Invalid(f"feature {feature.name!r} appears twice", field="features", value=feature.name)
        seen.add(feature.name)
    return features


def _typed(feature: Feature, columns: Mapping[str, str], taken: Sequence[str]) -> Feature:
    """Give a feature its type; only what loses nothing may be declared over the type of the column."""
    if feature.name not in columns or feature.name in taken:
        free = sorted(set(columns) - set(taken))[:50]
        raise Invalid(f"the source has no feature {feature.name!r}", field="features", value=feature.name, allowed=free)
    found = columns[feature.name]
    wider = {found, *(("float",) if found == "integer" else ()), *(("string",) if found != "json" else ())}
    kind = feature.type or found
    if kind not in wider:
        raise Invalid(
            f"feature {feature.name!r} is of type {found!r} and cannot be read as {kind!r}",
            field="features",
            value=kind,
            allowed=sorted(wider),
        )
    _check_default(feature, kind)
    return Feature(name=feature.name, type=cast("Any", kind), description=feature.description, default=feature.default)


_PYTHON: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "float": (int, float), "boolean": (bool,)}


def _check_default(feature: Feature, kind: str) -> None:
    value, fits = feature.default, _PYTHON.get(kind, ())
    if value is not None and (not isinstance(value, fits) or (isinstance(value, bool) and kind != "boolean")):
        allowed = f"a {kind}" if fits else "no default for this type"
        raise Invalid(f"the default of {feature.name!r} is {value!r}", field="features", value=value, allowed=allowed)


def column_names(spine: Sequence[str], views: Sequence[Mapping[str, Any]], *, full: bool) -> dict[tuple[str, str], str]:
    """Name each feature in a training set; two of one name are refused unless the view is put before.

    Examples
    --------
    >>> views = [{"view": "a-b", "features": [{"name": "x"}]}]
    >>> column_names(["id"], views, full=True)
    {('a-b', 'x'): 'a_b__x'}
    """
    taken, named = set(spine), dict[tuple[str, str], str]()
    for view in views:
        for feature in view["features"]:
            plain = feature["name"]
            name = f"{view['view'].replace('-', '_')}__{plain}" if full else plain
            if name in taken:
                raise Invalid(
                    f"two columns of the training set would be called {name!r}",
                    field="views",
                    value=name,
                    hint="ask for full_names, which puts the view before each feature",
                )
            taken.add(name)
            named[view["view"], plain] = name
    return named


@dataclass(frozen=True, slots=True, kw_only=True)
class Spine:
    """The rows of a training set before features are joined: whose, as of when, and what is to be learned."""

    dataset: str
    event_time: str
    label: str | None


def check_spine(
    spine: Spine, columns: Mapping[str, str], views: Sequence[Mapping[str, Any]], keys: Mapping[str, str]
) -> None:
    """Refuse a spine without the moment, the label or a join key, or with a key of another type.

    Parameters
    ----------
    keys
        Name to type of the join keys, as the sources of the views have them.
    """
    _check_column("event_time", spine.event_time, columns, MOMENT_TYPES)
    if spine.label is not None and spine.label not in columns:
        raise Invalid(
            f"the spine has no column {spine.label!r}", field="label", value=spine.label, allowed=sorted(columns)
        )
    for view in views:
        for key in view["entity"]:
            if key not in columns:
                raise Invalid(
                    f"the spine {spine.dataset!r} has no column {key!r}, by which {view['view']!r} is joined",
                    field="spine",
                    value=key,
                    allowed=sorted(columns)[:50],
                )
            if columns[key] != keys[key]:
                raise Invalid(
                    f"join key {key!r} is of type {columns[key]!r} in the spine and {keys[key]!r} in {view['view']!r}",
                    field="spine",
                    value=columns[key],
                    allowed=keys[key],
                )


Ttl = Annotated[int | None, Ge(0), doc("seconds after which a value is too old; 0 means never")]
