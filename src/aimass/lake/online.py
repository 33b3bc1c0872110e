"""Online values: the newest known value of each feature, by entity."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, MinLen, doc

from aimass.kernel.errors import Invalid
from aimass.lake.domain import Cursor, Limit, Workspace
from aimass.lake.features import Feature, FeatureView, SourceVersion, ViewSlug

NEVER = -(2**62)
LONGEST_KEY = 500
MOST_ENTITIES = 1000
Reason = Literal["unknown entity", "too old", "empty", "not materialised"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialisation:
    """One renewal of the online values of a view.

    Attributes
    ----------
    mode
        ``full`` computes every entity and drops those that are gone; ``incremental`` reads only the files that are new.
    state
        SUPERSEDED when newer values were there first.
    sources
        The versions that were read.
    rows, removed
        Entities written, and entities dropped because the source has them no more.
    """

    id: str
    workspace: str
    view: str
    mode: Literal["full", "incremental"]
    state: Literal["RUNNING", "SUCCEEDED", "SUPERSEDED", "FAILED", "CANCELLED"]
    sources: list[SourceVersion]
    rows: int
    removed: int
    job: str
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialiseFeatures:
    """Which online values are to be renewed."""

    workspace: Workspace
    feature_view: ViewSlug
    full: Annotated[bool, doc("compute every entity anew, not only what was added to the source")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMaterialisations:
    """Whose renewals are wanted, the newest first."""

    workspace: Workspace
    feature_view: ViewSlug
    limit: Limit = 20
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMaterialisation:
    """Which renewal is meant."""

    workspace: Workspace
    feature_view: ViewSlug
    materialisation: Annotated[str, MaxLen(26), doc("id of the renewal")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindFeatures:
    """Which entity is looked up."""

    workspace: Workspace
    feature_view: ViewSlug
    entity: Annotated[
        str, MaxLen(2_000), doc("value of the join key; several keys in their order, with commas between")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindManyFeatures:
    """Which entities are looked up, each with its join keys by name."""

    workspace: Workspace
    feature_view: ViewSlug
    entities: Annotated[
        list[dict[str, Any]], MinLen(1), MaxLen(MOST_ENTITIES), doc('join keys by name, for example {"customer": 1007}')
    ]
    features: Annotated[list[str] | None, doc("only these; all if absent")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineValues:
    """What is known of one entity now.

    Attributes
    ----------
    values
        By feature; null or the default of the feature where ``reasons`` says why there is no value.
    reasons
        By feature: ``unknown entity``, ``too old``, ``empty`` (the source has no value), ``not materialised``.
    event_time, age_s
        When the values became true, and how long ago that is.
    """

    entity: dict[str, Any]
    values: dict[str, Any]
    reasons: dict[str, Reason] = field(default_factory=dict[str, Reason])
    event_time: datetime | None = None
    age_s: float | None = None


def entity_of(view: FeatureView, given: Mapping[str, Any]) -> list[Any]:
    """Read the join keys of an entity as the types they have in the source.

    Raises
    ------
    Invalid
        A key is missing, unknown, or of another type.
    """
    for name in given:
        if name not in view.entity:
            raise Invalid(f"{view.slug!r} is not joined by {name!r}", field="entities", value=name, allowed=view.entity)
    return [_key(name, view.entity_types[name], given.get(name)) for name in view.entity]


def _key(name: str, kind: str, value: Any) -> Any:
    try:
        if kind == "integer" and not isinstance(value, bool | float):
            return int(value)
        if kind == "boolean" and str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        if kind == "date":
            return date.fromisoformat(str(value)).isoformat()
        if kind == "string" and isinstance(value, str):
            return value
    except (TypeError, ValueError):
        pass
    raise Invalid(f"join key {name!r} is {value!r}", field="entities", value=value, allowed=f"of type {kind}")


def key_of(values: Sequence[Any]) -> str:
    """Write join keys as the one text by which they are found; a very long one is digested.

    Examples
    --------
    >>> key_of([1007, "EU"]), len(key_of(["x" * 1000]))
    ('[1007,"EU"]', 71)
    """
    text = json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONGEST_KEY else f"sha256:{sha256(text.encode()).hexdigest()}"


def microseconds(moment: datetime) -> int:
    """Count the microseconds since 1970.

    Examples
    --------
    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def told(view: FeatureView, keys: Sequence[Any], row: tuple[int, str] | None, now: datetime) -> OnlineValues:
    """Tell what is known of an entity now.

    Parameters
    ----------
    row
        Moment in microseconds and values as they are kept; None when the entity is not there.
    """
    entity = dict(zip(view.entity, keys, strict=True))
    if row is None:
        why: Reason = "unknown entity" if view.online_at else "not materialised"
        return OnlineValues(
            entity=entity,
            values={feature.name: feature.default for feature in view.features},
            reasons={feature.name: why for feature in view.features},
        )
    moment = _EPOCH + timedelta(microseconds=row[0])
    age_s = (now - moment).total_seconds()
    is_old = view.ttl_s is not None and age_s > view.ttl_s
    kept: dict[str, Any] = json.loads(row[1])["values"]
    values, reasons = dict[str, Any](), dict[str, Reason]()
    for feature in view.features:
        values[feature.name], reason = _current(feature, kept, is_old=is_old)
        if reason:
            reasons[feature.name] = reason
    return OnlineValues(entity=entity, values=values, reasons=reasons, event_time=moment, age_s=age_s)


def _current(feature: Feature, kept: Mapping[str, Any], *, is_old: bool) -> tuple[Any, Reason | None]:
    if is_old:
        return feature.default, "too old"
    if feature.name not in kept:
        return feature.default, "not materialised"
    value = kept[feature.name]
    return (feature.default, "empty") if value is None else (value, None)


def is_behind(sources: Sequence[SourceVersion], others: Sequence[SourceVersion]) -> bool:
    """Tell whether versions are older than others of the same datasets."""
    known = {other.dataset: other.delta_version for other in others}
    return any(source.delta_version < known.get(source.dataset, NEVER) for source in sources)
