"""The pages of alerts, rules and metrics over HTTP: who sees what, what each action does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from aimass.access import CreateWorkspace
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.alerts import Alert, AlertRule, ListAlerts, ListRules
from tests.fixtures.served import Served, served
from tests.fixtures.site import ROLES, unnamed_actions

AT = "/demo/operate/alerts"
PAGES = (
    AT,
    f"{AT}?state=all",
    f"{AT}?state=FIRING&endpoint=churn",
    f"{AT}?state=RESOLVED",
    f"{AT}/rules",
    "ALERT",
    "RULE",
)
METRICS = "/demo/operate/metrics"
EXPLORED = (METRICS, f"{METRICS}?name=gateway_latency_seconds&measure=p95&by=revision", f"{METRICS}?span=90d&by=code", f"{METRICS}?label.code=400")  # fmt: skip
USERS = ("analyst", "editor", "operator", "admin")


@pytest.fixture(scope="module")
def stage() -> Iterator[Served]:
    with served() as found:
        yield found


def first_alert(stage: Served) -> Alert:
    return stage.monitoring.list_alerts(SYSTEM, ListAlerts(workspace="demo")).items[-1]


def own_rule(stage: Served) -> AlertRule:
    rules = stage.monitoring.list_rules(SYSTEM, ListRules(workspace="demo")).items
    return next(rule for rule in rules if rule.name == "Inputs moved")


def address(stage: Served, path: str) -> str:
    named = {"ALERT": f"{AT}/{first_alert(stage).id}", "RULE": f"{AT}/rules/{own_rule(stage).id}"}
    return named.get(path, path)


def toast(answer) -> str:
    assert answer.status_code == 204, answer.text
    return json.loads(answer.headers["hx-trigger"])["toast"]["text"]


@pytest.mark.parametrize("path", [*PAGES, *EXPLORED])
def test_each_page_opens_for_every_role_and_not_for_strangers(stage: Served, path: str) -> None:
    path = address(stage, path)
    for role in ROLES:
        assert stage.site.visitor(role).open(path).status_code == 200, role
    assert stage.site.visitor("stranger").open(path).status_code == 404
    assert stage.site.visitor().open(path).status_code == 303


@pytest.mark.parametrize("path", [*PAGES, *EXPLORED])
def test_every_action_names_its_operation(stage: Served, path: str) -> None:
    page = stage.site.visitor("root").open(address(stage, path)).text
    assert unnamed_actions(page, stage.site.cases()) == []


@pytest.mark.parametrize("path", PAGES)
def test_who_may_only_read_is_offered_no_change(stage: Served, path: str) -> None:
    page = stage.site.visitor("viewer").open(address(stage, path)).text
    assert re.findall(r'<button[^>]* hx-(?:post|delete)="/demo/', page) == []


def test_an_alert_says_what_moved_where_and_by_how_much(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(address(stage, "ALERT")).text
    assert "/demo/services/churn/drift?feature=c" in page
    assert "Inputs moved" in page
    assert "drift.max_psi" in page
    assert 'aria-disabled="true"' in page


def test_somebody_looks_after_an_alert_and_resolves_it_with_a_note(stage: Served) -> None:
    at, analyst = address(stage, "ALERT"), stage.site.visitor("analyst")
    assert stage.site.visitor("viewer").do("POST", f"{at}/ack").status_code == 403
    assert "You look after it" in toast(analyst.do("POST", f"{at}/ack", note="the prices went up"))
    page = analyst.open(at).text
    assert "analyst looks after it" in page
    assert "the prices went up" in page
    assert analyst.do("POST", f"{at}/resolve").json()["field"] == "note"
    assert "Resolved" in toast(analyst.do("POST", f"{at}/resolve", note="expected"))
    assert analyst.do("POST", f"{at}/resolve", note="again").status_code == 409
    assert "Resolved by analyst" in analyst.open(at).text
    assert first_alert(stage).id in analyst.open(f"{AT}?state=RESOLVED").text


def test_a_rule_is_made_changed_switched_and_deleted(stage: Served) -> None:
    operator = stage.site.visitor("operator")
    form = {"endpoint": "churn", "metric": "traffic.p99_ms", "threshold": "80", "for_s": "30", "name": "Too slow"}
    assert operator.do("POST", f"{AT}/rules", **form).headers["hx-redirect"] == f"{AT}/rules"
    found = stage.monitoring.list_rules(SYSTEM, ListRules(workspace="demo", limit=100)).items
    rule = next(rule for rule in found if rule.name == "Too slow")
    at = f"{AT}/rules/{rule.id}"
    change = {"operator": ">=", "threshold": "90", "window_s": "60", "for_s": "5", "resolve_s": "5", "min_count": "3", "severity": "critical", "version": "1"}  # fmt: skip
    assert operator.do("POST", at, **change).status_code == 204
    assert operator.do("POST", at, **change).status_code == 412
    assert "&gt;= 90" in operator.open(f"{AT}/rules").text
    assert toast(operator.do("POST", f"{at}/switch", on="false")) == "Too slow is off"
    assert "deleted" in toast(operator.do("DELETE", at))
    assert operator.open(at).status_code == 404


def test_rules_are_filtered_by_words_service_severity_and_state(stage: Served) -> None:
    viewer = stage.site.visitor("viewer")

    def shown(query: str) -> set[str]:
        return set(
            re.findall(r'<a class="name" href="[^"]*/rules/[^"]+">([^<]+)</a>', viewer.open(f"{AT}/rules?{query}").text)
        )

    assert shown("") >= {"Error rate", "Input drift", "Quality drop", "Slow answers"}
    assert shown("q=slow+churn") == {"Slow answers"}
    assert shown("q=psi") == {"Input drift", "Inputs moved"}
    assert shown("severity=critical&endpoint=churn") >= {"Error rate", "Quality drop"}
    assert shown("severity=info&q=slow") == set()
    assert shown("state=off") == shown("endpoint=nowhere") == set()
    assert "Nothing matches" in viewer.open(f"{AT}/rules?state=off").text


def test_a_metric_that_nobody_computes_is_refused_at_its_field(stage: Served) -> None:
    answer = stage.site.visitor("operator").do("POST", f"{AT}/rules", endpoint="churn", metric="luck")
    assert (answer.status_code, answer.json()["field"]) == (400, "metric")


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("operator", "admin")])
def test_only_operators_change_rules(stage: Served, role: str) -> None:
    visitor, at = stage.site.visitor(role), address(stage, "RULE")
    assert visitor.do("POST", f"{AT}/rules", endpoint="churn", metric="traffic.rps").status_code == 403
    assert visitor.do("POST", f"{at}/switch", on="false").status_code == 403
    assert visitor.do("DELETE", at).status_code == 403


def test_a_series_is_cut_by_a_label_and_narrowed(stage: Served) -> None:
    viewer = stage.site.visitor("viewer")
    by_code = viewer.open(f"{METRICS}?by=code").text
    assert re.search(r'class="name">200</td><td class="num">[\d,]+', by_code)
    assert re.search(r'class="name">400</td><td class="num">1<', by_code)
    narrowed = viewer.open(f"{METRICS}?by=code&label.code=400").text
    assert 'class="name">200' not in narrowed
    latency = viewer.open(f"{METRICS}?name=gateway_latency_seconds&measure=p95").text
    assert re.search(r"[\d.]+ (µs|ms)</td></tr>", latency)
    part = viewer.part(f"{METRICS}?by=revision", "series").text
    assert "<html" not in part


def test_an_unknown_span_of_time_is_refused(stage: Served) -> None:
    assert stage.site.visitor("viewer").open(f"{METRICS}?span=5y").status_code == 400
    assert stage.site.visitor("viewer").open("/demo/services/churn?span=5y").status_code == 400


def test_a_quiet_workspace_says_so_instead_of_showing_empty_tables(stage: Served) -> None:
    stage.site.access.create_workspace(stage.site.root, CreateWorkspace(name="Quiet"))
    root = stage.site.visitor("root")
    for path, words in (
        ("alerts", "Nothing is wrong"),
        ("alerts/rules", "No rule yet"),
        ("metrics", "Nothing was counted yet"),
    ):
        page = root.open(f"/quiet/operate/{path}").text
        assert words in page
        assert '<table class="table' not in page.partition("<main")[2].partition("</main>")[0]
