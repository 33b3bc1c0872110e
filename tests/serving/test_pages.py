"""The pages of services over HTTP: who sees what, what each action does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from aimass.access import CreateWorkspace
from aimass.access.domain.audit import ListAudit
from aimass.infra.database import Database
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.alerts import ListAlerts
from aimass.monitoring.domain.shadows import GetShadow, Shadow
from aimass.serving import Serving
from aimass.serving.domain.commands import CreateEndpoint, Deploy, OneEndpoint
from aimass.serving.domain.scaling import Replicas
from aimass.serving.store import queries
from tests.fixtures import gateway as plane
from tests.fixtures.packages import oip
from tests.fixtures.served import Served, served
from tests.fixtures.site import ROLES, Visitor, unnamed_actions

AT = "/demo/services/churn"
TABS = ("", "/playground", "/drift", "/records", "/records/r-1", "/records/nothing", "/history", "/config")
PAGES = ["/demo/services", *(AT + tab for tab in TABS), *(f"/demo/services/idle{tab}" for tab in TABS)]
PAGES += ["/demo/services?q=leave", "/demo/services?state=FAILED", f"{AT}?span=15m", f"{AT}/drift?deployment=champion"]
PAGES += [f"{AT}/records?status=400", f"{AT}/playground?sample=3"]
EDITORS = ("operator", "admin")


@pytest.fixture(scope="module")
def stage() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture
def operator(stage: Served) -> Visitor:
    return stage.site.visitor("operator")


def toast(answer: httpx.Response) -> str:
    assert answer.status_code in (200, 204), answer.text
    return json.loads(answer.headers["hx-trigger"])["toast"]["text"]


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_every_role_and_not_for_strangers(stage: Served, path: str) -> None:
    for role in ROLES:
        assert stage.site.visitor(role).open(path).status_code == 200, role
    assert stage.site.visitor("stranger").open(path).status_code == 404
    away = stage.site.visitor().open(path)
    assert (away.status_code, away.headers["location"].partition("?")[0]) == (303, "/login")


@pytest.mark.parametrize("path", PAGES)
def test_every_action_names_its_operation(stage: Served, path: str) -> None:
    assert unnamed_actions(stage.site.visitor("root").open(path).text, stage.site.cases()) == []


@pytest.mark.parametrize("tab", TABS)
def test_who_may_only_read_is_offered_no_change(stage: Served, tab: str) -> None:
    page = stage.site.visitor("viewer").open(AT + tab).text
    changes = re.findall(r'hx-(?:post|delete)="(/demo/[^"]+)"', page)
    assert [one for one in changes if not one.endswith(("/playground", "/playground/explain", "/truth"))] == []


def test_the_list_tells_what_answers_how_much_and_what_is_wrong(stage: Served) -> None:
    page = stage.site.visitor("viewer").open("/demo/services").text
    assert stage.endpoint().description in page
    assert "firing" in page
    assert re.search(r"PSI \d", page)
    assert "nothing deployed" in page
    assert "idle" not in stage.site.visitor("viewer").open("/demo/services?q=leave").text


def test_the_overview_compares_the_deployments(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(AT).text
    assert "canary · churn v2" in page
    assert "70 %" in page
    assert page.index('data-chart="latency"') < page.index("What answers") < page.index("How requests are run")
    assert "Promote canary…" not in page
    assert "Promote canary…" in stage.site.visitor("operator").open(AT).text


def test_drift_shows_the_input_that_moved_and_the_quality_beside_the_test(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(f"{AT}/drift").text
    assert "Moved from their reference:" in page
    assert 'data-chart="psi"' in page
    assert "test 0.9" in page
    other = stage.site.visitor("viewer").open(f"{AT}/drift?feature=c0").text
    assert re.search(r'aria-selected="true">\s*<td><a class="name"[^>]*>c0', other)


def test_records_hide_values_from_who_may_not_see_them(stage: Served) -> None:
    shown = stage.site.visitor("analyst").open(f"{AT}/records/r-3").text
    assert ">93<" in shown
    assert "What became true?" in shown
    hidden = stage.site.visitor("viewer").open(f"{AT}/records/r-3").text
    assert ">93<" not in hidden
    assert "***" in hidden
    assert "What became true?" not in hidden


def test_a_record_says_who_put_its_model_there_and_why(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(f"{AT}/records/r-3").text
    assert "tried in the lab" in page
    assert "operator" in page


def test_records_are_found_by_id_and_paged(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(f"{AT}/records").text
    (more,) = re.findall(r'href="([^"]*cursor=[^"]+)"', page)
    assert "records/r-" in stage.site.visitor("viewer").open(more.replace("&amp;", "&")).text
    found = re.findall(r"records/(r-\d+)\"", stage.site.visitor("viewer").open(f"{AT}/records?q=r-7").text)
    assert set(found) == {"r-7"}


def test_parts_of_a_page_come_alone(stage: Served) -> None:
    for path, part in (
        (AT, "overview"),
        (AT, "charts"),
        (AT, "service-head"),
        (f"{AT}/drift", "panel"),
        (f"{AT}/history", "history"),
    ):
        answer = stage.site.visitor("viewer").part(path, part)
        assert "<html" not in answer.text
        assert f'id="{part}"' in answer.text


def test_a_row_from_the_playground_goes_through_the_gateway(stage: Served) -> None:
    with stage.turning():
        answer = stage.site.visitor("analyst").do("POST", f"{AT}/playground", **{"in:c0": "plus", "in:c1": "40"})
    assert answer.status_code == 200, answer.text
    assert re.search(r'answer-label">(No|Yes)<', answer.text)
    assert "churn v" in answer.text
    assert "analyst" in {record["consumer"] for record in stage.gateway.records()}


def test_a_row_from_the_playground_is_explained(stage: Served) -> None:
    with stage.turning():
        given = {"in:c0": "plus", "in:c1": "40"}
        answer = stage.site.visitor("analyst").do("POST", f"{AT}/playground/explain", **given)
    assert answer.status_code == 200
    assert 'data-chart="bars"' in answer.text
    assert "This row" in answer.text
    assert stage.site.visitor("viewer").do("POST", f"{AT}/playground/explain", **given).status_code == 403


def test_the_playground_shows_what_is_wrong_at_the_field(stage: Served) -> None:
    answer = stage.site.visitor("analyst").do("POST", f"{AT}/playground", **{"in:c0": "plus", "in:c1": "dear"})
    assert (answer.status_code, answer.json()["field"]) == (400, "in:c1")
    refused = stage.site.visitor("viewer").do("POST", f"{AT}/playground", **{"in:c0": "plus", "in:c1": "1"})
    assert refused.status_code == 403


def test_the_form_offers_the_categories_of_the_model(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(f"{AT}/playground").text
    assert re.search(r'<select[^>]*name="in:c0".*?value="basic".*?value="plus"', page, re.DOTALL)
    assert 'aria-disabled="true"' in page
    assert "tritonclient" in page


@pytest.mark.parametrize("role", [role for role in ROLES if role not in EDITORS])
def test_only_operators_change_a_service(stage: Served, role: str) -> None:
    visitor = stage.site.visitor(role)
    for method, path, form in (
        ("POST", f"{AT}/deployments", {"model": "churn", "what": "1"}),
        ("POST", f"{AT}/traffic", {"name": "champion", "weight": "100"}),
        ("POST", f"{AT}/promote", {"deployment": "canary"}),
        ("POST", f"{AT}/rollback", {}),
        ("POST", f"{AT}/deployments/canary/stop", {}),
        ("POST", f"{AT}/deployments/canary/start", {}),
        ("DELETE", f"{AT}/deployments/canary", {}),
        ("DELETE", AT, {}),
        ("POST", "/demo/services", {"name": "new"}),
    ):
        assert visitor.do(method, path, **form).status_code == 403, path
    assert visitor.open(f"{AT}/deploy").status_code == 403


def test_traffic_is_shared_and_taken_back(stage: Served, operator: Visitor) -> None:
    answer = operator.do("POST", f"{AT}/traffic", name=["champion", "canary"], weight=["60", "40"], reason="more")
    assert toast(answer) == "The traffic is shared anew"
    assert dict(stage.endpoint().traffic.weights) == {"champion": 60, "canary": 40}
    back = json.loads(answer.headers["hx-trigger"])["toast"]["undo"]
    assert toast(operator.do("POST", back)) == "The traffic is as before"
    assert dict(stage.endpoint().traffic.weights) == {"champion": 70, "canary": 30}
    wrong = operator.do("POST", f"{AT}/traffic", name=["champion", "canary"], weight=["60", "60"])
    assert (wrong.status_code, wrong.json()["field"]) == (400, "weights")


def test_a_whole_policy_is_set_shown_and_its_shadow_compared(stage: Served, operator: Visitor) -> None:
    form = {"name": ["champion", "canary"], "weight": ["100", "0"], "shadow": "canary", "fallback": "canary"}
    form |= {"split": "header", "split_by": "X-Session", "fallback_on": ["error"], "fallback_after_s": "0.5"}
    form |= {"static": '{"label": "No", "probabilities": [1, 0]}'}
    answer = operator.do("POST", f"{AT}/traffic", **form)
    assert toast(answer) == "The traffic is shared anew"
    back = json.loads(answer.headers["hx-trigger"])["toast"]["undo"]
    page = stage.site.visitor("viewer").open(AT).text
    for text in ("assigned by the header x-session", "canary shadows 100 %", "a static answer stands in"):
        assert text in page
    assert "split_by x-session" in stage.site.visitor("viewer").open(f"{AT}/history").text
    wish = GetShadow(workspace="demo", endpoint="churn")

    def shadows() -> list[Shadow]:
        plane.ask(stage.gateway, "POST", "/v2/models/churn/infer", oip(c0="plus", c1=50.0), key=stage.key)
        stage.monitoring.collect()
        return stage.monitoring.get_shadow(SYSTEM, wish).shadows

    stage.until(shadows)
    (shadow,) = shadows()
    assert (shadow.deployment, shadow.shadow_deployment, shadow.failed) == ("champion", "canary", 0)
    assert "The shadow beside what was answered" in stage.site.visitor("viewer").open(AT).text
    assert toast(operator.do("POST", back)) == "The traffic is as before"
    wrong = operator.do("POST", f"{AT}/traffic", **{**form, "static": "{"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "static")


def test_a_deployment_stops_and_starts_again(stage: Served, operator: Visitor) -> None:
    answer = operator.do("POST", f"{AT}/deployments/canary/stop")
    assert "canary is stopped" in toast(answer)
    undo = json.loads(answer.headers["hx-trigger"])["toast"]["undo"]
    assert "canary is starting" in toast(operator.do("POST", undo))
    stage.deploy(2, name="canary", weight=30)


def test_settings_are_changed_with_a_look_at_the_difference(stage: Served, operator: Visitor) -> None:
    version = stage.endpoint().version
    form = {"version": version, "description": "Who leaves?", "timeout_s": "5", "max_body_mib": "16", "sample_percent": "100", "payload": "true", "retention_days": "90", "max_record_gib": "10", "unseen": "refuse"}  # fmt: skip
    shown = operator.do("POST", f"{AT}/config/difference", **form)
    assert "timeout_s: 5" in shown.text
    assert stage.endpoint().timeout_s == 30
    assert operator.do("POST", f"{AT}/config", **form).status_code == 204
    one = stage.endpoint()
    assert (one.timeout_s, one.unseen, one.description, one.record.payload) == (5, "refuse", "Who leaves?", True)
    assert operator.do("POST", f"{AT}/config", **form).status_code == 412
    wrong = operator.do("POST", f"{AT}/config/difference", **{**form, "timeout_s": "soon"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "timeout_s")


def test_a_promotion_and_a_roll_back_are_told_in_the_history(stage: Served, operator: Visitor) -> None:
    assert operator.do("POST", f"{AT}/promote", deployment="canary", reason="it is better").status_code == 204
    stage.until(lambda: stage.endpoint().deployments[0].served_version == 2)
    history = operator.open(f"{AT}/history").text
    assert "it is better" in history
    number = re.findall(r"revision&#34;: (\d+)", history)[-1]
    assert operator.do("POST", f"{AT}/rollback", revision=number, reason="no, it is not").status_code == 204
    stage.until(lambda: stage.endpoint().deployments[0].served_version == 1)
    assert "no, it is not" in operator.open(f"{AT}/history").text
    stage.deploy(2, name="canary", weight=30)


def test_the_dialog_offers_only_what_may_be_deployed(stage: Served, operator: Visitor) -> None:
    form = operator.open(f"{AT}/deploy?model=churn").text
    assert "champion, followed (now version 1)" in form
    answer = operator.do("POST", f"{AT}/deployments", model="churn", what="9")
    assert answer.status_code == 404
    assert operator.do("POST", f"{AT}/deployments", model="churn", what="x").json()["field"] == "what"


def test_deploying_from_the_dialog_leaves_what_it_does_not_name(stage: Served, operator: Visitor) -> None:
    assert operator.do("POST", "/demo/services", name="kept", model="churn").status_code == 204
    wish = Deploy(
        workspace="demo", endpoint="kept", model="churn", placement="isolated", isolation="process", network=True
    )
    stage.serving.deploy(stage.site.people["operator"], wish)
    try:
        answer = operator.do("POST", "/demo/services/kept/deployments", model="churn", what="1", device="cpu")
        assert answer.status_code == 204
        (found,) = stage.serving.get_endpoint(SYSTEM, OneEndpoint(workspace="demo", endpoint="kept")).deployments
        options = found.options
        assert (found.placement, options.isolation, options.network, options.device) == (
            "isolated",
            "process",
            True,
            "cpu",
        )
    finally:
        operator.do("DELETE", "/demo/services/kept")


def test_when_workers_are_added_is_set_from_the_dialog_and_told_in_the_audit(stage: Served, operator: Visitor) -> None:
    assert operator.do("POST", "/demo/services", name="many", model="churn").status_code == 204
    wish = Deploy(workspace="demo", endpoint="many", model="churn", placement="isolated", replicas=Replicas(max=3))
    stage.serving.deploy(stage.site.people["operator"], wish)
    at = "/demo/services/many/deployments"
    try:
        said = {"target": "2.5", "latency_ms": "80", "idle_s": "60", "isolation": "process"}
        assert operator.do("POST", at, model="churn", what="1", **said).status_code == 204
        assert replicas_of(stage) == Replicas(max=3, target=2.5, latency_ms=80, idle_s=60)
        assert operator.do("POST", at, model="churn", what="1", latency_ms="0", min_workers="5").status_code == 204
        assert replicas_of(stage) == Replicas(min=5, max=5, target=2.5, idle_s=60)
        refused = operator.do("POST", at, model="churn", what="1", max_workers="2.5")
        assert (refused.status_code, refused.json()["field"]) == (400, "max_workers")
        for name, value in (("target", "inf"), ("idle_s", "inf"), ("latency_ms", "nan"), ("latency_ms", "-1")):
            refused = operator.do("POST", at, model="churn", what="1", **{name: value})
            assert (refused.status_code, refused.json()["field"]) == (400, "replicas")
        newest, before = stage.site.access.list_audit(SYSTEM, ListAudit(action="serving.deploy", limit=2)).items
        assert newest.detail["asked"]["replicas.min"] == 5
        assert newest.detail["changed"] == {
            "replicas.min": {"from": 1, "to": 5},
            "replicas.max": {"from": 3, "to": 5},
            "replicas.latency_ms": {"from": 80, "to": None},
        }
        assert before.detail["changed"]["isolation"] == {"from": "auto", "to": "process"}
        shown = stage.site.visitor("root").open("/demo/settings/audit?action=serving.deploy").text
        assert "replicas.min 1 → 5" in shown
        assert "replicas.latency_ms 80 → –" in shown
    finally:
        operator.do("DELETE", "/demo/services/many")


def replicas_of(stage: Served) -> Replicas:
    (found,) = stage.serving.get_endpoint(SYSTEM, OneEndpoint(workspace="demo", endpoint="many")).deployments
    return found.options.replicas


def test_a_service_is_made_and_deleted(stage: Served, operator: Visitor) -> None:
    made = operator.do("POST", "/demo/services", name="trial", description="for a day", model="churn")
    assert made.headers["hx-redirect"] == "/demo/services/trial"
    assert "follows champion" in operator.open("/demo/services/trial").text
    one = stage.site.registry.get(Serving).get_endpoint(SYSTEM, OneEndpoint(workspace="demo", endpoint="trial"))
    with stage.site.registry.get(Database).change(SYSTEM, "demo") as change:
        queries.put_deployment(change, one.deployments[0].id, alias_seen=2)  # it moved, and the service was rolled back
    text = operator.open("/demo/services/trial").text
    assert ("held at v1, follows champion again when it moves" in text, "· follows champion" in text) == (True, False)
    assert operator.do("POST", "/demo/services", name="trial").json()["field"] == "name"
    assert operator.do("DELETE", "/demo/services/trial").headers["hx-redirect"] == "/demo/services"
    assert operator.open("/demo/services/trial").status_code == 404


def test_a_truth_that_is_told_changes_the_record(stage: Served) -> None:
    analyst = stage.site.visitor("analyst")
    assert "Noted" in toast(analyst.do("POST", f"{AT}/records/r-59/truth", label="Yes"))
    assert stage.site.visitor("viewer").do("POST", f"{AT}/records/r-59/truth", label="Yes").status_code == 403


def test_drift_is_computed_on_demand_and_the_reference_can_change(stage: Served) -> None:
    analyst, operator = stage.site.visitor("analyst"), stage.site.visitor("operator")
    assert "open alerts" in toast(analyst.do("POST", f"{AT}/drift/compute"))
    assert analyst.do("POST", f"{AT}/drift/reference", dataset="x").status_code == 403
    (monitor,) = set(re.findall(r"/drift/monitors/(\w+)", operator.open(f"{AT}/drift").text))
    form = {"window_rows": "100", "min_rows": "20", "is_enabled": "true"}
    assert toast(operator.do("POST", f"{AT}/drift/monitors/{monitor}", **form)) == "The monitor was changed"
    assert stage.site.visitor("viewer").do("POST", f"{AT}/drift/compute").status_code == 403


def test_a_workspace_without_services_says_how_to_begin(stage: Served) -> None:
    stage.site.access.create_workspace(stage.site.root, CreateWorkspace(name="Quiet"))
    page = stage.site.visitor("root").open("/quiet/services").text
    assert "No service yet" in page
    assert "aimass deploy churn" in page
    assert stage.site.visitor("viewer").open("/quiet/services").status_code == 404


def test_a_hundred_services_come_page_by_page(stage: Served) -> None:
    for number in range(60):
        stage.serving.create_endpoint(SYSTEM, CreateEndpoint(workspace="many", name=f"s-{number:03d}"))
    visitor = stage.site.visitor("root")
    first = visitor.open("/many/services").text
    assert len(re.findall(r'<tr data-href="/many/services/s-', first)) == 50
    (more,) = re.findall(r'href="([^"]*cursor=[^"]+)"', first)
    assert len(re.findall(r'<tr data-href="/many/services/s-', visitor.open(more).text)) == 10


def test_open_alerts_are_counted_on_the_page(stage: Served) -> None:
    found = stage.monitoring.list_alerts(SYSTEM, ListAlerts(workspace="demo", open=True)).items
    assert found
    assert f"Open alerts of this service: {len(found)}" in stage.site.visitor("viewer").open(AT).text
