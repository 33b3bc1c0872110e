"""Versions: note what jobs committed, make new ones, pin, compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import (
    AboutVersion,
    ChangeVersion,
    CompareVersions,
    ListVersions,
    MakeVersion,
    NewVersion,
    VersionOrder,
)
from aimass.lake.domain import DatasetVersion, Difference, check_tag, layer_of
from aimass.lake.events import QUALITY_FAILED, VERSION_CHANGED, VERSION_CREATED
from aimass.lake.service.datasets import Datasets
from aimass.lake.service.ground import submit_once, tell
from aimass.lake.store import (
    add_version,
    any_dataset_row,
    dataset_row,
    datasets_of,
    next_number,
    place_of_version,
    put_dataset,
    put_report,
    put_version,
    version_by_tag,
    version_of,
    version_of_delta,
    version_row,
    versions_page,
)

MAKE = "lake.make_version"
_DIFF_S = 300.0
_PATH = "/workspaces/{workspace}/datasets/{dataset}/versions"


class Versions(Datasets):
    """Use cases of versions."""

    @use_case(f"GET {_PATH}", permission="lake.read", cli="data versions", on="dataset")
    def list_versions(self, who: Principal, command: ListVersions) -> Page[DatasetVersion]:
        """List the versions of a dataset, newest first."""
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
            rows = versions_page(conn, row.id, command.cursor, command.limit)
        return page_of(rows, command.limit, lambda v: str(v.number))

    @use_case(
        "GET /workspaces/{workspace}/datasets/{dataset}/version",
        permission="lake.read",
        cli="data version",
        on="dataset",
    )
    def get_version(self, who: Principal, command: AboutVersion) -> DatasetVersion:
        """Show a version: by number, tag or moment, else the newest."""
        with self._database.read() as conn:
            return self._row(conn, command.workspace, command.dataset, command.number, command.at)[1]

    def place_of_version(self, workspace: str, version_id: str) -> tuple[str, int] | None:
        """Return the dataset of a version, and its number; lineage knows versions by id alone."""
        with self._database.read() as conn:
            row = place_of_version(conn, workspace, version_id)
        return None if row is None else (row.dataset, row.number)

    @use_case(f"PATCH {_PATH}/{{number}}", permission="lake.edit", cli="data tag", on="dataset")
    def change_version(self, who: Principal, command: ChangeVersion) -> DatasetVersion:
        """Give a version a tag, or pin it so that retention keeps it."""
        values: dict[str, Any] = {} if command.pinned is None else {"pinned": command.pinned}
        if command.tag is not None:
            values["tag"] = check_tag(command.tag)
        with self._database.change(who, command.workspace) as change:
            row, found = self._row(change.conn, command.workspace, command.dataset, command.number)
            tag = values.get("tag")
            taken = version_by_tag(change.conn, row.id, tag) if tag else None
            if taken is not None and taken.number != found.number:
                raise Conflict(f"version {taken.number} has the tag {command.tag!r}", field="tag", value=command.tag)
            put_version(change, found.id, **values)
            tell(change, VERSION_CHANGED, row.slug, {"number": found.number, "fields": sorted(values)})
        return self.get_version(
            who, AboutVersion(workspace=command.workspace, dataset=command.dataset, number=command.number)
        )

    @use_case(
        "GET /workspaces/{workspace}/datasets/{dataset}/difference",
        permission="lake.use",
        cli="data diff",
        on="dataset",
    )
    def compare_versions(self, who: Principal, command: CompareVersions) -> Difference:
        """Show what changed between two versions: rows, columns, and statistics of columns."""
        self.need_whole(who, command.workspace, command.dataset, "a comparison")
        with self._database.read() as conn:
            row, base = self._row(conn, command.workspace, command.dataset, command.base)
            _, head = self._row(conn, command.workspace, command.dataset, command.head)
        at = self._at(base)
        args = {"path": at["path"], "base": base.delta_version, "head": head.delta_version}
        told = self._call("maintain:diff", args, _DIFF_S)
        return Difference(dataset=row.slug, base=base.number, head=head.number, **told)

    @use_case(
        f"POST {_PATH}", permission="lake.edit", cli="data make", on="dataset", status=201, progress="cluster.get_job"
    )
    def make_version(self, who: Principal, command: MakeVersion) -> Job:
        """Make a new version from a SELECT over datasets, as a job."""
        used = self.used_in(command.sql, self.readable(who, command.workspace, "lake.use"))
        located = {s: self.locate(who, command.workspace, s, command.versions.get(s)) for s in used}
        order = VersionOrder(
            workspace=command.workspace,
            dataset=command.dataset,
            key=command.key or new_id(),
            mode=command.mode,
            sql=command.sql,
            tables={s: {"path": at.path, "version": at.delta_version} for s, at in located.items()},
            sources=tuple(("dataset_version", at.version_id) for at in located.values()),
            origin="sql",
        )
        return self.order_version(who, order)

    def readable(self, who: Principal, workspace: str, permission: str) -> list[str]:
        """Return the slugs of datasets with rows for which somebody has a permission."""
        with self._database.read() as conn:
            slugs = [row.slug for row in datasets_of(conn, workspace) if row.latest is not None]
        return [slug for slug in slugs if who.allows(permission, workspace, f"dataset:{slug}")]

    def used_in(self, sql: str, known: list[str]) -> list[str]:
        """Return the datasets that a query reads, or refuse it."""
        return list(self._call("rewrite:used", {"sql": sql, "known": known})["used"])

    def tables_of(self, who: Principal, workspace: str, wanted: Mapping[str, int | str | None]) -> dict[str, Any]:
        """Return where versions of datasets lie and what somebody may see of them, as a query takes it."""
        tables: dict[str, dict[str, Any]] = {}
        with self._database.read() as conn:
            for slug, number in wanted.items():
                row, found = self._named(conn, workspace, slug, number)
                tables[slug] = {**self._at(found), "policy": self.policy_of(conn, who, row)}
        guarded = any(table["policy"] for table in tables.values())
        return {"tables": tables, "key": self.token_key(workspace) if guarded else None}

    def order_version(self, who: Principal, order: VersionOrder) -> Job:
        """Let a job make a version for another room; the same key again makes nothing new."""
        with self._database.read() as conn:
            dataset_row(conn, order.workspace, order.dataset)
            policies = self.policy_marks(conn, order.workspace, order.tables)
        path = str(self.table_path(order.workspace, order.dataset))
        payload = {**asdict(order), "path": path, "describe": self.describing(order.workspace, order.dataset)}
        payload["policies"] = policies
        wish = SubmitJob(
            workspace=order.workspace,
            kind=MAKE,
            title=f"Make a version of {order.dataset}",
            payload=payload,
            key=f"{MAKE}:{order.dataset}:{order.key}",
            subject=f"dataset:{order.dataset}",
        )
        return submit_once(self._ground.jobs, who, wish, beside=frozenset({"describe", "policies"}))

    def add_version(self, new: NewVersion) -> DatasetVersion:
        """Note the version that a job has committed; the same commit again changes nothing."""
        told = new.described
        who = Principal(id=new.created_by, name=new.created_by, kind="system")
        with self._database.change(who, new.workspace) as change:
            row = any_dataset_row(change.conn, new.workspace, new.dataset)
            if row is None:
                raise NotFound(f"dataset {new.dataset!r} was purged meanwhile", field="dataset", value=new.dataset)
            known = version_of_delta(change.conn, row.id, told["delta_version"])
            if known is not None:
                return known
            number = next_number(change.conn, row.id)
            quality = {**told["quality"], "quarantined": new.quarantined}
            values = {
                "id": new_id(),
                "workspace": new.workspace,
                "dataset_id": row.id,
                "dataset": row.slug,
                "number": number,
            }
            values |= {name: told[name] for name in ("delta_version", "schema_hash", "columns", "rows", "bytes")}
            values |= {
                "quarantined": new.quarantined,
                "score": quality["score"],
                "passed": quality["passed"],
                "tag": None,
            }
            values |= {"pinned": False, "origin": new.origin, "created_by": new.created_by, "created_at": change.now}
            add_version(change, {**values, "collected_at": None, "version": 1})
            put_report(change, values["id"], profile=told["profile"], quality=quality)
            self._refresh(change, row, told, values)
            change.edges([(source, ("dataset_version", values["id"])) for source in new.sources], via=new.origin)
            facts = {"number": number, "rows": told["rows"], "quarantined": new.quarantined, "score": quality["score"]}
            tell(change, VERSION_CREATED, row.slug, facts)
            if not quality["passed"]:
                tell(change, QUALITY_FAILED, row.slug, {"number": number, "score": quality["score"]})
            return version_of(version_row(change.conn, row.id, number))

    def _refresh(self, change: Change, row: Any, told: dict[str, Any], values: dict[str, Any]) -> None:
        """Let the dataset show its newest version; the first one settles rules and classification.

        Two jobs may end in another order than they committed in: the newest version is the one with the newest commit.
        """
        if row.latest is not None:
            shown = version_row(change.conn, row.id, row.latest)
            if shown.delta_version > values["delta_version"]:
                return
        newest = {"latest": values["number"], "columns": len(told["columns"])}
        newest |= {name: values[name] for name in ("rows", "bytes", "score", "passed")}
        if row.layer is None:
            newest["layer"] = layer_of(values["origin"])
        if row.rules is None:
            newest["rules"] = told["rules"]
        if not row.is_classified:
            newest |= {"classification": _still_private(row.classification, told)}
        put_dataset(change, row.id, **newest)


def _still_private(known: list[dict[str, Any]], told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is known of personal data now: rows without any do not take the mark from a column that held some."""
    there = {column["name"] for column in told["columns"]}
    found = {finding["column"]: finding for finding in told["classification"]}
    kept = {finding["column"]: finding for finding in known if finding["private"] and finding["column"] in there}
    return list({**found, **kept}.values())
