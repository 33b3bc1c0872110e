"""Look into versions: rows, profile, quality report, SQL."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from aimass.kernel.errors import NotFound
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import AboutVersion, PreviewRows, QueryRows
from aimass.lake.domain import Field, Profile, QualityReport, Rows
from aimass.lake.service.versions import Versions
from aimass.lake.store import report_of

_PATH = "/workspaces/{workspace}/datasets/{dataset}"
_SPARE_S = 10.0


class Reading(Versions):
    """Use cases of looking into versions."""

    @use_case(f"GET {_PATH}/rows", permission="lake.read", cli="data preview", on="dataset")
    def preview_rows(self, who: Principal, command: PreviewRows) -> Rows:
        """Show some rows of a version; columns with personal data are masked for those who may only read."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
        private = sorted(_private(row))
        may_see = who.allows("lake.use", command.workspace, f"dataset:{command.dataset}")
        args = {**self._at(found), "offset": command.offset, "limit": command.limit, "columns": command.columns}
        told = self._call("preview:preview", {**args, "masked": [] if may_see else private})
        columns = [Field(name=c["name"], type=c["type"]) for c in told["columns"]]
        return Rows(columns=columns, rows=told["rows"], total_columns=told["total_columns"])

    @use_case(f"GET {_PATH}/profile", permission="lake.read", cli="data profile", on="dataset")
    def get_profile(self, who: Principal, command: AboutVersion) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            told = report_of(conn, found.id).profile
        private = _private(row)
        columns = [_masked(column) if column["name"] in private else column for column in told["columns"]]
        return Profile(dataset=found.dataset, number=found.number, rows=told["rows"], columns=columns)

    @use_case(f"GET {_PATH}/quality", permission="lake.read", cli="data quality", on="dataset")
    def get_quality(self, who: Principal, command: AboutVersion) -> QualityReport:
        """Show how well a version keeps the rules."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            told = report_of(conn, found.id).quality
        private = _private(row)
        rules = [{**rule, "samples": [_without(s, private) for s in rule["samples"]]} for rule in told["rules"]]
        facts = {**{name: told[name] for name in ("score", "passed", "rows")}, "rules": rules}
        return QualityReport(dataset=found.dataset, number=found.number, quarantined=found.quarantined, **facts)

    @use_case("POST /workspaces/{workspace}/query", permission="lake.use", cli="data query")
    def query(self, who: Principal, command: QueryRows) -> Rows:
        """Run one SELECT over datasets of the workspace; files, settings and extensions are out of reach."""
        readable = self.readable(who, command.workspace, "lake.use")
        strange = sorted(set(command.versions) - set(readable))
        if strange:
            raise NotFound(f"there is no dataset {strange[0]!r} to query", field="versions", value=strange[0])
        used = [slug for slug in readable if slug in command.sql.lower()]
        located = [self.locate(command.workspace, slug, command.versions.get(slug)) for slug in used]
        tables = {at.dataset: {"path": at.path, "version": at.delta_version} for at in located}
        args = {"sql": command.sql, "tables": tables, "known": readable, "limit": command.limit}
        told = self._call("query:query", {**args, "timeout_s": command.timeout_s}, command.timeout_s + _SPARE_S)
        with self._database.change(who, command.workspace) as change:
            digest = sha256(command.sql.encode()).hexdigest()
            facts = {"sql_sha256": digest, "datasets": used, "rows": len(told["rows"])}
            change.audit("lake.query.run", object_=f"workspace:{command.workspace}", detail=facts)
        columns = [Field(name=c["name"], type=c["type"]) for c in told["columns"]]
        return Rows(columns=columns, rows=told["rows"], truncated=told["truncated"])


def _private(row: Row[Any]) -> set[str]:
    return {finding["column"] for finding in row.classification if finding["private"]}


def _masked(column: dict[str, Any]) -> dict[str, Any]:
    """Return of a column's profile what tells no value: a person may have marked it after it was profiled."""
    return {name: column[name] for name in ("name", "type", "count", "nulls", "distinct")} | {"masked": True}


def _without(sample: dict[str, Any], private: set[str]) -> dict[str, Any]:
    return {**sample, "key": {name: value for name, value in sample["key"].items() if name not in private}}
