"""The inputs of the use cases of features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.domain import Cursor, Limit, NumberOrNewest, Workspace
from aimass.lake.features import Feature, Ttl, ViewSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFeatureView:
    """A feature view to declare."""

    workspace: Workspace
    name: Annotated[str, doc("any text; the slug is derived from it")]
    entity: Annotated[list[str], doc("columns that name the entity: the join keys")]
    event_time: Annotated[str, doc("column with the moment from which a row is true")]
    dataset: Annotated[str | None, MaxLen(63), doc("slug of the dataset with the rows")] = None
    sql: Annotated[str | None, MaxLen(100_000), doc("one SELECT over datasets instead")] = None
    created_time: Annotated[str | None, doc("column with the moment at which a row was written down")] = None
    features: Annotated[list[Feature], doc("columns to learn from; every other column if absent")] = field(
        default_factory=list[Feature]
    )
    ttl_s: Ttl = None
    slug: Annotated[str | None, doc("address of the view, if not the derived one")] = None
    description: Annotated[str, MaxLen(20_000)] = ""
    tags: list[str] = field(default_factory=list[str])
    owner: Annotated[str, MaxLen(255), doc("who answers for it; you if absent")] = ""
    follows: Annotated[bool, doc("renew the online values with each new version of the source")] = False
    skew_limit: Annotated[float, Ge(0), Le(1), doc("share of differing entities from which somebody is called")] = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFeatureViews:
    """Which feature views are wanted, the newest first."""

    workspace: Workspace
    text: Annotated[str | None, MaxLen(200), doc("part of the name, slug or description")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneFeatureView:
    """Which feature view is meant."""

    workspace: Workspace
    feature_view: ViewSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFeatureView:
    """What is to change of a feature view; what is absent stays. Training sets that were built keep what they were built by."""

    workspace: Workspace
    feature_view: ViewSlug
    name: str | None = None
    description: Annotated[str | None, MaxLen(20_000)] = None
    entity: Annotated[list[str] | None, doc("columns that name the entity")] = None
    dataset: Annotated[str | None, MaxLen(63), doc("read this dataset from now on")] = None
    sql: Annotated[str | None, MaxLen(100_000), doc("read this SELECT from now on")] = None
    event_time: str | None = None
    created_time: Annotated[str | None, doc("the empty text takes it away")] = None
    features: list[Feature] | None = None
    ttl_s: Ttl = None
    tags: list[str] | None = None
    owner: Annotated[str | None, MaxLen(255)] = None
    follows: bool | None = None
    skew_limit: Annotated[float | None, Ge(0), Le(1)] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFeatureView:
    """Which feature view is to be deleted."""

    workspace: Workspace
    feature_view: ViewSlug
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFeatures:
    """A training set to build: the rows of a spine, with what each view knew at the moment of the row."""

    workspace: Workspace
    into: Annotated[str, MaxLen(63), doc("dataset that gets it as its next version; made when it is missing")]
    views: Annotated[list[str], doc("slugs of feature views, also with commas between them")]
    spine: Annotated[str | None, MaxLen(63), doc("dataset with entities, moments and the label")] = None
    entities: Annotated[list[dict[str, Any]] | None, MaxLen(10_000), doc("these rows instead of a dataset")] = None
    event_time: Annotated[str, doc("column of the spine with the moment")] = "event_time"
    label: Annotated[str | None, doc("column of the spine that is to be learned, for the check for leaks")] = None
    spine_version: NumberOrNewest = None
    versions: Annotated[dict[str, int], doc("number of the version by source dataset; the newest if absent")] = field(
        default_factory=dict[str, int]
    )
    by_created: Annotated[bool, doc("leave out what was written down after the moment, even if it was true before")] = (
        True
    )
    full_names: Annotated[bool, doc("put the view before each feature: view__feature")] = False
    pin: Annotated[bool, doc("keep the versions that were read, so that it can be built again")] = True
    key: Annotated[str | None, MaxLen(150), doc("the same key again builds nothing new")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTrainingSets:
    """Which training sets are wanted, the newest first."""

    workspace: Workspace
    feature_view: Annotated[str | None, MaxLen(63), doc("only those that use this view")] = None
    dataset: Annotated[str | None, MaxLen(63), doc("only versions of this dataset")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTrainingSet:
    """Which training set is meant."""

    workspace: Workspace
    training_set: Annotated[str, MaxLen(26), doc("id of the training set")]
