"""Alert rules: when an alert fires."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.monitoring.console.alerts import counts_of
from aimass.monitoring.domain.alerts import (
    METRICS,
    AlertRule,
    ChangeRule,
    CreateRule,
    ListRules,
    OneRule,
    Operator,
    Severity,
)
from aimass.monitoring.domain.monitors import ListMonitors
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/alerts/rules"
ONE = f"{PATH}/{{rule}}"
MOST = 500
KINDS = ("threshold", "absence", "rate")


class RuleForm(BaseModel):
    """A new rule, with times in seconds."""

    endpoint: str
    metric: str
    name: str = ""
    feature: str = ""
    kind: Literal["threshold", "absence", "rate"] = "threshold"
    operator: Operator = ">"
    threshold: float = 0.0
    window_s: int = 300
    for_s: float = 0.0
    resolve_s: float = 0.0
    min_count: int = 0
    severity: Severity = "warning"


class ChangeForm(BaseModel):
    """What of a rule can change."""

    operator: Operator
    threshold: float
    window_s: int
    for_s: float
    resolve_s: float
    min_count: int
    severity: Severity
    version: int


class Wanted(BaseModel):
    """Which rules the address of the page asks for."""

    q: str = ""
    endpoint: str = ""
    severity: Literal["", "info", "warning", "critical"] = ""
    state: Literal["", "on", "off"] = ""


@router.get(PATH)
def rules(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """What would wake us up, and is anything not watched?"""
    all_rules = visit.get(Monitoring).list_rules(visit.who, ListRules(workspace=visit.workspace, limit=MOST)).items
    endpoints = endpoints_of(visit)
    watched = {rule.endpoint for rule in all_rules if rule.is_enabled}
    found = [rule for rule in all_rules if _is_wanted(visit, rule, wanted)]
    return visit.render(
        "monitoring/rules.html",
        parts={"rules": "monitoring/_rules.html"},
        tab="rules",
        found=sorted(found, key=lambda rule: (rule.endpoint, rule.name)),
        wanted=wanted,
        has_rules=bool(all_rules),
        endpoint=wanted.endpoint,
        endpoints=endpoints,
        unwatched=[slug for slug in endpoints if slug not in watched],
        counts=counts_of(visit),
        metrics=[*METRICS.items()],
        kinds=KINDS,
    )


def _is_wanted(visit: PageVisit, rule: AlertRule, wanted: Wanted) -> bool:
    """Tell whether a rule is one of those asked for; words are looked for in what the page shows."""
    shown = f"{rule.endpoint} {rule.name} {visit.tell(rule.name)} {rule.metric} {rule.feature or ''}".casefold()
    return (
        wanted.endpoint in ("", rule.endpoint)
        and wanted.severity in ("", rule.severity)
        and wanted.state in ("", "on" if rule.is_enabled else "off")
        and all(word in shown for word in wanted.q.casefold().split())
    )


@router.get(ONE)
def rule(visit: Visit, rule: str) -> Response:
    """When does this rule fire, and should it be another limit?"""
    found = visit.get(Monitoring).get_rule(visit.who, OneRule(workspace=visit.workspace, rule=rule))
    return visit.render("monitoring/rule.html", found=found, metrics=dict(METRICS))


@router.post(PATH)
def create(visit: Visit, form: Annotated[RuleForm, Form()]) -> Response:
    """Create a rule."""
    values = {**form.model_dump(), "feature": form.feature or None}
    made = visit.get(Monitoring).create_rule(visit.who, CreateRule(workspace=visit.workspace, **values))
    return visit.go(
        f"/{visit.workspace}/operate/alerts/rules", toast=visit.say("Rule %(name)s was created", name=made.name)
    )


@router.post(ONE)
def change(visit: Visit, rule: str, form: Annotated[ChangeForm, Form()]) -> Response:
    """Change a rule."""
    values = form.model_dump(exclude={"version"})
    wish = ChangeRule(workspace=visit.workspace, rule=rule, expected_version=form.version, **values)
    visit.get(Monitoring).change_rule(visit.who, wish)
    return visit.go(f"/{visit.workspace}/operate/alerts/rules", toast=visit.say("The rule was changed"))


@router.post(f"{ONE}/switch")
def switch(visit: Visit, rule: str, on: Annotated[bool, Form()]) -> Response:
    """Switch a rule on or off."""
    wish = ChangeRule(workspace=visit.workspace, rule=rule, is_enabled=on)
    changed: AlertRule = visit.get(Monitoring).change_rule(visit.who, wish)
    said = visit.say("%(name)s is on", name=changed.name) if on else visit.say("%(name)s is off", name=changed.name)
    return visit.done(said)


@router.delete(ONE)
def delete(visit: Visit, rule: str) -> Response:
    """Delete a rule; its open alerts are resolved."""
    visit.get(Monitoring).delete_rule(visit.who, OneRule(workspace=visit.workspace, rule=rule))
    return visit.done(visit.say("The rule was deleted, and its open alerts were resolved"))


def endpoints_of(visit: PageVisit) -> list[str]:
    """Return the endpoints that are watched."""
    wish = ListMonitors(workspace=visit.workspace, limit=MOST)
    found = visit.get(Monitoring).list_monitors(visit.who, wish).items
    return sorted({monitor.endpoint for monitor in found})
