"""Methods of lake. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.lake_types import (
    Dataset,
    DatasetVersion,
    Difference,
    Feature,
    FeatureView,
    Finding,
    Materialisation,
    OnlineValues,
    Profile,
    QualityReport,
    Rows,
    Rule,
    Storage,
    TrainingSet,
    Upkeep,
)
from aimass.kernel.pages import Page


class LakeCalls(Calls):
    """Operations of lake."""

    def change_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
        expected_version: int | None = None,
    ) -> Dataset:
        """Change name, description, keys or retention."""
        return self._call(
            "lake.change_dataset",
            {
                "dataset": dataset,
                "workspace": workspace,
                "name": name,
                "description": description,
                "keys": keys,
                "retain_days": retain_days,
                "expected_version": expected_version,
            },
            Dataset,
        )

    def change_feature_view(
        self,
        *,
        feature_view: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        entity: list[str] | None = None,
        dataset: str | None = None,
        sql: str | None = None,
        event_time: str | None = None,
        created_time: str | None = None,
        features: list[Feature] | None = None,
        ttl_s: int | None = None,
        tags: list[str] | None = None,
        owner: str | None = None,
        follows: bool | None = None,
        skew_limit: float | None = None,
        expected_version: int | None = None,
    ) -> FeatureView:
        """Change a feature view; training sets that were built keep the definition that they were built by."""
        return self._call(
            "lake.change_feature_view",
            {
                "feature_view": feature_view,
                "workspace": workspace,
                "name": name,
                "description": description,
                "entity": entity,
                "dataset": dataset,
                "sql": sql,
                "event_time": event_time,
                "created_time": created_time,
                "features": features,
                "ttl_s": ttl_s,
                "tags": tags,
                "owner": owner,
                "follows": follows,
                "skew_limit": skew_limit,
                "expected_version": expected_version,
            },
            FeatureView,
        )

    def change_version(
        self,
        *,
        dataset: str,
        number: int,
        workspace: str | None = None,
        tag: str | None = None,
        pinned: bool | None = None,
        expected_version: int | None = None,
    ) -> DatasetVersion:
        """Give a version a tag, or pin it so that retention keeps it."""
        return self._call(
            "lake.change_version",
            {
                "dataset": dataset,
                "number": number,
                "workspace": workspace,
                "tag": tag,
                "pinned": pinned,
                "expected_version": expected_version,
            },
            DatasetVersion,
        )

    def check_quality(self, *, dataset: str, workspace: str | None = None, number: int | None = None) -> QualityReport:
        """Check a version against the present rules again; the newest when no number is given."""
        return self._call(
            "lake.check_quality", {"dataset": dataset, "workspace": workspace, "number": number}, QualityReport
        )

    def check_skew(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Compare what look-ups answer with what the lake says now, and with what models learned from."""
        return self._call("lake.check_skew", {"feature_view": feature_view, "workspace": workspace}, FeatureView)

    def compare_versions(self, *, dataset: str, base: int, head: int, workspace: str | None = None) -> Difference:
        """Show what changed between two versions: rows, columns, and statistics of columns."""
        return self._call(
            "lake.compare_versions",
            {"dataset": dataset, "base": base, "head": head, "workspace": workspace},
            Difference,
        )

    def create_dataset(
        self,
        *,
        name: str,
        workspace: str | None = None,
        slug: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
    ) -> Dataset:
        """Create an empty dataset."""
        return self._call(
            "lake.create_dataset",
            {
                "name": name,
                "workspace": workspace,
                "slug": slug,
                "description": description,
                "keys": keys,
                "retain_days": retain_days,
            },
            Dataset,
        )

    def create_feature_view(
        self,
        *,
        name: str,
        entity: list[str],
        event_time: str,
        workspace: str | None = None,
        dataset: str | None = None,
        sql: str | None = None,
        created_time: str | None = None,
        features: list[Feature] | None = None,
        ttl_s: int | None = None,
        slug: str | None = None,
        description: str | None = None,
        tags: list[str] | None = None,
        owner: str | None = None,
        follows: bool | None = None,
        skew_limit: float | None = None,
    ) -> FeatureView:
        """Declare a feature view over a dataset, or over a SELECT; its columns are checked against the newest version."""
        return self._call(
            "lake.create_feature_view",
            {
                "name": name,
                "entity": entity,
                "event_time": event_time,
                "workspace": workspace,
                "dataset": dataset,
                "sql": sql,
                "created_time": created_time,
                "features": features,
                "ttl_s": ttl_s,
                "slug": slug,
                "description": description,
                "tags": tags,
                "owner": owner,
                "follows": follows,
                "skew_limit": skew_limit,
            },
            FeatureView,
        )

    def delete_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        purge: bool | None = None,
        expected_version: int | None = None,
    ) -> None:
        """Delete a dataset; it can be restored for 30 days, unless it is purged at once."""
        return self._call(
            "lake.delete_dataset",
            {"dataset": dataset, "workspace": workspace, "purge": purge, "expected_version": expected_version},
            None,
        )

    def delete_feature_view(
        self, *, feature_view: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a feature view with its online values; its datasets, and the training sets built by it, stay."""
        return self._call(
            "lake.delete_feature_view",
            {"feature_view": feature_view, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    def find_features(self, *, feature_view: str, entity: str, workspace: str | None = None) -> OnlineValues:
        """Look up the newest known features of one entity."""
        return self._call(
            "lake.find_features", {"feature_view": feature_view, "entity": entity, "workspace": workspace}, OnlineValues
        )

    def find_many_features(
        self,
        *,
        feature_view: str,
        entities: list[dict[str, Any]],
        workspace: str | None = None,
        features: list[str] | None = None,
    ) -> list[OnlineValues]:
        """Look up the newest known features of several entities; the answer has their order."""
        return self._call(
            "lake.find_many_features",
            {"feature_view": feature_view, "entities": entities, "workspace": workspace, "features": features},
            list[OnlineValues],
        )

    def get_classification(self, *, dataset: str, workspace: str | None = None) -> list[Finding]:
        """Show which columns hold personal data."""
        return self._call("lake.get_classification", {"dataset": dataset, "workspace": workspace}, list[Finding])

    def get_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Show a dataset."""
        return self._call("lake.get_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    def get_feature_view(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Show a feature view: its source, its features, and how fresh its online values are."""
        return self._call("lake.get_feature_view", {"feature_view": feature_view, "workspace": workspace}, FeatureView)

    def get_materialisation(
        self, *, feature_view: str, materialisation: str, workspace: str | None = None
    ) -> Materialisation:
        """Show one renewal of the online values of a view."""
        return self._call(
            "lake.get_materialisation",
            {"feature_view": feature_view, "materialisation": materialisation, "workspace": workspace},
            Materialisation,
        )

    def get_profile(self, *, dataset: str, workspace: str | None = None, number: int | None = None) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column."""
        return self._call("lake.get_profile", {"dataset": dataset, "workspace": workspace, "number": number}, Profile)

    def get_quality(self, *, dataset: str, workspace: str | None = None, number: int | None = None) -> QualityReport:
        """Show how well a version keeps the rules."""
        return self._call(
            "lake.get_quality", {"dataset": dataset, "workspace": workspace, "number": number}, QualityReport
        )

    def get_storage(self, *, workspace: str | None = None) -> Storage:
        """Show how much room each dataset takes: newest version, everything with old versions, quarantine."""
        return self._call("lake.get_storage", {"workspace": workspace}, Storage)

    def get_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Show a training set: what it was built by, from which versions, its checksum, and what the check for leaks found."""
        return self._call("lake.get_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet)

    def get_version(self, *, dataset: str, workspace: str | None = None, number: int | None = None) -> DatasetVersion:
        """Show a version; the newest when no number is given."""
        return self._call(
            "lake.get_version", {"dataset": dataset, "workspace": workspace, "number": number}, DatasetVersion
        )

    def join_features(
        self,
        *,
        into: str,
        views: list[str],
        workspace: str | None = None,
        spine: str | None = None,
        entities: list[dict[str, Any]] | None = None,
        event_time: str | None = None,
        label: str | None = None,
        spine_version: int | None = None,
        versions: dict[str, int] | None = None,
        by_created: bool | None = None,
        full_names: bool | None = None,
        pin: bool | None = None,
        key: str | None = None,
    ) -> TrainingSet:
        """Build a training set as a job: each row of the spine with what the views knew at its moment."""
        return self._call(
            "lake.join_features",
            {
                "into": into,
                "views": views,
                "workspace": workspace,
                "spine": spine,
                "entities": entities,
                "event_time": event_time,
                "label": label,
                "spine_version": spine_version,
                "versions": versions,
                "by_created": by_created,
                "full_names": full_names,
                "pin": pin,
                "key": key,
            },
            TrainingSet,
        )

    def list_datasets(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        deleted: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Dataset]:
        """List datasets, newest first, or the deleted ones that can still be restored."""
        return self._call(
            "lake.list_datasets",
            {"workspace": workspace, "text": text, "deleted": deleted, "limit": limit, "cursor": cursor},
            Page[Dataset],
        )

    def list_feature_views(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[FeatureView]:
        """List feature views, newest first."""
        return self._call(
            "lake.list_feature_views",
            {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor},
            Page[FeatureView],
        )

    def list_materialisations(
        self, *, feature_view: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Materialisation]:
        """List the renewals of the online values of a view, newest first."""
        return self._call(
            "lake.list_materialisations",
            {"feature_view": feature_view, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Materialisation],
        )

    def list_rules(self, *, dataset: str, workspace: str | None = None) -> list[Rule]:
        """List the rules that every version is checked against; the first version proposes them."""
        return self._call("lake.list_rules", {"dataset": dataset, "workspace": workspace}, list[Rule])

    def list_training_sets(
        self,
        *,
        workspace: str | None = None,
        feature_view: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[TrainingSet]:
        """List training sets, newest first."""
        return self._call(
            "lake.list_training_sets",
            {
                "workspace": workspace,
                "feature_view": feature_view,
                "dataset": dataset,
                "limit": limit,
                "cursor": cursor,
            },
            Page[TrainingSet],
        )

    def list_versions(
        self, *, dataset: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[DatasetVersion]:
        """List the versions of a dataset, newest first."""
        return self._call(
            "lake.list_versions",
            {"dataset": dataset, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[DatasetVersion],
        )

    def maintain_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        retain_hours: int | None = None,
        dry_run: bool | None = None,
    ) -> Upkeep:
        """Put small files together, and remove files that no kept version needs."""
        return self._call(
            "lake.maintain_dataset",
            {"dataset": dataset, "workspace": workspace, "retain_hours": retain_hours, "dry_run": dry_run},
            Upkeep,
        )

    def make_version(
        self,
        *,
        dataset: str,
        sql: str,
        workspace: str | None = None,
        versions: dict[str, int] | None = None,
        mode: Literal["append", "overwrite"] | None = None,
        key: str | None = None,
    ) -> Job:
        """Make a new version from a SELECT over datasets, as a job."""
        return self._call(
            "lake.make_version",
            {"dataset": dataset, "sql": sql, "workspace": workspace, "versions": versions, "mode": mode, "key": key},
            Job,
        )

    def materialise_features(
        self, *, feature_view: str, workspace: str | None = None, full: bool | None = None
    ) -> Materialisation:
        """Renew the online values of a view as a job: from what was added to the source, or all anew."""
        return self._call(
            "lake.materialise_features",
            {"feature_view": feature_view, "workspace": workspace, "full": full},
            Materialisation,
        )

    def preview_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        number: int | None = None,
        columns: list[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Rows:
        """Show some rows of a version; columns with personal data are masked for those who may only read."""
        return self._call(
            "lake.preview_rows",
            {
                "dataset": dataset,
                "workspace": workspace,
                "number": number,
                "columns": columns,
                "offset": offset,
                "limit": limit,
            },
            Rows,
        )

    def query(
        self,
        *,
        sql: str,
        workspace: str | None = None,
        versions: dict[str, int] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach."""
        return self._call(
            "lake.query",
            {"sql": sql, "workspace": workspace, "versions": versions, "limit": limit, "timeout_s": timeout_s},
            Rows,
        )

    def rebuild_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Build a training set again, by the definition and from the versions that it was built by; the checksum is the same."""
        return self._call(
            "lake.rebuild_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet
        )

    def restore_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Bring a deleted dataset back."""
        return self._call("lake.restore_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    def set_classification(
        self, *, dataset: str, columns: list[Finding], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Finding]:
        """Say which columns hold personal data; it replaces what was found."""
        return self._call(
            "lake.set_classification",
            {"dataset": dataset, "columns": columns, "workspace": workspace, "expected_version": expected_version},
            list[Finding],
        )

    def set_rules(
        self, *, dataset: str, rules: list[Rule], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Rule]:
        """Set the rules for every version to come."""
        return self._call(
            "lake.set_rules",
            {"dataset": dataset, "rules": rules, "workspace": workspace, "expected_version": expected_version},
            list[Rule],
        )


class AsyncLakeCalls(AsyncCalls):
    """Operations of lake, for asyncio."""

    async def change_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
        expected_version: int | None = None,
    ) -> Dataset:
        """Change name, description, keys or retention."""
        return await self._call(
            "lake.change_dataset",
            {
                "dataset": dataset,
                "workspace": workspace,
                "name": name,
                "description": description,
                "keys": keys,
                "retain_days": retain_days,
                "expected_version": expected_version,
            },
            Dataset,
        )

    async def change_feature_view(
        self,
        *,
        feature_view: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        entity: list[str] | None = None,
        dataset: str | None = None,
        sql: str | None = None,
        event_time: str | None = None,
        created_time: str | None = None,
        features: list[Feature] | None = None,
        ttl_s: int | None = None,
        tags: list[str] | None = None,
        owner: str | None = None,
        follows: bool | None = None,
        skew_limit: float | None = None,
        expected_version: int | None = None,
    ) -> FeatureView:
        """Change a feature view; training sets that were built keep the definition that they were built by."""
        return await self._call(
            "lake.change_feature_view",
            {
                "feature_view": feature_view,
                "workspace": workspace,
                "name": name,
                "description": description,
                "entity": entity,
                "dataset": dataset,
                "sql": sql,
                "event_time": event_time,
                "created_time": created_time,
                "features": features,
                "ttl_s": ttl_s,
                "tags": tags,
                "owner": owner,
                "follows": follows,
                "skew_limit": skew_limit,
                "expected_version": expected_version,
            },
            FeatureView,
        )

    async def change_version(
        self,
        *,
        dataset: str,
        number: int,
        workspace: str | None = None,
        tag: str | None = None,
        pinned: bool | None = None,
        expected_version: int | None = None,
    ) -> DatasetVersion:
        """Give a version a tag, or pin it so that retention keeps it."""
        return await self._call(
            "lake.change_version",
            {
                "dataset": dataset,
                "number": number,
                "workspace": workspace,
                "tag": tag,
                "pinned": pinned,
                "expected_version": expected_version,
            },
            DatasetVersion,
        )

    async def check_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None
    ) -> QualityReport:
        """Check a version against the present rules again; the newest when no number is given."""
        return await self._call(
            "lake.check_quality", {"dataset": dataset, "workspace": workspace, "number": number}, QualityReport
        )

    async def check_skew(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Compare what look-ups answer with what the lake says now, and with what models learned from."""
        return await self._call("lake.check_skew", {"feature_view": feature_view, "workspace": workspace}, FeatureView)

    async def compare_versions(self, *, dataset: str, base: int, head: int, workspace: str | None = None) -> Difference:
        """Show what changed between two versions: rows, columns, and statistics of columns."""
        return await self._call(
            "lake.compare_versions",
            {"dataset": dataset, "base": base, "head": head, "workspace": workspace},
            Difference,
        )

    async def create_dataset(
        self,
        *,
        name: str,
        workspace: str | None = None,
        slug: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
    ) -> Dataset:
        """Create an empty dataset."""
        return await self._call(
            "lake.create_dataset",
            {
                "name": name,
                "workspace": workspace,
                "slug": slug,
                "description": description,
                "keys": keys,
                "retain_days": retain_days,
            },
            Dataset,
        )

    async def create_feature_view(
        self,
        *,
        name: str,
        entity: list[str],
        event_time: str,
        workspace: str | None = None,
        dataset: str | None = None,
        sql: str | None = None,
        created_time: str | None = None,
        features: list[Feature] | None = None,
        ttl_s: int | None = None,
        slug: str | None = None,
        description: str | None = None,
        tags: list[str] | None = None,
        owner: str | None = None,
        follows: bool | None = None,
        skew_limit: float | None = None,
    ) -> FeatureView:
        """Declare a feature view over a dataset, or over a SELECT; its columns are checked against the newest version."""
        return await self._call(
            "lake.create_feature_view",
            {
                "name": name,
                "entity": entity,
                "event_time": event_time,
                "workspace": workspace,
                "dataset": dataset,
                "sql": sql,
                "created_time": created_time,
                "features": features,
                "ttl_s": ttl_s,
                "slug": slug,
                "description": description,
                "tags": tags,
                "owner": owner,
                "follows": follows,
                "skew_limit": skew_limit,
            },
            FeatureView,
        )

    async def delete_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        purge: bool | None = None,
        expected_version: int | None = None,
    ) -> None:
        """Delete a dataset; it can be restored for 30 days, unless it is purged at once."""
        return await self._call(
            "lake.delete_dataset",
            {"dataset": dataset, "workspace": workspace, "purge": purge, "expected_version": expected_version},
            None,
        )

    async def delete_feature_view(
        self, *, feature_view: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a feature view with its online values; its datasets, and the training sets built by it, stay."""
        return await self._call(
            "lake.delete_feature_view",
            {"feature_view": feature_view, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    async def find_features(self, *, feature_view: str, entity: str, workspace: str | None = None) -> OnlineValues:
        """Look up the newest known features of one entity."""
        return await self._call(
            "lake.find_features", {"feature_view": feature_view, "entity": entity, "workspace": workspace}, OnlineValues
        )

    async def find_many_features(
        self,
        *,
        feature_view: str,
        entities: list[dict[str, Any]],
        workspace: str | None = None,
        features: list[str] | None = None,
    ) -> list[OnlineValues]:
        """Look up the newest known features of several entities; the answer has their order."""
        return await self._call(
            "lake.find_many_features",
            {"feature_view": feature_view, "entities": entities, "workspace": workspace, "features": features},
            list[OnlineValues],
        )

    async def get_classification(self, *, dataset: str, workspace: str | None = None) -> list[Finding]:
        """Show which columns hold personal data."""
        return await self._call("lake.get_classification", {"dataset": dataset, "workspace": workspace}, list[Finding])

    async def get_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Show a dataset."""
        return await self._call("lake.get_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    async def get_feature_view(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Show a feature view: its source, its features, and how fresh its online values are."""
        return await self._call(
            "lake.get_feature_view", {"feature_view": feature_view, "workspace": workspace}, FeatureView
        )

    async def get_materialisation(
        self, *, feature_view: str, materialisation: str, workspace: str | None = None
    ) -> Materialisation:
        """Show one renewal of the online values of a view."""
        return await self._call(
            "lake.get_materialisation",
            {"feature_view": feature_view, "materialisation": materialisation, "workspace": workspace},
            Materialisation,
        )

    async def get_profile(self, *, dataset: str, workspace: str | None = None, number: int | None = None) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column."""
        return await self._call(
            "lake.get_profile", {"dataset": dataset, "workspace": workspace, "number": number}, Profile
        )

    async def get_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None
    ) -> QualityReport:
        """Show how well a version keeps the rules."""
        return await self._call(
            "lake.get_quality", {"dataset": dataset, "workspace": workspace, "number": number}, QualityReport
        )

    async def get_storage(self, *, workspace: str | None = None) -> Storage:
        """Show how much room each dataset takes: newest version, everything with old versions, quarantine."""
        return await self._call("lake.get_storage", {"workspace": workspace}, Storage)

    async def get_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Show a training set: what it was built by, from which versions, its checksum, and what the check for leaks found."""
        return await self._call(
            "lake.get_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet
        )

    async def get_version(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None
    ) -> DatasetVersion:
        """Show a version; the newest when no number is given."""
        return await self._call(
            "lake.get_version", {"dataset": dataset, "workspace": workspace, "number": number}, DatasetVersion
        )

    async def join_features(
        self,
        *,
        into: str,
        views: list[str],
        workspace: str | None = None,
        spine: str | None = None,
        entities: list[dict[str, Any]] | None = None,
        event_time: str | None = None,
        label: str | None = None,
        spine_version: int | None = None,
        versions: dict[str, int] | None = None,
        by_created: bool | None = None,
        full_names: bool | None = None,
        pin: bool | None = None,
        key: str | None = None,
    ) -> TrainingSet:
        """Build a training set as a job: each row of the spine with what the views knew at its moment."""
        return await self._call(
            "lake.join_features",
            {
                "into": into,
                "views": views,
                "workspace": workspace,
                "spine": spine,
                "entities": entities,
                "event_time": event_time,
                "label": label,
                "spine_version": spine_version,
                "versions": versions,
                "by_created": by_created,
                "full_names": full_names,
                "pin": pin,
                "key": key,
            },
            TrainingSet,
        )

    async def list_datasets(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        deleted: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Dataset]:
        """List datasets, newest first, or the deleted ones that can still be restored."""
        return await self._call(
            "lake.list_datasets",
            {"workspace": workspace, "text": text, "deleted": deleted, "limit": limit, "cursor": cursor},
            Page[Dataset],
        )

    async def list_feature_views(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[FeatureView]:
        """List feature views, newest first."""
        return await self._call(
            "lake.list_feature_views",
            {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor},
            Page[FeatureView],
        )

    async def list_materialisations(
        self, *, feature_view: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Materialisation]:
        """List the renewals of the online values of a view, newest first."""
        return await self._call(
            "lake.list_materialisations",
            {"feature_view": feature_view, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Materialisation],
        )

    async def list_rules(self, *, dataset: str, workspace: str | None = None) -> list[Rule]:
        """List the rules that every version is checked against; the first version proposes them."""
        return await self._call("lake.list_rules", {"dataset": dataset, "workspace": workspace}, list[Rule])

    async def list_training_sets(
        self,
        *,
        workspace: str | None = None,
        feature_view: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[TrainingSet]:
        """List training sets, newest first."""
        return await self._call(
            "lake.list_training_sets",
            {
                "workspace": workspace,
                "feature_view": feature_view,
                "dataset": dataset,
                "limit": limit,
                "cursor": cursor,
            },
            Page[TrainingSet],
        )

    async def list_versions(
        self, *, dataset: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[DatasetVersion]:
        """List the versions of a dataset, newest first."""
        return await self._call(
            "lake.list_versions",
            {"dataset": dataset, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[DatasetVersion],
        )

    async def maintain_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        retain_hours: int | None = None,
        dry_run: bool | None = None,
    ) -> Upkeep:
        """Put small files together, and remove files that no kept version needs."""
        return await self._call(
            "lake.maintain_dataset",
            {"dataset": dataset, "workspace": workspace, "retain_hours": retain_hours, "dry_run": dry_run},
            Upkeep,
        )

    async def make_version(
        self,
        *,
        dataset: str,
        sql: str,
        workspace: str | None = None,
        versions: dict[str, int] | None = None,
        mode: Literal["append", "overwrite"] | None = None,
        key: str | None = None,
    ) -> Job:
        """Make a new version from a SELECT over datasets, as a job."""
        return await self._call(
            "lake.make_version",
            {"dataset": dataset, "sql": sql, "workspace": workspace, "versions": versions, "mode": mode, "key": key},
            Job,
        )

    async def materialise_features(
        self, *, feature_view: str, workspace: str | None = None, full: bool | None = None
    ) -> Materialisation:
        """Renew the online values of a view as a job: from what was added to the source, or all anew."""
        return await self._call(
            "lake.materialise_features",
            {"feature_view": feature_view, "workspace": workspace, "full": full},
            Materialisation,
        )

    async def preview_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        number: int | None = None,
        columns: list[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Rows:
        """Show some rows of a version; columns with personal data are masked for those who may only read."""
        return await self._call(
            "lake.preview_rows",
            {
                "dataset": dataset,
                "workspace": workspace,
                "number": number,
                "columns": columns,
                "offset": offset,
                "limit": limit,
            },
            Rows,
        )

    async def query(
        self,
        *,
        sql: str,
        workspace: str | None = None,
        versions: dict[str, int] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach."""
        return await self._call(
            "lake.query",
            {"sql": sql, "workspace": workspace, "versions": versions, "limit": limit, "timeout_s": timeout_s},
            Rows,
        )

    async def rebuild_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Build a training set again, by the definition and from the versions that it was built by; the checksum is the same."""
        return await self._call(
            "lake.rebuild_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet
        )

    async def restore_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Bring a deleted dataset back."""
        return await self._call("lake.restore_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    async def set_classification(
        self, *, dataset: str, columns: list[Finding], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Finding]:
        """Say which columns hold personal data; it replaces what was found."""
        return await self._call(
            "lake.set_classification",
            {"dataset": dataset, "columns": columns, "workspace": workspace, "expected_version": expected_version},
            list[Finding],
        )

    async def set_rules(
        self, *, dataset: str, rules: list[Rule], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Rule]:
        """Set the rules for every version to come."""
        return await self._call(
            "lake.set_rules",
            {"dataset": dataset, "rules": rules, "workspace": workspace, "expected_version": expected_version},
            list[Rule],
        )
