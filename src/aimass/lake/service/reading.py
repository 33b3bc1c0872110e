"""Look into versions: rows, profile, quality report."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import AboutVersion, PreviewRows
from aimass.lake.domain import DatasetVersion, Field, Profile, QualityReport, Rows
from aimass.lake.policies import filters_rows, masked_columns, rule_shown
from aimass.lake.service.ground import LONG_S
from aimass.lake.service.versions import Versions
from aimass.lake.store import keep_profile, report_of

_PATH = "/workspaces/{workspace}/datasets/{dataset}"


class Reading(Versions):
    """Use cases of looking into versions."""

    @use_case(f"GET {_PATH}/rows", permission="lake.read", cli="data preview", on="dataset")
    def preview_rows(self, who: Principal, command: PreviewRows) -> Rows:
        """Show some rows of a version; columns with personal data are masked for those who may only read."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            policy = self.policy_of(conn, who, row)
        may_see = who.allows("lake.use", command.workspace, f"dataset:{command.dataset}")
        args = {**self._at(found), "offset": command.offset, "limit": command.limit, "columns": command.columns}
        args |= {"masked": [] if may_see else sorted(_private(row)), "dataset": command.dataset}
        if policy is not None:
            args |= {"policy": policy, "key": self.token_key(command.workspace)}
        told = self._call("preview:preview", args)
        columns = [Field.read(c) for c in told["columns"]]
        return Rows(columns=columns, rows=told["rows"], total_columns=told["total_columns"])

    @use_case(f"GET {_PATH}/profile", permission="lake.read", cli="data profile", on="dataset")
    def get_profile(self, who: Principal, command: AboutVersion) -> Profile:
        """Show what is in a version: counts, ranges, quantiles, histograms and top values per column.

        The first who asks waits until it is made; then it is kept.
        """
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            told = report_of(conn, found.id).profile
            policy = self.policy_of(conn, who, row)
        if told["columns"] is None:
            told = self._ground.profiling.do(found.id, lambda: self._profiled(row, found))
        columns = _shown(told["columns"], _private(row), policy)
        return Profile(dataset=found.dataset, number=found.number, rows=told["rows"], columns=columns)

    def is_profiled(self, version: DatasetVersion) -> bool:
        """Tell whether the profile of a version was made already."""
        with self._database.read() as conn:
            return report_of(conn, version.id).profile["columns"] is not None

    def _profiled(self, row: Row[Any], found: DatasetVersion) -> dict[str, Any]:
        """Make the profile of a version, unless somebody did in this moment, and keep it."""
        with self._database.read() as conn:
            told = report_of(conn, found.id).profile
        if told["columns"] is not None:
            return told
        made = self._call("profile:profile", {**self._at(found), "masked": sorted(_private(row))}, LONG_S)
        with self._database.change(SYSTEM, found.workspace) as change:
            return keep_profile(change, found.id, made)

    def count_nulls(self, who: Principal, command: AboutVersion) -> dict[str, int]:
        """Count the empty cells of each column, in all rows: from the profile, or from the files while there is none."""
        who.need("lake.read", command.workspace, f"dataset:{command.dataset}")
        with self._database.read() as conn:
            _, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            columns = report_of(conn, found.id).profile["columns"]
        if columns is None:
            return self._call("proposing:nulls", self._at(found), LONG_S)["nulls"]
        return {column["name"]: int(column["nulls"]) for column in columns}

    @use_case(f"GET {_PATH}/quality", permission="lake.read", cli="data quality", on="dataset")
    def get_quality(self, who: Principal, command: AboutVersion) -> QualityReport:
        """Show how well a version keeps the rules."""
        with self._database.read() as conn:
            row, found = self._row(conn, command.workspace, command.dataset, command.number, command.at)
            told = report_of(conn, found.id).quality
            policy = self.policy_of(conn, who, row)
        rules = [_rule_shown(rule, _private(row), policy) for rule in told["rules"]]
        facts = {**{name: told[name] for name in ("score", "passed", "rows")}, "rules": rules}
        return QualityReport(dataset=found.dataset, number=found.number, quarantined=found.quarantined, **facts)


def _private(row: Row[Any]) -> set[str]:
    return {finding["column"] for finding in row.classification if finding["private"]}


def _shown(columns: list[dict[str, Any]], private: set[str], policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return of a profile what somebody may see: of rows that he sees only in part, nothing is told."""
    if filters_rows(policy):
        nothing = {"count": None, "nulls": None, "distinct": None, "masked": True}
        return [{"name": c["name"], "type": c["type"], **nothing} for c in _there(columns, policy)]
    hidden = {name.lower() for name in private} | masked_columns(policy)
    return [_masked(column) if column["name"].lower() in hidden else column for column in _there(columns, policy)]


def _there(columns: list[dict[str, Any]], policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    gone = {name.lower() for name, mask in policy["masks"].items() if mask["mask"] == "hide"} if policy else set[str]()
    return [column for column in columns if column["name"].lower() not in gone]


def _masked(column: dict[str, Any]) -> dict[str, Any]:
    """Return of a column's profile what tells no value: a person may have marked it after it was profiled."""
    return {name: column[name] for name in ("name", "type", "count", "nulls", "distinct")} | {"masked": True}


def _rule_shown(rule: dict[str, Any], private: set[str], policy: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is told of a rule, without the values of rows and columns that somebody does not see."""
    if policy is not None:
        return {**rule_shown({"params": {}, **rule}, policy), "samples": []}
    return {**rule, "samples": [_without(sample, private) for sample in rule["samples"]]}


def _without(sample: dict[str, Any], private: set[str]) -> dict[str, Any]:
    return {**sample, "key": {name: value for name, value in sample["key"].items() if name not in private}}
