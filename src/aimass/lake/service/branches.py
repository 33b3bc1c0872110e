"""Branches: a dataset apart that begins with the rows of another, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import OneDataset
from aimass.lake.domain import Branch, DatasetVersion, Merge, RowConflict
from aimass.lake.events import BRANCH_CREATED, BRANCH_MERGED, DATASET_DELETED
from aimass.lake.history import CreateBranch, MergeBranch, OneBranch
from aimass.lake.service.ground import LONG_S, tell
from aimass.lake.service.history import History
from aimass.lake.store import (
    add_dataset,
    any_dataset_row,
    branches_of,
    dataset_row,
    drop_dataset,
    put_dataset,
    report_of,
)

_PATH = "/workspaces/{workspace}/datasets/{dataset}/branches"
_MAX_SLUG = 63
_KEPT = ("keys", "rules", "classification", "is_classified", "layer")


def branch_slug(dataset: str, branch: str) -> str:
    """Return the address of a branch wherever a dataset is named.

    Examples
    --------
    >>> branch_slug("churn", "fix-prices")
    'churn@fix-prices'
    """
    slug = f"{dataset}@{check_slug(branch, field='branch')}"
    if len(slug) > _MAX_SLUG:
        raise Invalid(f"{slug!r} is too long", field="branch", value=branch, allowed=f"{_MAX_SLUG} letters in all")
    return slug


class Branches(History):
    """Use cases of branches."""

    @use_case(f"GET {_PATH}", permission="lake.read", cli="data branches", on="dataset")
    def list_branches(self, who: Principal, command: OneDataset) -> list[Branch]:
        """List the branches of a dataset, and how far each and the dataset have gone since they parted."""
        with self._database.read() as conn:
            parent = dataset_row(conn, command.workspace, command.dataset)
            return [_branch(row, parent) for row in branches_of(conn, parent.id)]

    @use_case(f"POST {_PATH}", permission="lake.edit", cli="data branch", on="dataset", status=201)
    def create_branch(self, who: Principal, command: CreateBranch) -> Branch:
        """Make a branch of a version, without copying its rows; it is named dataset@branch wherever a dataset is."""
        slug = branch_slug(command.dataset, command.branch)
        with self._database.read() as conn:
            parent, start = self._row(conn, command.workspace, command.dataset, command.number)
            told = report_of(conn, start.id)
        if parent.parent_id is not None:
            raise Conflict(
                f"{parent.slug!r} is a branch itself", field="dataset", value=parent.slug, hint="merge it first"
            )
        at = self._at(start)
        row = self._begun(who, command, parent, start)
        try:
            self._remove_files(row.workspace, slug)
            made = self._call("branch:fork", {**at, "target": str(self.table_path(row.workspace, slug))}, LONG_S)
        except BaseException:
            with self._database.change(who, command.workspace) as change:
                drop_dataset(change, row.id)
            raise
        described: dict[str, Any] = {"delta_version": made["version"], "rules": row.rules, "quality": told.quality}
        described |= {name: getattr(start, name) for name in ("schema_hash", "rows", "bytes")}
        described |= {"columns": [asdict(column) for column in start.columns], "profile": told.profile}
        described |= {"classification": row.classification}
        self._noted(who, row, described, f"branch:{parent.slug}/{start.number}", (start.id,))
        return self._found(command.workspace, command.dataset, command.branch)[2]

    def _begun(self, who: Principal, command: CreateBranch, parent: Row[Any], start: DatasetVersion) -> Row[Any]:
        """Write the dataset of a branch, still without a version."""
        slug = branch_slug(command.dataset, command.branch)
        with self._database.change(who, command.workspace) as change:
            known = any_dataset_row(change.conn, command.workspace, slug)
            if known is not None:
                state = "was deleted and can be restored" if known.deleted_at else "exists already"
                raise Conflict(
                    f"branch {slug!r} {state}", field="branch", value=command.branch, hint="choose another name"
                )
            values: dict[str, Any] = dict.fromkeys(
                ("latest", "rows", "bytes", "columns", "score", "passed", "deleted_at", "retain_days")
            )
            values |= {"id": new_id(), "workspace": command.workspace, "slug": slug, "description": command.description}
            values |= {"name": clean_name(f"{parent.name} @ {command.branch}"), "created_by": who.id, "version": 1}
            values |= {name: getattr(parent, name) for name in _KEPT}
            values |= {"parent_id": parent.id, "parent_number": start.number, "base": 1, "is_even": True}
            add_dataset(change, {**values, "created_at": change.now, "changed_at": change.now})
            tell(change, BRANCH_CREATED, slug, {"of": parent.slug, "number": start.number})
            return dataset_row(change.conn, command.workspace, slug)

    @use_case(f"GET {_PATH}/{{branch}}/merge", permission="lake.read", cli="data merge-preview", on="dataset")
    def preview_merge(self, who: Principal, command: OneBranch) -> Merge:
        """Show what a merge of a branch would change in the dataset, and which rows both sides changed."""
        wish = MergeBranch(workspace=command.workspace, dataset=command.dataset, branch=command.branch)
        return self._merge(who, wish, dry_run=True)

    @use_case(f"POST {_PATH}/{{branch}}/merge", permission="lake.edit", cli="data merge-branch", on="dataset")
    def merge_branch(self, who: Principal, command: MergeBranch) -> Merge:
        """Bring what a branch changed back into the dataset, as one version; rows that both changed need a word whose count."""
        self.describing(command.workspace, command.dataset)  # refuses the dataset of a view, before anything is written
        return self._merge(who, command, dry_run=False)

    @use_case(f"DELETE {_PATH}/{{branch}}", permission="lake.edit", cli="data delete-branch", on="dataset")
    def delete_branch(self, who: Principal, command: OneBranch) -> None:
        """Delete a branch; it can be restored for 30 days."""
        _, row, _ = self._found(command.workspace, command.dataset, command.branch)
        with self._database.change(who, command.workspace) as change:
            put_dataset(change, row.id, deleted_at=change.now)
            tell(change, DATASET_DELETED, row.slug, {})

    def _found(self, workspace: str, dataset: str, branch: str) -> tuple[Row[Any], Row[Any], Branch]:
        """Return a dataset, the row of one of its branches, and the branch."""
        with self._database.read() as conn:
            parent = dataset_row(conn, workspace, dataset)
            row = next((row for row in branches_of(conn, parent.id) if row.slug == f"{dataset}@{branch}"), None)
        if row is None:
            raise NotFound(f"dataset {dataset!r} has no branch {branch!r}", field="branch", value=branch)
        return parent, row, _branch(row, parent)

    def _merge(self, who: Principal, command: MergeBranch, *, dry_run: bool) -> Merge:
        parent, row, branch = self._found(command.workspace, command.dataset, command.branch)
        for one in (parent.slug, row.slug):
            self.need_whole(who, command.workspace, one, "a merge")
        with self._database.read() as conn:
            _, tip = self._row(conn, row.workspace, row.slug, None)
            _, ours = self._row(conn, parent.workspace, parent.slug, None)
            _, base = self._row(conn, row.workspace, row.slug, row.base)
        is_forward = bool(row.is_even) and branch.behind == 0
        told = {"added": 0, "changed": 0, "removed": 0, "conflicts": 0, "samples": [], "version": None}
        if tip.number != base.number:
            sides = {"base": self._at(base), "theirs": self._at(tip), "ours": self._at(ours)}
            wish = {
                "app_id": f"branch:{row.id}:{tip.number}",
                "batch": 1,
                "keys": parent.keys,
                "prefer": command.prefer,
            }
            wish |= {"dry_run": dry_run, "masked": self._hidden(who, parent, row)}
            told |= (
                self._forward(sides, wish) if is_forward else self._call("branch:merge_back", {**sides, **wish}, LONG_S)
            )
            _refuse_conflicts(told, command, dry_run=dry_run)
        number = None
        if not dry_run and tip.number != base.number:
            number = self._merged(who, (parent, row, tip), told["version"], is_forward=is_forward)
        told |= {"version": number, "samples": [RowConflict(**one) for one in told["samples"]]}
        return Merge(dataset=parent.slug, branch=command.branch, fast_forward=is_forward, **told)

    def _forward(self, sides: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
        """Let a dataset that has not moved become what the branch is."""
        pair = {"base": sides["ours"], "head": sides["theirs"], "keys": wish["keys"], "limit": 1}
        counts = self._call("compare:compare", pair, LONG_S)
        told = {name: counts[name] for name in ("added", "changed", "removed")}
        if wish["dry_run"]:
            return told
        where = {"path": sides["ours"]["path"], "expected": sides["ours"]["version"], "source": sides["theirs"]}
        made = self._call("branch:take_over", {**where, "app_id": wish["app_id"], "batch": 1}, LONG_S)
        return {**told, "version": made["version"]}

    def _merged(
        self, who: Principal, sides: tuple[Row[Any], Row[Any], DatasetVersion], delta: int | None, *, is_forward: bool
    ) -> int | None:
        """Note the version that a merge made, and where branch and dataset have met."""
        parent, row, tip = sides
        number: int | None = None
        if delta is not None:
            where = {"path": str(self.table_path(parent.workspace, parent.slug)), "version": delta}
            described = self._call(
                "describe:describe_version", {**self.describing(parent.workspace, parent.slug), **where}, LONG_S
            )
            number = self._noted(who, parent, described, f"merge:{row.slug}/{tip.number}", (tip.id,)).number
        met = {"base": tip.number, "parent_number": number or parent.latest, "is_even": is_forward}
        with self._database.change(who, parent.workspace) as change:
            put_dataset(change, row.id, **met)
            tell(change, BRANCH_MERGED, parent.slug, {"branch": row.slug, "number": number, "fast_forward": is_forward})
        return number


def _refuse_conflicts(told: dict[str, Any], command: MergeBranch, *, dry_run: bool) -> None:
    if told["conflicts"] and not dry_run and command.prefer is None:
        raise Conflict(
            f"{told['conflicts']} rows were changed in branch {command.branch!r} and in dataset {command.dataset!r}",
            field="prefer",
            value=told["conflicts"],
            allowed=["branch", "dataset"],
            hint="look at them with aimass data merge-preview, then say whose rows count",
        )


def _branch(row: Row[Any], parent: Row[Any]) -> Branch:
    return Branch(
        dataset=row.slug,
        branch=row.slug.partition("@")[2],
        parent=parent.slug,
        description=row.description,
        from_version=row.parent_number,
        base=row.base,
        latest=row.latest,
        rows=row.rows,
        ahead=(row.latest or row.base) - row.base,
        behind=(parent.latest or 0) - row.parent_number,
        created_by=row.created_by,
        created_at=row.created_at,
    )
