"""What happened to rows: which ones differ between versions, back to an earlier version, and rows by key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import NewVersion
from aimass.lake.domain import DatasetVersion, Field, MergedRows, RowChange, RowDifference
from aimass.lake.history import MAX_MERGED_ROWS, CompareRows, MergeRows, RevertVersion
from aimass.lake.service.ground import LONG_S
from aimass.lake.service.skew import Skewing

_PATH = "/workspaces/{workspace}/datasets/{dataset}"


class History(Skewing):
    """Use cases of what happened to rows."""

    @use_case(f"GET {_PATH}/difference/rows", permission="lake.read", cli="data diff-rows", on="dataset")
    def compare_rows(self, who: Principal, command: CompareRows) -> RowDifference:
        """Show which rows were added, removed and changed between two versions, by key; personal data is masked for readers."""
        of = command.of or command.dataset
        who.need("lake.read", command.workspace, f"dataset:{of}")
        for one in (of, command.dataset):
            self.need_whole(who, command.workspace, one, "a comparison")
        with self._database.read() as conn:
            other, base = self._row(conn, command.workspace, of, command.base)
            row, head = self._row(conn, command.workspace, command.dataset, command.head)
        keys = row.keys if command.keys is None else command.keys
        args = {"base": self._at(base), "head": self._at(head), "keys": keys, "masked": self._hidden(who, other, row)}
        args |= {"offset": command.offset, "limit": command.limit}
        told = self._call("compare:compare", args, LONG_S)
        counts = {name: told[name] for name in ("added", "removed", "changed", "keys")}
        return RowDifference(
            dataset=row.slug,
            base=base.number,
            head=head.number,
            columns=[Field.read(c) for c in told["columns"]],
            rows=[RowChange(**one) for one in told["rows"]],
            **counts,
        )

    def _hidden(self, who: Principal, *rows: Row[Any]) -> list[str]:
        """Return the columns that somebody may not see in the rows of datasets."""
        closed = [row for row in rows if not who.allows("lake.use", row.workspace, f"dataset:{row.slug}")]
        return sorted({finding["column"] for row in closed for finding in row.classification if finding["private"]})

    @use_case(
        f"POST {_PATH}/versions/{{number}}/revert", permission="lake.edit", cli="data revert", on="dataset", status=201
    )
    def revert_version(self, who: Principal, command: RevertVersion) -> DatasetVersion:
        """Make the rows of an earlier version the newest ones, as a new version; what came between stays in the history."""
        with self._database.read() as conn:
            row, wanted = self._row(conn, command.workspace, command.dataset, command.number)
            _, newest = self._row(conn, command.workspace, command.dataset, None)
        if wanted.number == newest.number:
            raise Conflict(
                f"version {wanted.number} is the newest one already",
                field="number",
                value=wanted.number,
                hint="choose an earlier one",
            )
        args = {**self._at(wanted), "expected": newest.delta_version, "app_id": f"revert:{new_id()}", "batch": 1}
        described = self._call("change:revert", {**args, "describe": self.describing(row.workspace, row.slug)}, LONG_S)
        return self._noted(who, row, described, f"revert:{wanted.number}", (wanted.id,))

    def _noted(
        self, who: Principal, row: Row[Any], described: dict[str, Any], origin: str, sources: tuple[str, ...] = ()
    ) -> DatasetVersion:
        """Note a version that was made at once."""
        new = NewVersion(
            workspace=row.workspace,
            dataset=row.slug,
            described=described,
            origin=origin,
            sources=tuple(("dataset_version", source) for source in sources),
            created_by=who.id,
        )
        return self.add_version(new)

    @use_case(f"POST {_PATH}/merge", permission="lake.edit", cli="data merge", on="dataset")
    def merge_rows(self, who: Principal, command: MergeRows) -> MergedRows:
        """Write rows over those with the same keys, insert the others, and delete those whose keys are named, as one version."""
        self.need_whole(who, command.workspace, command.dataset, "a merge")
        with self._database.read() as conn:
            row, _ = self._row(conn, command.workspace, command.dataset, None)
        _check(command, row)
        args = {"path": str(self.table_path(row.workspace, row.slug)), "keys": row.keys, "rows": command.rows}
        args |= {"delete": command.delete, "app_id": f"rows:{command.key or new_id()}", "batch": 1}
        told = self._call("change:upsert", {**args, "describe": self.describing(row.workspace, row.slug)}, LONG_S)
        made = self._noted(who, row, told["version"], "rows")
        counts = {name: told[name] for name in ("inserted", "updated", "deleted", "already")}
        return MergedRows(dataset=row.slug, number=made.number, **counts)


def _check(command: MergeRows, row: Row[Any]) -> None:
    """Refuse a merge that has no keys, no rows, or too many."""
    if not row.keys:
        raise Conflict(
            f"dataset {row.slug!r} has no key columns",
            field="keys",
            hint="say which columns name a row: aimass data change",
        )
    for field in ("rows", "delete"):
        count = len(getattr(command, field))
        if count > MAX_MERGED_ROWS:
            hint = "collect a file, or make a version by SQL in mode merge"
            raise Invalid(f"{count} rows are too many", field=field, value=count, allowed=MAX_MERGED_ROWS, hint=hint)
    if not command.rows and not command.delete:
        raise Invalid("there is nothing to merge", field="rows", allowed="rows, delete or both")
