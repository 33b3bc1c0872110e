"""The order of rows: by wish, kept by upkeep, and proposed from what is asked."""

from __future__ import annotations

from typing import Any

from aimass.cluster import Job, SubmitJob
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import OneDataset
from aimass.lake.domain import Dataset
from aimass.lake.events import DATASET_CHANGED, DATASET_ORDERED
from aimass.lake.ordering import Layout, OrderDataset, ProposedOrder
from aimass.lake.query_store import texts_about
from aimass.lake.service.ground import LONG_S, tell
from aimass.lake.service.upkeep import UPKEEP, Upkeeping
from aimass.lake.store import dataset_of, dataset_row, note_order, put_dataset

_PATH = "/workspaces/{workspace}/datasets/{dataset}/order"
_QUERIES = 500


class Ordering(Upkeeping):
    """Use cases of the order of rows."""

    @use_case(f"PUT {_PATH}", permission="lake.manage", cli="data order", on="dataset")
    def order_dataset(self, who: Principal, command: OrderDataset) -> Dataset:
        """Say by which columns the rows lie; a job writes them in that order, and upkeep keeps it.

        Queries that compare the first column with a value then read the files that can hold it and no others. Rows stay the same, so
        it is no new version of the dataset; the versions before stay readable.
        """
        columns = check_order(command.columns)
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
        if columns and row.latest is not None:
            args = {"path": str(self.table_path(command.workspace, row.slug)), "columns": columns}
            self._call("layout:checked", args)
        with self._database.change(who, command.workspace) as change:
            put_dataset(change, row.id, ordered_by=columns, ordered_share=None)
            tell(change, DATASET_CHANGED, row.slug, {"fields": ["ordered_by"], "columns": columns})
            if columns and row.latest is not None:
                wish = SubmitJob(
                    workspace=command.workspace,
                    kind=UPKEEP,
                    title=f"Order the rows of {row.slug} by {', '.join(columns)}"[:300],
                    payload=self.upkeep_args(dataset_row(change.conn, command.workspace, row.slug), change.conn),
                    subject=f"dataset:{row.slug}",
                )
                self._ground.jobs.enqueue(change, wish)
            return dataset_of(dataset_row(change.conn, command.workspace, row.slug))

    @use_case(f"GET {_PATH}", permission="lake.use", cli="data layout", on="dataset")
    def show_layout(self, who: Principal, command: OneDataset) -> Layout:
        """Show how the rows of a dataset lie, how much of it queries read, and by which columns an order would help."""
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
            asked = texts_about(conn, command.workspace, row.slug, _QUERIES)
        if row.latest is None:
            raise Conflict(f"dataset {row.slug!r} has no version yet", field="dataset", value=row.slug)
        args = {"path": str(self.table_path(command.workspace, row.slug)), "dataset": row.slug}
        told = self._call("layout:look", {**args, "order_by": row.ordered_by, "queries": asked}, LONG_S)
        proposals = [ProposedOrder(**one) for one in told.pop("proposals")]
        known = {"dataset": row.slug, "ordered_by": list(row.ordered_by), "ordered_share": row.ordered_share}
        return Layout(**known, **told, proposals=proposals)

    def tended(self, job: Job) -> None:
        """Note how well the rows lie after an ordering; the same end again changes nothing."""
        told: dict[str, Any] = dict(job.result or {})
        slug, share = job.subject.partition(":")[2], told.get("share")
        if share is None or share == job.payload.get("share"):
            return
        with self._database.change(SYSTEM, job.workspace) as change:
            row = dataset_row(change.conn, job.workspace, slug)
            if list(row.ordered_by) == list(job.payload.get("order_by") or ()) and row.ordered_share != share:
                note_order(change, row.id, share)
                facts = {"columns": list(row.ordered_by), "share": round(share, 4), "job": job.id}
                tell(change, DATASET_ORDERED, slug, facts)


def check_order(columns: list[str]) -> list[str]:
    """Refuse an order that names a column twice."""
    if len(set(columns)) < len(columns) or not all(columns):
        raise Invalid("a column stands in an order once", field="columns", value=columns)
    return list(columns)
