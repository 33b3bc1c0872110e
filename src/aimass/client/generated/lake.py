"""Methods of lake. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.lake_types import (
    Branch,
    Dataset,
    DatasetVersion,
    Difference,
    Feature,
    FeatureView,
    Finding,
    Layout,
    Materialisation,
    Merge,
    MergedRows,
    OnlineValues,
    Policy,
    Profile,
    QualityReport,
    QueryRun,
    Recipient,
    RecipientProfile,
    RowDifference,
    Rows,
    Rule,
    RunningQuery,
    SavedQuery,
    Share,
    Storage,
    TrainingSet,
    Upkeep,
    View,
    ViewRefresh,
)
from aimass.kernel.pages import Page


class LakeCalls(Calls):
    """Operations of lake."""

    def cancel_query(self, *, query: str, workspace: str | None = None) -> None:
        """Stop a query that runs: your own, or with lake.manage that of somebody else."""
        return self._call("lake.cancel_query", {"query": query, "workspace": workspace}, None)

    def change_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
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
                "layer": layer,
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

    def change_recipient(self, *, recipient: str, shares: list[str], workspace: str | None = None) -> Recipient:
        """Say which shares a recipient may read from now on."""
        return self._call(
            "lake.change_recipient", {"recipient": recipient, "shares": shares, "workspace": workspace}, Recipient
        )

    def change_saved_query(
        self,
        *,
        saved_query: str,
        workspace: str | None = None,
        name: str | None = None,
        sql: str | None = None,
        parameters: dict[str, Any] | None = None,
        description: str | None = None,
        shared: bool | None = None,
        expected_version: int | None = None,
    ) -> SavedQuery:
        """Change a saved query of your own; with lake.manage that of somebody else."""
        return self._call(
            "lake.change_saved_query",
            {
                "saved_query": saved_query,
                "workspace": workspace,
                "name": name,
                "sql": sql,
                "parameters": parameters,
                "description": description,
                "shared": shared,
                "expected_version": expected_version,
            },
            SavedQuery,
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

    def change_view(
        self,
        *,
        view: str,
        workspace: str | None = None,
        name: str | None = None,
        sql: str | None = None,
        saved_query: str | None = None,
        parameters: dict[str, Any] | None = None,
        layer: Literal["silver", "gold"] | None = None,
        refresh: Literal["manual", "on_change"] | None = None,
        every_s: float | None = None,
        description: str | None = None,
        take_over: bool | None = None,
        expected_version: int | None = None,
    ) -> View:
        """Change a view of your own, or with lake.manage that of somebody else; who changes what it asks becomes its owner."""
        return self._call(
            "lake.change_view",
            {
                "view": view,
                "workspace": workspace,
                "name": name,
                "sql": sql,
                "saved_query": saved_query,
                "parameters": parameters,
                "layer": layer,
                "refresh": refresh,
                "every_s": every_s,
                "description": description,
                "take_over": take_over,
                "expected_version": expected_version,
            },
            View,
        )

    def check_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> QualityReport:
        """Check a version against the present rules again; the newest when no number is given."""
        return self._call(
            "lake.check_quality",
            {"dataset": dataset, "workspace": workspace, "number": number, "at": at},
            QualityReport,
        )

    def check_skew(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Compare what look-ups answer with what the lake says now, and with what models learned from."""
        return self._call("lake.check_skew", {"feature_view": feature_view, "workspace": workspace}, FeatureView)

    def compare_rows(
        self,
        *,
        dataset: str,
        base: int,
        workspace: str | None = None,
        head: int | None = None,
        of: str | None = None,
        keys: list[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> RowDifference:
        """Show which rows were added, removed and changed between two versions, by key; personal data is masked for readers."""
        return self._call(
            "lake.compare_rows",
            {
                "dataset": dataset,
                "base": base,
                "workspace": workspace,
                "head": head,
                "of": of,
                "keys": keys,
                "offset": offset,
                "limit": limit,
            },
            RowDifference,
        )

    def compare_versions(self, *, dataset: str, base: int, head: int, workspace: str | None = None) -> Difference:
        """Show what changed between two versions: rows, columns, and statistics of columns."""
        return self._call(
            "lake.compare_versions",
            {"dataset": dataset, "base": base, "head": head, "workspace": workspace},
            Difference,
        )

    def create_branch(
        self,
        *,
        dataset: str,
        branch: str,
        workspace: str | None = None,
        number: int | None = None,
        description: str | None = None,
    ) -> Branch:
        """Make a branch of a version, without copying its rows; it is named dataset@branch wherever a dataset is."""
        return self._call(
            "lake.create_branch",
            {
                "dataset": dataset,
                "branch": branch,
                "workspace": workspace,
                "number": number,
                "description": description,
            },
            Branch,
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
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
        ordered_by: list[str] | None = None,
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
                "layer": layer,
                "ordered_by": ordered_by,
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

    def create_recipient(
        self,
        *,
        name: str,
        workspace: str | None = None,
        shares: list[str] | None = None,
        days: int | None = None,
        endpoint: str | None = None,
    ) -> RecipientProfile:
        """Create a recipient; its profile with the token is told this once."""
        return self._call(
            "lake.create_recipient",
            {"name": name, "workspace": workspace, "shares": shares, "days": days, "endpoint": endpoint},
            RecipientProfile,
        )

    def create_share(self, *, share: str, workspace: str | None = None, description: str | None = None) -> Share:
        """Create an empty share."""
        return self._call(
            "lake.create_share", {"share": share, "workspace": workspace, "description": description}, Share
        )

    def create_view(
        self,
        *,
        name: str,
        workspace: str | None = None,
        sql: str | None = None,
        saved_query: str | None = None,
        parameters: dict[str, Any] | None = None,
        dataset: str | None = None,
        layer: Literal["silver", "gold"] | None = None,
        refresh: Literal["manual", "on_change"] | None = None,
        every_s: float | None = None,
        description: str | None = None,
        slug: str | None = None,
    ) -> View:
        """Make a view: a SELECT whose rows are kept as a dataset of its own; you are its owner, and your policies count."""
        return self._call(
            "lake.create_view",
            {
                "name": name,
                "workspace": workspace,
                "sql": sql,
                "saved_query": saved_query,
                "parameters": parameters,
                "dataset": dataset,
                "layer": layer,
                "refresh": refresh,
                "every_s": every_s,
                "description": description,
                "slug": slug,
            },
            View,
        )

    def delete_branch(self, *, dataset: str, branch: str, workspace: str | None = None) -> None:
        """Delete a branch; it can be restored for 30 days."""
        return self._call("lake.delete_branch", {"dataset": dataset, "branch": branch, "workspace": workspace}, None)

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

    def delete_recipient(self, *, recipient: str, workspace: str | None = None) -> None:
        """Delete a recipient: its token counts no more."""
        return self._call("lake.delete_recipient", {"recipient": recipient, "workspace": workspace}, None)

    def delete_saved_query(
        self, *, saved_query: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a saved query of your own; with lake.manage that of somebody else."""
        return self._call(
            "lake.delete_saved_query",
            {"saved_query": saved_query, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    def delete_share(self, *, share: str, workspace: str | None = None) -> None:
        """Delete a share: its recipients read it no more."""
        return self._call("lake.delete_share", {"share": share, "workspace": workspace}, None)

    def delete_view(self, *, view: str, workspace: str | None = None, expected_version: int | None = None) -> None:
        """Delete a view of your own, or with lake.manage that of somebody else; its dataset stays, as an ordinary one."""
        return self._call(
            "lake.delete_view", {"view": view, "workspace": workspace, "expected_version": expected_version}, None
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

    def get_policy(
        self, *, dataset: str, policy: str, workspace: str | None = None, expected_version: int | None = None
    ) -> Policy:
        """Show a policy."""
        return self._call(
            "lake.get_policy",
            {"dataset": dataset, "policy": policy, "workspace": workspace, "expected_version": expected_version},
            Policy,
        )

    def get_profile(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column."""
        return self._call(
            "lake.get_profile", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, Profile
        )

    def get_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> QualityReport:
        """Show how well a version keeps the rules."""
        return self._call(
            "lake.get_quality", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, QualityReport
        )

    def get_saved_query(self, *, saved_query: str, workspace: str | None = None) -> SavedQuery:
        """Show a saved query."""
        return self._call("lake.get_saved_query", {"saved_query": saved_query, "workspace": workspace}, SavedQuery)

    def get_storage(self, *, workspace: str | None = None) -> Storage:
        """Show how much room each dataset takes: newest version, everything with old versions, quarantine."""
        return self._call("lake.get_storage", {"workspace": workspace}, Storage)

    def get_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Show a training set: what it was built by, from which versions, its checksum, and what the check for leaks found."""
        return self._call("lake.get_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet)

    def get_version(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> DatasetVersion:
        """Show a version: by number, tag or moment, else the newest."""
        return self._call(
            "lake.get_version", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, DatasetVersion
        )

    def get_view(self, *, view: str, workspace: str | None = None) -> View:
        """Show a view: what it asks, whose rights count, whether it is fresh, and which sources have moved on."""
        return self._call("lake.get_view", {"view": view, "workspace": workspace}, View)

    def get_view_refresh(self, *, view: str, refresh: str, workspace: str | None = None) -> ViewRefresh:
        """Show one refresh of a view: what it read, what it made, or why it failed."""
        return self._call(
            "lake.get_view_refresh", {"view": view, "refresh": refresh, "workspace": workspace}, ViewRefresh
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

    def list_branches(self, *, dataset: str, workspace: str | None = None) -> list[Branch]:
        """List the branches of a dataset, and how far each and the dataset have gone since they parted."""
        return self._call("lake.list_branches", {"dataset": dataset, "workspace": workspace}, list[Branch])

    def list_datasets(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
        branches: bool | None = None,
        deleted: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Dataset]:
        """List datasets, newest first, or the deleted ones that can still be restored."""
        return self._call(
            "lake.list_datasets",
            {
                "workspace": workspace,
                "text": text,
                "layer": layer,
                "branches": branches,
                "deleted": deleted,
                "limit": limit,
                "cursor": cursor,
            },
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
        """List feature views, newest first; how their features compare one by one is shown with each view."""
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

    def list_policies(self, *, dataset: str, workspace: str | None = None) -> list[Policy]:
        """List the policies of a dataset: which rows and columns are hidden, and from whom."""
        return self._call("lake.list_policies", {"dataset": dataset, "workspace": workspace}, list[Policy])

    def list_query_runs(
        self,
        *,
        workspace: str | None = None,
        everybody: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[QueryRun]:
        """List the queries that have ended, newest first: your own, or those of everybody."""
        return self._call(
            "lake.list_query_runs",
            {"workspace": workspace, "everybody": everybody, "limit": limit, "cursor": cursor},
            Page[QueryRun],
        )

    def list_recipients(self, *, workspace: str | None = None) -> list[Recipient]:
        """List who outside may read shares, and when each did last."""
        return self._call("lake.list_recipients", {"workspace": workspace}, list[Recipient])

    def list_rules(self, *, dataset: str, workspace: str | None = None) -> list[Rule]:
        """List the rules that every version is checked against; the first version proposes them."""
        return self._call("lake.list_rules", {"dataset": dataset, "workspace": workspace}, list[Rule])

    def list_running_queries(self, *, workspace: str | None = None) -> list[RunningQuery]:
        """List the queries that run or wait now: your own, and with lake.manage those of everybody."""
        return self._call("lake.list_running_queries", {"workspace": workspace}, list[RunningQuery])

    def list_saved_queries(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SavedQuery]:
        """List the saved queries that you see: your own and the shared ones; with lake.manage all."""
        return self._call(
            "lake.list_saved_queries",
            {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor},
            Page[SavedQuery],
        )

    def list_shares(self, *, workspace: str | None = None) -> list[Share]:
        """List the shares of a workspace, and what is in them."""
        return self._call("lake.list_shares", {"workspace": workspace}, list[Share])

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

    def list_view_refreshes(
        self, *, view: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[ViewRefresh]:
        """List the refreshes of a view, newest first."""
        return self._call(
            "lake.list_view_refreshes",
            {"view": view, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[ViewRefresh],
        )

    def list_views(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[View]:
        """List views by address, each with whether it is fresh."""
        return self._call(
            "lake.list_views", {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor}, Page[View]
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
        versions: dict[str, int | str] | None = None,
        mode: Literal["append", "overwrite", "merge"] | None = None,
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

    def merge_branch(
        self,
        *,
        dataset: str,
        branch: str,
        workspace: str | None = None,
        prefer: Literal["branch", "dataset"] | None = None,
    ) -> Merge:
        """Bring what a branch changed back into the dataset, as one version; rows that both changed need a word whose count."""
        return self._call(
            "lake.merge_branch", {"dataset": dataset, "branch": branch, "workspace": workspace, "prefer": prefer}, Merge
        )

    def merge_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        rows: list[dict[str, Any]] | None = None,
        delete: list[dict[str, Any]] | None = None,
        key: str | None = None,
    ) -> MergedRows:
        """Write rows over those with the same keys, insert the others, and delete those whose keys are named, as one version."""
        return self._call(
            "lake.merge_rows",
            {"dataset": dataset, "workspace": workspace, "rows": rows, "delete": delete, "key": key},
            MergedRows,
        )

    def order_dataset(self, *, dataset: str, workspace: str | None = None, columns: list[str] | None = None) -> Dataset:
        """Say by which columns the rows lie; a job writes them in that order, and upkeep keeps it."""
        return self._call(
            "lake.order_dataset", {"dataset": dataset, "workspace": workspace, "columns": columns}, Dataset
        )

    def preview_merge(self, *, dataset: str, branch: str, workspace: str | None = None) -> Merge:
        """Show what a merge of a branch would change in the dataset, and which rows both sides changed."""
        return self._call("lake.preview_merge", {"dataset": dataset, "branch": branch, "workspace": workspace}, Merge)

    def preview_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        number: int | None = None,
        at: str | None = None,
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
                "at": at,
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
        versions: dict[str, int | str] | None = None,
        parameters: dict[str, Any] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach."""
        return self._call(
            "lake.query",
            {
                "sql": sql,
                "workspace": workspace,
                "versions": versions,
                "parameters": parameters,
                "limit": limit,
                "timeout_s": timeout_s,
            },
            Rows,
        )

    def rebuild_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Build a training set again, by the definition and from the versions that it was built by; the checksum is the same."""
        return self._call(
            "lake.rebuild_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet
        )

    def refresh_view(self, *, view: str, workspace: str | None = None, force: bool | None = None) -> ViewRefresh:
        """Refresh a view as a job, under the rights and policies of its owner; a fresh one is left as it is."""
        return self._call("lake.refresh_view", {"view": view, "workspace": workspace, "force": force}, ViewRefresh)

    def remove_policy(
        self, *, dataset: str, policy: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Remove a policy; what it hid is seen from the next query on."""
        return self._call(
            "lake.remove_policy",
            {"dataset": dataset, "policy": policy, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    def restore_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Bring a deleted dataset back."""
        return self._call("lake.restore_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    def revert_version(self, *, dataset: str, number: int, workspace: str | None = None) -> DatasetVersion:
        """Make the rows of an earlier version the newest ones, as a new version; what came between stays in the history."""
        return self._call(
            "lake.revert_version", {"dataset": dataset, "number": number, "workspace": workspace}, DatasetVersion
        )

    def revoke_recipient(self, *, recipient: str, workspace: str | None = None) -> Recipient:
        """Take the token of a recipient back at once; a rotation gives a new one."""
        return self._call("lake.revoke_recipient", {"recipient": recipient, "workspace": workspace}, Recipient)

    def rotate_recipient(
        self,
        *,
        recipient: str,
        workspace: str | None = None,
        days: int | None = None,
        endpoint: str | None = None,
        grace_hours: int | None = None,
    ) -> RecipientProfile:
        """Give a recipient a new token; the old one counts for a while if you say so, also after it was revoked."""
        return self._call(
            "lake.rotate_recipient",
            {
                "recipient": recipient,
                "workspace": workspace,
                "days": days,
                "endpoint": endpoint,
                "grace_hours": grace_hours,
            },
            RecipientProfile,
        )

    def run_saved_query(
        self,
        *,
        saved_query: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run a saved query under your own rights, with its values or with others."""
        return self._call(
            "lake.run_saved_query",
            {
                "saved_query": saved_query,
                "workspace": workspace,
                "parameters": parameters,
                "limit": limit,
                "timeout_s": timeout_s,
            },
            Rows,
        )

    def save_query(
        self,
        *,
        name: str,
        sql: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        description: str | None = None,
        shared: bool | None = None,
        slug: str | None = None,
    ) -> SavedQuery:
        """Keep a query under a name, for yourself or for everybody in the workspace."""
        return self._call(
            "lake.save_query",
            {
                "name": name,
                "sql": sql,
                "workspace": workspace,
                "parameters": parameters,
                "description": description,
                "shared": shared,
                "slug": slug,
            },
            SavedQuery,
        )

    def set_classification(
        self, *, dataset: str, columns: list[Finding], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Finding]:
        """Say which columns hold personal data; it replaces what was found."""
        return self._call(
            "lake.set_classification",
            {"dataset": dataset, "columns": columns, "workspace": workspace, "expected_version": expected_version},
            list[Finding],
        )

    def set_policy(
        self,
        *,
        dataset: str,
        policy: str,
        workspace: str | None = None,
        filter: str | None = None,
        columns: list[str] | None = None,
        mask: Literal["hide", "null", "full", "token", "partial", "round"] | None = None,
        keep: int | None = None,
        step: str | None = None,
        applies_to: list[str] | None = None,
        exempt: list[str] | None = None,
        granted: dict[str, list[str]] | None = None,
        enabled: bool | None = None,
        expected_version: int | None = None,
    ) -> Policy:
        """Set a policy: a row filter, or a mask on columns; it counts from the next query on."""
        return self._call(
            "lake.set_policy",
            {
                "dataset": dataset,
                "policy": policy,
                "workspace": workspace,
                "filter": filter,
                "columns": columns,
                "mask": mask,
                "keep": keep,
                "step": step,
                "applies_to": applies_to,
                "exempt": exempt,
                "granted": granted,
                "enabled": enabled,
                "expected_version": expected_version,
            },
            Policy,
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

    def share_dataset(
        self,
        *,
        share: str,
        dataset: str,
        workspace: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        history: bool | None = None,
        personal: bool | None = None,
    ) -> Share:
        """Share a dataset: recipients of the share read its newest version, and earlier ones if you say so."""
        return self._call(
            "lake.share_dataset",
            {
                "share": share,
                "dataset": dataset,
                "workspace": workspace,
                "namespace": namespace,
                "name": name,
                "history": history,
                "personal": personal,
            },
            Share,
        )

    def show_layout(self, *, dataset: str, workspace: str | None = None) -> Layout:
        """Show how the rows of a dataset lie, how much of it queries read, and by which columns an order would help."""
        return self._call("lake.show_layout", {"dataset": dataset, "workspace": workspace}, Layout)

    def unshare_table(self, *, share: str, namespace: str, name: str, workspace: str | None = None) -> None:
        """Take a table out of a share."""
        return self._call(
            "lake.unshare_table", {"share": share, "namespace": namespace, "name": name, "workspace": workspace}, None
        )


class AsyncLakeCalls(AsyncCalls):
    """Operations of lake, for asyncio."""

    async def cancel_query(self, *, query: str, workspace: str | None = None) -> None:
        """Stop a query that runs: your own, or with lake.manage that of somebody else."""
        return await self._call("lake.cancel_query", {"query": query, "workspace": workspace}, None)

    async def change_dataset(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        keys: list[str] | None = None,
        retain_days: int | None = None,
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
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
                "layer": layer,
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

    async def change_recipient(self, *, recipient: str, shares: list[str], workspace: str | None = None) -> Recipient:
        """Say which shares a recipient may read from now on."""
        return await self._call(
            "lake.change_recipient", {"recipient": recipient, "shares": shares, "workspace": workspace}, Recipient
        )

    async def change_saved_query(
        self,
        *,
        saved_query: str,
        workspace: str | None = None,
        name: str | None = None,
        sql: str | None = None,
        parameters: dict[str, Any] | None = None,
        description: str | None = None,
        shared: bool | None = None,
        expected_version: int | None = None,
    ) -> SavedQuery:
        """Change a saved query of your own; with lake.manage that of somebody else."""
        return await self._call(
            "lake.change_saved_query",
            {
                "saved_query": saved_query,
                "workspace": workspace,
                "name": name,
                "sql": sql,
                "parameters": parameters,
                "description": description,
                "shared": shared,
                "expected_version": expected_version,
            },
            SavedQuery,
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

    async def change_view(
        self,
        *,
        view: str,
        workspace: str | None = None,
        name: str | None = None,
        sql: str | None = None,
        saved_query: str | None = None,
        parameters: dict[str, Any] | None = None,
        layer: Literal["silver", "gold"] | None = None,
        refresh: Literal["manual", "on_change"] | None = None,
        every_s: float | None = None,
        description: str | None = None,
        take_over: bool | None = None,
        expected_version: int | None = None,
    ) -> View:
        """Change a view of your own, or with lake.manage that of somebody else; who changes what it asks becomes its owner."""
        return await self._call(
            "lake.change_view",
            {
                "view": view,
                "workspace": workspace,
                "name": name,
                "sql": sql,
                "saved_query": saved_query,
                "parameters": parameters,
                "layer": layer,
                "refresh": refresh,
                "every_s": every_s,
                "description": description,
                "take_over": take_over,
                "expected_version": expected_version,
            },
            View,
        )

    async def check_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> QualityReport:
        """Check a version against the present rules again; the newest when no number is given."""
        return await self._call(
            "lake.check_quality",
            {"dataset": dataset, "workspace": workspace, "number": number, "at": at},
            QualityReport,
        )

    async def check_skew(self, *, feature_view: str, workspace: str | None = None) -> FeatureView:
        """Compare what look-ups answer with what the lake says now, and with what models learned from."""
        return await self._call("lake.check_skew", {"feature_view": feature_view, "workspace": workspace}, FeatureView)

    async def compare_rows(
        self,
        *,
        dataset: str,
        base: int,
        workspace: str | None = None,
        head: int | None = None,
        of: str | None = None,
        keys: list[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> RowDifference:
        """Show which rows were added, removed and changed between two versions, by key; personal data is masked for readers."""
        return await self._call(
            "lake.compare_rows",
            {
                "dataset": dataset,
                "base": base,
                "workspace": workspace,
                "head": head,
                "of": of,
                "keys": keys,
                "offset": offset,
                "limit": limit,
            },
            RowDifference,
        )

    async def compare_versions(self, *, dataset: str, base: int, head: int, workspace: str | None = None) -> Difference:
        """Show what changed between two versions: rows, columns, and statistics of columns."""
        return await self._call(
            "lake.compare_versions",
            {"dataset": dataset, "base": base, "head": head, "workspace": workspace},
            Difference,
        )

    async def create_branch(
        self,
        *,
        dataset: str,
        branch: str,
        workspace: str | None = None,
        number: int | None = None,
        description: str | None = None,
    ) -> Branch:
        """Make a branch of a version, without copying its rows; it is named dataset@branch wherever a dataset is."""
        return await self._call(
            "lake.create_branch",
            {
                "dataset": dataset,
                "branch": branch,
                "workspace": workspace,
                "number": number,
                "description": description,
            },
            Branch,
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
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
        ordered_by: list[str] | None = None,
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
                "layer": layer,
                "ordered_by": ordered_by,
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

    async def create_recipient(
        self,
        *,
        name: str,
        workspace: str | None = None,
        shares: list[str] | None = None,
        days: int | None = None,
        endpoint: str | None = None,
    ) -> RecipientProfile:
        """Create a recipient; its profile with the token is told this once."""
        return await self._call(
            "lake.create_recipient",
            {"name": name, "workspace": workspace, "shares": shares, "days": days, "endpoint": endpoint},
            RecipientProfile,
        )

    async def create_share(self, *, share: str, workspace: str | None = None, description: str | None = None) -> Share:
        """Create an empty share."""
        return await self._call(
            "lake.create_share", {"share": share, "workspace": workspace, "description": description}, Share
        )

    async def create_view(
        self,
        *,
        name: str,
        workspace: str | None = None,
        sql: str | None = None,
        saved_query: str | None = None,
        parameters: dict[str, Any] | None = None,
        dataset: str | None = None,
        layer: Literal["silver", "gold"] | None = None,
        refresh: Literal["manual", "on_change"] | None = None,
        every_s: float | None = None,
        description: str | None = None,
        slug: str | None = None,
    ) -> View:
        """Make a view: a SELECT whose rows are kept as a dataset of its own; you are its owner, and your policies count."""
        return await self._call(
            "lake.create_view",
            {
                "name": name,
                "workspace": workspace,
                "sql": sql,
                "saved_query": saved_query,
                "parameters": parameters,
                "dataset": dataset,
                "layer": layer,
                "refresh": refresh,
                "every_s": every_s,
                "description": description,
                "slug": slug,
            },
            View,
        )

    async def delete_branch(self, *, dataset: str, branch: str, workspace: str | None = None) -> None:
        """Delete a branch; it can be restored for 30 days."""
        return await self._call(
            "lake.delete_branch", {"dataset": dataset, "branch": branch, "workspace": workspace}, None
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

    async def delete_recipient(self, *, recipient: str, workspace: str | None = None) -> None:
        """Delete a recipient: its token counts no more."""
        return await self._call("lake.delete_recipient", {"recipient": recipient, "workspace": workspace}, None)

    async def delete_saved_query(
        self, *, saved_query: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a saved query of your own; with lake.manage that of somebody else."""
        return await self._call(
            "lake.delete_saved_query",
            {"saved_query": saved_query, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    async def delete_share(self, *, share: str, workspace: str | None = None) -> None:
        """Delete a share: its recipients read it no more."""
        return await self._call("lake.delete_share", {"share": share, "workspace": workspace}, None)

    async def delete_view(
        self, *, view: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a view of your own, or with lake.manage that of somebody else; its dataset stays, as an ordinary one."""
        return await self._call(
            "lake.delete_view", {"view": view, "workspace": workspace, "expected_version": expected_version}, None
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

    async def get_policy(
        self, *, dataset: str, policy: str, workspace: str | None = None, expected_version: int | None = None
    ) -> Policy:
        """Show a policy."""
        return await self._call(
            "lake.get_policy",
            {"dataset": dataset, "policy": policy, "workspace": workspace, "expected_version": expected_version},
            Policy,
        )

    async def get_profile(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column."""
        return await self._call(
            "lake.get_profile", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, Profile
        )

    async def get_quality(
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> QualityReport:
        """Show how well a version keeps the rules."""
        return await self._call(
            "lake.get_quality", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, QualityReport
        )

    async def get_saved_query(self, *, saved_query: str, workspace: str | None = None) -> SavedQuery:
        """Show a saved query."""
        return await self._call(
            "lake.get_saved_query", {"saved_query": saved_query, "workspace": workspace}, SavedQuery
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
        self, *, dataset: str, workspace: str | None = None, number: int | None = None, at: str | None = None
    ) -> DatasetVersion:
        """Show a version: by number, tag or moment, else the newest."""
        return await self._call(
            "lake.get_version", {"dataset": dataset, "workspace": workspace, "number": number, "at": at}, DatasetVersion
        )

    async def get_view(self, *, view: str, workspace: str | None = None) -> View:
        """Show a view: what it asks, whose rights count, whether it is fresh, and which sources have moved on."""
        return await self._call("lake.get_view", {"view": view, "workspace": workspace}, View)

    async def get_view_refresh(self, *, view: str, refresh: str, workspace: str | None = None) -> ViewRefresh:
        """Show one refresh of a view: what it read, what it made, or why it failed."""
        return await self._call(
            "lake.get_view_refresh", {"view": view, "refresh": refresh, "workspace": workspace}, ViewRefresh
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

    async def list_branches(self, *, dataset: str, workspace: str | None = None) -> list[Branch]:
        """List the branches of a dataset, and how far each and the dataset have gone since they parted."""
        return await self._call("lake.list_branches", {"dataset": dataset, "workspace": workspace}, list[Branch])

    async def list_datasets(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        layer: Literal["landing", "bronze", "silver", "gold"] | None = None,
        branches: bool | None = None,
        deleted: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Dataset]:
        """List datasets, newest first, or the deleted ones that can still be restored."""
        return await self._call(
            "lake.list_datasets",
            {
                "workspace": workspace,
                "text": text,
                "layer": layer,
                "branches": branches,
                "deleted": deleted,
                "limit": limit,
                "cursor": cursor,
            },
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
        """List feature views, newest first; how their features compare one by one is shown with each view."""
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

    async def list_policies(self, *, dataset: str, workspace: str | None = None) -> list[Policy]:
        """List the policies of a dataset: which rows and columns are hidden, and from whom."""
        return await self._call("lake.list_policies", {"dataset": dataset, "workspace": workspace}, list[Policy])

    async def list_query_runs(
        self,
        *,
        workspace: str | None = None,
        everybody: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[QueryRun]:
        """List the queries that have ended, newest first: your own, or those of everybody."""
        return await self._call(
            "lake.list_query_runs",
            {"workspace": workspace, "everybody": everybody, "limit": limit, "cursor": cursor},
            Page[QueryRun],
        )

    async def list_recipients(self, *, workspace: str | None = None) -> list[Recipient]:
        """List who outside may read shares, and when each did last."""
        return await self._call("lake.list_recipients", {"workspace": workspace}, list[Recipient])

    async def list_rules(self, *, dataset: str, workspace: str | None = None) -> list[Rule]:
        """List the rules that every version is checked against; the first version proposes them."""
        return await self._call("lake.list_rules", {"dataset": dataset, "workspace": workspace}, list[Rule])

    async def list_running_queries(self, *, workspace: str | None = None) -> list[RunningQuery]:
        """List the queries that run or wait now: your own, and with lake.manage those of everybody."""
        return await self._call("lake.list_running_queries", {"workspace": workspace}, list[RunningQuery])

    async def list_saved_queries(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SavedQuery]:
        """List the saved queries that you see: your own and the shared ones; with lake.manage all."""
        return await self._call(
            "lake.list_saved_queries",
            {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor},
            Page[SavedQuery],
        )

    async def list_shares(self, *, workspace: str | None = None) -> list[Share]:
        """List the shares of a workspace, and what is in them."""
        return await self._call("lake.list_shares", {"workspace": workspace}, list[Share])

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

    async def list_view_refreshes(
        self, *, view: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[ViewRefresh]:
        """List the refreshes of a view, newest first."""
        return await self._call(
            "lake.list_view_refreshes",
            {"view": view, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[ViewRefresh],
        )

    async def list_views(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[View]:
        """List views by address, each with whether it is fresh."""
        return await self._call(
            "lake.list_views", {"workspace": workspace, "text": text, "limit": limit, "cursor": cursor}, Page[View]
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
        versions: dict[str, int | str] | None = None,
        mode: Literal["append", "overwrite", "merge"] | None = None,
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

    async def merge_branch(
        self,
        *,
        dataset: str,
        branch: str,
        workspace: str | None = None,
        prefer: Literal["branch", "dataset"] | None = None,
    ) -> Merge:
        """Bring what a branch changed back into the dataset, as one version; rows that both changed need a word whose count."""
        return await self._call(
            "lake.merge_branch", {"dataset": dataset, "branch": branch, "workspace": workspace, "prefer": prefer}, Merge
        )

    async def merge_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        rows: list[dict[str, Any]] | None = None,
        delete: list[dict[str, Any]] | None = None,
        key: str | None = None,
    ) -> MergedRows:
        """Write rows over those with the same keys, insert the others, and delete those whose keys are named, as one version."""
        return await self._call(
            "lake.merge_rows",
            {"dataset": dataset, "workspace": workspace, "rows": rows, "delete": delete, "key": key},
            MergedRows,
        )

    async def order_dataset(
        self, *, dataset: str, workspace: str | None = None, columns: list[str] | None = None
    ) -> Dataset:
        """Say by which columns the rows lie; a job writes them in that order, and upkeep keeps it."""
        return await self._call(
            "lake.order_dataset", {"dataset": dataset, "workspace": workspace, "columns": columns}, Dataset
        )

    async def preview_merge(self, *, dataset: str, branch: str, workspace: str | None = None) -> Merge:
        """Show what a merge of a branch would change in the dataset, and which rows both sides changed."""
        return await self._call(
            "lake.preview_merge", {"dataset": dataset, "branch": branch, "workspace": workspace}, Merge
        )

    async def preview_rows(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        number: int | None = None,
        at: str | None = None,
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
                "at": at,
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
        versions: dict[str, int | str] | None = None,
        parameters: dict[str, Any] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach."""
        return await self._call(
            "lake.query",
            {
                "sql": sql,
                "workspace": workspace,
                "versions": versions,
                "parameters": parameters,
                "limit": limit,
                "timeout_s": timeout_s,
            },
            Rows,
        )

    async def rebuild_training_set(self, *, training_set: str, workspace: str | None = None) -> TrainingSet:
        """Build a training set again, by the definition and from the versions that it was built by; the checksum is the same."""
        return await self._call(
            "lake.rebuild_training_set", {"training_set": training_set, "workspace": workspace}, TrainingSet
        )

    async def refresh_view(self, *, view: str, workspace: str | None = None, force: bool | None = None) -> ViewRefresh:
        """Refresh a view as a job, under the rights and policies of its owner; a fresh one is left as it is."""
        return await self._call(
            "lake.refresh_view", {"view": view, "workspace": workspace, "force": force}, ViewRefresh
        )

    async def remove_policy(
        self, *, dataset: str, policy: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Remove a policy; what it hid is seen from the next query on."""
        return await self._call(
            "lake.remove_policy",
            {"dataset": dataset, "policy": policy, "workspace": workspace, "expected_version": expected_version},
            None,
        )

    async def restore_dataset(self, *, dataset: str, workspace: str | None = None) -> Dataset:
        """Bring a deleted dataset back."""
        return await self._call("lake.restore_dataset", {"dataset": dataset, "workspace": workspace}, Dataset)

    async def revert_version(self, *, dataset: str, number: int, workspace: str | None = None) -> DatasetVersion:
        """Make the rows of an earlier version the newest ones, as a new version; what came between stays in the history."""
        return await self._call(
            "lake.revert_version", {"dataset": dataset, "number": number, "workspace": workspace}, DatasetVersion
        )

    async def revoke_recipient(self, *, recipient: str, workspace: str | None = None) -> Recipient:
        """Take the token of a recipient back at once; a rotation gives a new one."""
        return await self._call("lake.revoke_recipient", {"recipient": recipient, "workspace": workspace}, Recipient)

    async def rotate_recipient(
        self,
        *,
        recipient: str,
        workspace: str | None = None,
        days: int | None = None,
        endpoint: str | None = None,
        grace_hours: int | None = None,
    ) -> RecipientProfile:
        """Give a recipient a new token; the old one counts for a while if you say so, also after it was revoked."""
        return await self._call(
            "lake.rotate_recipient",
            {
                "recipient": recipient,
                "workspace": workspace,
                "days": days,
                "endpoint": endpoint,
                "grace_hours": grace_hours,
            },
            RecipientProfile,
        )

    async def run_saved_query(
        self,
        *,
        saved_query: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
    ) -> Rows:
        """Run a saved query under your own rights, with its values or with others."""
        return await self._call(
            "lake.run_saved_query",
            {
                "saved_query": saved_query,
                "workspace": workspace,
                "parameters": parameters,
                "limit": limit,
                "timeout_s": timeout_s,
            },
            Rows,
        )

    async def save_query(
        self,
        *,
        name: str,
        sql: str,
        workspace: str | None = None,
        parameters: dict[str, Any] | None = None,
        description: str | None = None,
        shared: bool | None = None,
        slug: str | None = None,
    ) -> SavedQuery:
        """Keep a query under a name, for yourself or for everybody in the workspace."""
        return await self._call(
            "lake.save_query",
            {
                "name": name,
                "sql": sql,
                "workspace": workspace,
                "parameters": parameters,
                "description": description,
                "shared": shared,
                "slug": slug,
            },
            SavedQuery,
        )

    async def set_classification(
        self, *, dataset: str, columns: list[Finding], workspace: str | None = None, expected_version: int | None = None
    ) -> list[Finding]:
        """Say which columns hold personal data; it replaces what was found."""
        return await self._call(
            "lake.set_classification",
            {"dataset": dataset, "columns": columns, "workspace": workspace, "expected_version": expected_version},
            list[Finding],
        )

    async def set_policy(
        self,
        *,
        dataset: str,
        policy: str,
        workspace: str | None = None,
        filter: str | None = None,
        columns: list[str] | None = None,
        mask: Literal["hide", "null", "full", "token", "partial", "round"] | None = None,
        keep: int | None = None,
        step: str | None = None,
        applies_to: list[str] | None = None,
        exempt: list[str] | None = None,
        granted: dict[str, list[str]] | None = None,
        enabled: bool | None = None,
        expected_version: int | None = None,
    ) -> Policy:
        """Set a policy: a row filter, or a mask on columns; it counts from the next query on."""
        return await self._call(
            "lake.set_policy",
            {
                "dataset": dataset,
                "policy": policy,
                "workspace": workspace,
                "filter": filter,
                "columns": columns,
                "mask": mask,
                "keep": keep,
                "step": step,
                "applies_to": applies_to,
                "exempt": exempt,
                "granted": granted,
                "enabled": enabled,
                "expected_version": expected_version,
            },
            Policy,
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

    async def share_dataset(
        self,
        *,
        share: str,
        dataset: str,
        workspace: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        history: bool | None = None,
        personal: bool | None = None,
    ) -> Share:
        """Share a dataset: recipients of the share read its newest version, and earlier ones if you say so."""
        return await self._call(
            "lake.share_dataset",
            {
                "share": share,
                "dataset": dataset,
                "workspace": workspace,
                "namespace": namespace,
                "name": name,
                "history": history,
                "personal": personal,
            },
            Share,
        )

    async def show_layout(self, *, dataset: str, workspace: str | None = None) -> Layout:
        """Show how the rows of a dataset lie, how much of it queries read, and by which columns an order would help."""
        return await self._call("lake.show_layout", {"dataset": dataset, "workspace": workspace}, Layout)

    async def unshare_table(self, *, share: str, namespace: str, name: str, workspace: str | None = None) -> None:
        """Take a table out of a share."""
        return await self._call(
            "lake.unshare_table", {"share": share, "namespace": namespace, "name": name, "workspace": workspace}, None
        )
