"""The quality of a dataset: its history, the rules, and the rows that break them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid, NotFound
from aimass.lake.commands import AboutVersion, ListVersions, OneDataset, SetRules
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.domain import QualityReport, Rule, RuleKind
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit, Visit, page_router

router = page_router()
HISTORY = 40
PATH = "/{workspace}/data/{dataset}/quality"
Version = Annotated[int | None, Query(ge=1)]


@router.get(PATH)
def quality(visit: Visit, dataset: str, version: Version = None) -> Response:
    """Can I trust this version, which rule does it break, and is it getting better or worse?"""
    lake, sheet = visit.get(Lake), dataset_sheet(visit, dataset, "quality", version)
    report, rules = None, lake.list_rules(visit.who, OneDataset(workspace=visit.workspace, dataset=dataset))
    if sheet.shown is not None:
        wish = AboutVersion(workspace=visit.workspace, dataset=dataset, number=sheet.shown.number)
        report = lake.get_quality(visit.who, wish)
    past = lake.list_versions(visit.who, ListVersions(workspace=visit.workspace, dataset=dataset, limit=HISTORY)).items
    columns = [column.name for column in sheet.shown.columns] if sheet.shown else []
    return visit.render(
        "lake/quality.html",
        parts={"quality": "lake/_quality.html"},
        sheet=sheet,
        report=report,
        checked=_checked(rules, report),
        past=past[::-1],
        columns=columns,
    )


class NewRule(BaseModel):
    """A rule as the form writes it; each kind needs some of the fields."""

    kind: RuleKind
    column: str = ""
    severity: Literal["error", "warning"] = "error"
    least: str = ""
    most: str = ""
    values: str = ""
    pattern: str = ""
    hours: str = ""
    expected_version: int

    def rule(self, taken: set[str]) -> Rule:
        """Return the rule that is meant, under an id that is free."""
        column = None if self.kind == "row_count" else self.column or None
        plain = f"{self.kind}:{column}" if column else self.kind
        free = next(name for name in chain([plain], (f"{plain}:{n}" for n in count(2))) if name not in taken)
        return Rule(id=free, kind=self.kind, column=column, severity=self.severity, params=self.params())

    def params(self) -> dict[str, Any]:
        """Return what the kind of rule needs."""
        made: dict[str, Any] = {}
        if self.kind in ("range", "row_count"):
            made = {"min": _number(self.least, "least"), "max": _number(self.most, "most")}
        elif self.kind == "in_set":
            made = {"values": [text.strip() for text in self.values.split(",") if text.strip()]}
        elif self.kind == "regex":
            made = {"pattern": self.pattern}
        elif self.kind == "freshness":
            made = {"max_age_s": (_number(self.hours, "hours") or 0) * 3600}
        elif self.kind == "not_null" and self.most:
            made = {"max_share": (_number(self.most, "most") or 0) / 100}
        return made


@router.post(f"{PATH}/rules")
def add_rule(visit: Visit, dataset: str, wanted: Annotated[NewRule, Form()]) -> Response:
    """Add a rule for the versions to come."""
    rules = _rules(visit, dataset)
    _set(visit, dataset, [*rules, wanted.rule({rule.id for rule in rules})], wanted.expected_version)
    return visit.done(visit.say("The rule counts from the next version on"))


@router.post(f"{PATH}/rules/change")
def change_rule(
    visit: Visit,
    dataset: str,
    rule: Annotated[str, Form()],
    change: Annotated[Literal["off", "on", "error", "warning", "remove"], Form()],
    expected_version: Annotated[int, Form()],
) -> Response:
    """Switch a rule off or on, make it stricter or milder, or take it away."""
    rules = _rules(visit, dataset)
    found = next((one for one in rules if one.id == rule), None)
    if found is None:
        raise NotFound(f"there is no rule {rule!r}", field="rule", value=rule)
    changed = {"off": {"enabled": False}, "on": {"enabled": True}}.get(change) or {"severity": change}
    rest = [replace(one, **changed) if one.id == rule else one for one in rules]
    kept = [one for one in rest if one.id != rule] if change == "remove" else rest
    _set(visit, dataset, kept, expected_version)
    return visit.done(visit.say("The rules were changed; they count from the next version on"))


@router.post(f"{PATH}/check")
def check(visit: Visit, dataset: str) -> Response:
    """Check the newest version against the rules of now."""
    report = visit.get(Lake).check_quality(visit.who, AboutVersion(workspace=visit.workspace, dataset=dataset))
    return visit.done(visit.say("Checked again: score %(score)s", score=f"{report.score:g}"))


def _rules(visit: PageVisit, dataset: str) -> list[Rule]:
    return visit.get(Lake).list_rules(visit.who, OneDataset(workspace=visit.workspace, dataset=dataset))


def _set(visit: PageVisit, dataset: str, rules: list[Rule], version: int) -> None:
    wish = SetRules(workspace=visit.workspace, dataset=dataset, rules=rules, expected_version=version)
    visit.get(Lake).set_rules(visit.who, wish)


def _checked(rules: list[Rule], report: QualityReport | None) -> list[tuple[Rule, dict[str, Any] | None]]:
    """Return each rule with what the report says of it; broken ones first."""
    told = {result["id"]: result for result in report.rules} if report else {}
    pairs = [(rule, told.get(rule.id)) for rule in rules]
    return sorted(pairs, key=lambda pair: pair[1] is None or pair[1]["passed"])


def _number(text: str, field: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError as reason:
        raise Invalid(f"{text!r} is no number", field=field, value=text, allowed="a number") from reason
    return int(value) if value.is_integer() else value
