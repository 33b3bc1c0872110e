"""Create, find, change and delete datasets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row

from aimass.infra.database import Change
from aimass.infra.tables import tables_of
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import (
    ChangeDataset,
    CreateDataset,
    DeleteDataset,
    ListDatasets,
    OneDataset,
    SetClassification,
    SetRules,
)
from aimass.lake.domain import Dataset, Finding, Rule, check_layer, check_rules
from aimass.lake.events import DATASET_CHANGED, DATASET_CREATED, DATASET_DELETED, DATASET_PURGED, DATASET_RESTORED
from aimass.lake.held_store import forget, let_go_of
from aimass.lake.policies import rule_shown
from aimass.lake.policy_store import drop_policies
from aimass.lake.service.ground import fresh, tell
from aimass.lake.service.guarding import Guarding
from aimass.lake.store import (
    add_dataset,
    any_dataset_row,
    branches_of,
    dataset_of,
    dataset_row,
    datasets_of,
    datasets_page,
    drop_dataset,
    put_dataset,
)
from aimass.lake.store_shares import put_share, shares_of
from aimass.lake.view_store import maker_of

_PATH = "/workspaces/{workspace}/datasets"
_NO_BRANCH = ("parent_id", "parent_number", "base", "is_even")


class Datasets(Guarding):
    """Use cases of datasets."""

    @use_case(f"POST {_PATH}", permission="lake.edit", cli="data create", status=201)
    def create_dataset(self, who: Principal, command: CreateDataset) -> Dataset:
        """Create an empty dataset."""
        name = clean_name(command.name)
        slug = check_slug(command.slug) if command.slug else slug_of(name)
        with self._database.change(who, command.workspace) as change:
            known = any_dataset_row(change.conn, command.workspace, slug)
            if known is not None:
                state = "was deleted and can be restored" if known.deleted_at else "exists already"
                raise Conflict(
                    f"dataset {slug!r} {state}", field="name", value=name, hint="choose another name, or use it"
                )
            self._remove_files(command.workspace, slug)
            values: dict[str, Any] = dict.fromkeys(
                ("rules", "latest", "rows", "bytes", "columns", "score", "passed", "deleted_at", *_NO_BRANCH)
            )
            values |= {"id": new_id(), "workspace": command.workspace, "name": name, "slug": slug, "keys": command.keys}
            values |= {"description": command.description, "classification": [], "is_classified": False}
            values |= {"retain_days": command.retain_days, "created_by": who.id, "version": 1}
            values |= {"layer": check_layer(command.layer), "ordered_by": command.ordered_by}
            add_dataset(change, {**values, "created_at": change.now, "changed_at": change.now})
            tell(change, DATASET_CREATED, slug, {"keys": command.keys})
        return self._dataset(command.workspace, slug)

    @use_case(f"GET {_PATH}", permission="lake.read", cli="data list")
    def list_datasets(self, who: Principal, command: ListDatasets) -> Page[Dataset]:
        """List datasets, newest first, or the deleted ones that can still be restored."""
        with self._database.read() as conn:
            rows = datasets_page(conn, command)
        return page_of(rows, command.limit, lambda d: d.id)

    @use_case(f"GET {_PATH}/{{dataset}}", permission="lake.read", cli="data show", on="dataset")
    def get_dataset(self, who: Principal, command: OneDataset) -> Dataset:
        """Show a dataset."""
        return self._dataset(command.workspace, command.dataset)

    @use_case(f"PATCH {_PATH}/{{dataset}}", permission="lake.edit", cli="data change", on="dataset")
    def change_dataset(self, who: Principal, command: ChangeDataset) -> Dataset:
        """Change name, description, keys or retention."""
        values: dict[str, Any] = {"name": clean_name(command.name)} if command.name is not None else {}
        values |= {n: getattr(command, n) for n in ("description", "keys", "layer") if getattr(command, n) is not None}
        check_layer(command.layer)
        if command.retain_days is not None:
            values["retain_days"] = command.retain_days or None
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset)
            fresh(row, command.expected_version)
            put_dataset(change, row.id, **values)
            tell(change, DATASET_CHANGED, row.slug, {"fields": sorted(values)})
        return self._dataset(command.workspace, command.dataset)

    @use_case(f"DELETE {_PATH}/{{dataset}}", permission="lake.manage", cli="data delete", on="dataset")
    def delete_dataset(self, who: Principal, command: DeleteDataset) -> None:
        """Delete a dataset; it can be restored for 30 days, unless it is purged at once."""
        with self._database.change(who, command.workspace) as change:
            row = any_dataset_row(change.conn, command.workspace, command.dataset)
            if row is None or (row.deleted_at is not None and not command.purge):
                row = dataset_row(change.conn, command.workspace, command.dataset)
            fresh(row, command.expected_version)
            _refuse_branches(change.conn, row)
            _refuse_made(change.conn, row)
            gone = [row.slug, *(branch.slug for branch in branches_of(change.conn, row.id, deleted=True))]
            if command.purge:
                for slug in gone:
                    _purge(change, command.workspace, slug)
            else:
                put_dataset(change, row.id, deleted_at=change.now)
                tell(change, DATASET_DELETED, row.slug, {})
        for slug in gone if command.purge else ():
            self._remove_files(command.workspace, slug)

    def _remove_files(self, workspace: str, dataset: str) -> None:
        """Remove table and quarantine; what a crash leaves goes when a dataset gets the name again."""
        for table in (self.table_path(workspace, dataset), self.quarantine_path(workspace, dataset)):
            tables_of(table).drop(table)
        copies = self.copies_path(workspace, dataset)
        tables_of(copies).drop(copies)

    @use_case(f"POST {_PATH}/{{dataset}}/restore", permission="lake.manage", cli="data restore", on="dataset")
    def restore_dataset(self, who: Principal, command: OneDataset) -> Dataset:
        """Bring a deleted dataset back."""
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset, deleted=True)
            _refuse_orphan(change.conn, row)
            put_dataset(change, row.id, deleted_at=None)
            tell(change, DATASET_RESTORED, row.slug, {})
        return self._dataset(command.workspace, command.dataset)

    @use_case(f"GET {_PATH}/{{dataset}}/rules", permission="lake.read", cli="data rules", on="dataset")
    def list_rules(self, who: Principal, command: OneDataset) -> list[Rule]:
        """List the rules that every version is checked against; the first version proposes them."""
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
            policy = self.policy_of(conn, who, row)
        return [_rule(rule_shown(rule, policy)) for rule in row.rules or []]

    @use_case(f"PUT {_PATH}/{{dataset}}/rules", permission="lake.edit", cli="data set-rules", on="dataset")
    def set_rules(self, who: Principal, command: SetRules) -> list[Rule]:
        """Set the rules for every version to come."""
        rules = check_rules(command.rules)
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset)
            fresh(row, command.expected_version)
            put_dataset(change, row.id, rules=[asdict(rule) for rule in rules])
            tell(change, DATASET_CHANGED, row.slug, {"rules": len(rules)})
        return rules

    @use_case(
        f"GET {_PATH}/{{dataset}}/classification", permission="lake.read", cli="data classification", on="dataset"
    )
    def get_classification(self, who: Principal, command: OneDataset) -> list[Finding]:
        """Show which columns hold personal data."""
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
        return [Finding(**finding) for finding in row.classification]

    @use_case(f"PUT {_PATH}/{{dataset}}/classification", permission="lake.edit", cli="data classify", on="dataset")
    def set_classification(self, who: Principal, command: SetClassification) -> list[Finding]:
        """Say which columns hold personal data; it replaces what was found."""
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset)
            fresh(row, command.expected_version)
            put_dataset(change, row.id, classification=[asdict(f) for f in command.columns], is_classified=True)
            tell(change, DATASET_CHANGED, row.slug, {"classified": len(command.columns)})
        return command.columns

    def failing(self) -> list[Dataset]:
        """Return the datasets whose newest version breaks a rule, of all workspaces."""
        with self._database.read() as conn:
            return [dataset_of(row) for row in datasets_of(conn) if row.passed is False]

    def newest_of(self, workspace: str, dataset: str) -> int | None:
        """Return the number of the newest version of a dataset; None when there is none."""
        with self._database.read() as conn:
            return next((row.latest for row in datasets_of(conn, workspace) if row.slug == dataset), None)

    def workspaces(self) -> list[str]:
        """Return the workspaces that have datasets."""
        with self._database.read() as conn:
            return sorted({row.workspace for row in datasets_of(conn, deleted=True)})

    def _dataset(self, workspace: str, slug: str) -> Dataset:
        with self._database.read() as conn:
            return dataset_of(dataset_row(conn, workspace, slug))


def _refuse_branches(conn: Connection, row: Row[Any]) -> None:
    """Refuse to delete a dataset that branches are still to come back to."""
    names = [branch.slug for branch in branches_of(conn, row.id)]
    if names:
        raise Conflict(
            f"dataset {row.slug!r} has branches", field="dataset", value=names, hint="merge or delete them first"
        )


def _refuse_made(conn: Connection, row: Row[Any]) -> None:
    """Refuse to delete a dataset that a view makes."""
    view = maker_of(conn, row.id)
    if view is not None:
        raise Conflict(
            f"dataset {row.slug!r} is made by view {view!r}",
            field="dataset",
            value=row.slug,
            hint="delete the view first",
        )


def _refuse_orphan(conn: Connection, row: Row[Any]) -> None:
    """Refuse to bring a branch back whose dataset is not there: the policies of the dataset count for it."""
    if row.parent_id is None:
        return
    name = row.slug.partition("@")[0]
    parent = any_dataset_row(conn, row.workspace, name)
    if parent is None or parent.id != row.parent_id or parent.deleted_at is not None:
        raise Conflict(f"dataset {name!r} is deleted too", field="dataset", value=name, hint="restore it first")


def _purge(change: Change, workspace: str, slug: str) -> None:
    """Forget a dataset for good: what comes later under its name is neither shared nor hidden by what was said of it."""
    row = any_dataset_row(change.conn, workspace, slug)
    if row is None:
        return
    drop_policies(change, row.id)
    let_go_of(change, workspace, slug)
    forget(change, row.id)
    for share in shares_of(change.conn, workspace):
        kept = [table for table in share.tables if table["dataset"] != slug]
        if len(kept) < len(share.tables):
            put_share(change, share.id, tables=kept)
    drop_dataset(change, row.id)
    tell(change, DATASET_PURGED, slug, {})


def _rule(values: dict[str, Any]) -> Rule:
    return Rule(**{name: values[name] for name in Rule.__dataclass_fields__ if name in values})
