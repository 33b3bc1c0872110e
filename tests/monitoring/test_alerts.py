from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aimass.infra.events import EventLog
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.monitoring.domain.alerts import (
    AlertRule,
    ChangeRule,
    CloseAlert,
    CreateRule,
    ListAlerts,
    ListRules,
    Observed,
    OneRule,
    RuleState,
    advance,
)
from aimass.monitoring.jobs import attention
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.service.watching import Served

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHURN = {"workspace": "demo", "endpoint": "churn"}
ERRORS = CreateRule(**CHURN, metric="traffic.error_rate", threshold=0.05, min_count=20)


def make_rule(**fields: Any) -> AlertRule:
    given = {
        "id": "r",
        **CHURN,
        "name": "n",
        "kind": "threshold",
        "metric": "drift.max_psi",
        "feature": None,
        "operator": ">",
    }
    given |= {"threshold": 0.2, "window_s": 300, "for_s": 0.0, "resolve_s": 0.0, "min_count": 0, "severity": "warning"}
    return AlertRule(**{**given, "is_enabled": True, "is_default": False, "version": 1, **fields})


def seen(value: float, *, count: int = 500, after_s: float = 0) -> Observed:
    return Observed(target="champion", value=value, count=count, at=NOON + timedelta(seconds=after_s))


def play(rule: AlertRule, *steps: tuple[float, float | None]) -> list[str]:
    state, actions = RuleState(), []
    for after_s, value in steps:
        state, action = advance(
            rule, state, None if value is None else seen(value, after_s=after_s), NOON + timedelta(seconds=after_s)
        )
        if action == "fire":
            state = RuleState(broken_since=state.broken_since, alert="a")
        actions.append(action)
    return actions


def test_a_broken_rule_fires_once_and_resolves_when_it_holds_again() -> None:
    assert play(make_rule(), (0, 0.1), (1, 0.3), (2, 0.4), (3, 0.1), (4, 0.1)) == [
        "none",
        "fire",
        "none",
        "resolve",
        "none",
    ]


def test_a_rule_waits_before_it_fires_and_before_it_resolves() -> None:
    rule = make_rule(for_s=30.0, resolve_s=60.0)
    steps = [
        (0, 0.3),
        (10, 0.1),
        (20, 0.3),
        (49, 0.3),
        (50, 0.3),
        (60, 0.1),
        (100, 0.3),
        (110, 0.1),
        (169, 0.1),
        (170, 0.1),
    ]
    assert play(rule, *steps) == ["none"] * 4 + ["fire"] + ["none"] * 4 + ["resolve"]


def test_too_few_rows_decide_nothing() -> None:
    rule = make_rule(min_count=200)
    assert advance(rule, RuleState(), seen(9.0, count=199), NOON) == (RuleState(), "none")
    assert play(make_rule(), (0, 0.3), (1, None), (2, 0.3)) == ["fire", "none", "none"]


def test_a_measurement_that_a_person_has_settled_does_not_fire_again_but_a_later_one_does() -> None:
    state = RuleState(settled_at=NOON)
    assert advance(make_rule(), state, seen(0.5), NOON + timedelta(seconds=9))[1] == "none"
    assert advance(make_rule(), state, seen(0.5, after_s=1), NOON + timedelta(seconds=9))[1] == "fire"


@pytest.mark.parametrize(
    ("operator", "value", "broken"), [(">", 0.2, False), (">=", 0.2, True), ("<", 0.1, True), ("<=", 0.3, False)]
)
def test_operators_compare_as_they_read(operator: Any, value: float, broken: bool) -> None:
    assert make_rule(operator=operator).is_broken_by(value) is broken


@pytest.fixture
def traffic(service: Monitoring, write_segment: Any, clock: Any) -> Any:
    """Tell of requests of the endpoint, then let the watch loop look."""

    def tell(good: int, bad: int = 0) -> None:
        labels = {**CHURN, "consumer": "shop", "revision": "rev-1"}
        points = [
            {"name": "gateway_requests", "labels": {**labels, "code": code}, "value": n}
            for code, n in (("200", good), ("500", bad))
            if n
        ]
        if points:
            write_segment([{"t": clock.now().timestamp(), "points": points}], kind="series")
        service.collect()
        service.look()

    return tell


def open_alerts(service: Monitoring) -> list[str]:
    return [alert.metric for alert in service.list_alerts(SYSTEM, ListAlerts(workspace="demo", open=True)).items]


def events(ground: Ground) -> list[str]:
    return [event.type for event in EventLog(ground.database).read(type_="monitoring.alert.*")]


def test_an_error_rate_fires_and_resolves_by_itself(
    service: Monitoring, ground: Ground, traffic: Any, clock: Any
) -> None:
    service.create_rule(SYSTEM, ERRORS)
    traffic(90, 10)
    assert open_alerts(service) == ["traffic.error_rate"]
    traffic(10, 5)
    assert events(ground) == ["monitoring.alert.fired"]
    clock.forward(400)
    traffic(100)
    assert open_alerts(service) == []
    assert events(ground) == ["monitoring.alert.fired", "monitoring.alert.resolved"]


def test_the_event_names_the_endpoint_and_carries_numbers(service: Monitoring, ground: Ground, traffic: Any) -> None:
    service.create_rule(SYSTEM, ERRORS)
    traffic(50, 50)
    (fired,) = EventLog(ground.database).read(type_="monitoring.alert.fired")
    assert (fired.subject, fired.data["metric"], fired.data["value"], fired.data["count"]) == (
        "endpoint:churn",
        "traffic.error_rate",
        0.5,
        100,
    )


def test_few_requests_fire_nothing(service: Monitoring, traffic: Any) -> None:
    service.create_rule(SYSTEM, ERRORS)
    traffic(0, 19)
    assert open_alerts(service) == []


def test_no_alert_fires_in_a_workspace_that_was_deleted(service: Monitoring, traffic: Any, clock: Any) -> None:
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="traffic.requests", kind="absence", window_s=60))
    traffic(5)
    clock.forward(75)
    assert service.look(lambda: {"demo"}) == 1
    assert open_alerts(service) == []
    clock.forward(75)
    service.look(lambda: {"another"})
    assert open_alerts(service) == ["traffic.requests"]


def test_silence_after_traffic_is_told_and_silence_from_the_start_is_not(
    service: Monitoring, traffic: Any, clock: Any
) -> None:
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="traffic.requests", kind="absence", window_s=60))
    traffic(0)
    clock.forward(3600)
    service.look()
    assert open_alerts(service) == []
    traffic(5)
    assert open_alerts(service) == []
    clock.forward(75)
    service.look()
    assert open_alerts(service) == ["traffic.requests"]
    traffic(1)
    assert open_alerts(service) == []


def test_a_rate_is_counted_over_its_window(service: Monitoring, traffic: Any) -> None:
    rule = CreateRule(**CHURN, metric="series:gateway_requests", kind="rate", threshold=10, window_s=10)
    service.create_rule(SYSTEM, rule)
    traffic(90)
    assert open_alerts(service) == []
    traffic(30)
    assert open_alerts(service) == ["series:gateway_requests"]


def test_an_alert_is_acknowledged_resolved_and_closed(service: Monitoring, ground: Ground, traffic: Any) -> None:
    service.create_rule(SYSTEM, ERRORS)
    traffic(50, 50)
    (alert,) = service.list_alerts(SYSTEM, ListAlerts(workspace="demo")).items
    acked = service.ack_alert(SYSTEM, CloseAlert(workspace="demo", alert=alert.id, note="looking", expected_version=1))
    assert (acked.state, acked.acked_by, acked.note) == ("ACKED", "system", "looking")
    with pytest.raises(Stale):
        service.resolve_alert(SYSTEM, CloseAlert(workspace="demo", alert=alert.id, expected_version=1))
    assert service.resolve_alert(SYSTEM, CloseAlert(workspace="demo", alert=alert.id)).state == "RESOLVED"
    with pytest.raises(Conflict, match="resolved already"):
        service.ack_alert(SYSTEM, CloseAlert(workspace="demo", alert=alert.id))
    assert events(ground) == ["monitoring.alert.fired", "monitoring.alert.acked", "monitoring.alert.resolved"]


def test_attention_shows_firing_alerts_to_those_who_may_read_them(service: Monitoring, traffic: Any) -> None:
    service.create_rule(SYSTEM, ERRORS)
    traffic(50, 50)

    class One:
        def get(self, kind: type) -> Monitoring:
            return service

    stranger = Principal(
        id="u", name="eve", kind="user", grants=(Grant(workspace="other", permissions=frozenset({"*.read"})),)
    )
    (needs,) = attention(One(), SYSTEM)  # pyright: ignore[reportArgumentType]
    assert needs["title"] == "churn: 50 % of the answers failed (limit > 5 %)"
    assert attention(One(), stranger) == []  # pyright: ignore[reportArgumentType]
    assert attention(One(), SYSTEM, "other") == []  # pyright: ignore[reportArgumentType]


def test_rules_are_changed_and_deleted_with_their_alerts(service: Monitoring, traffic: Any) -> None:
    rule = service.create_rule(SYSTEM, ERRORS)
    assert rule.name == "traffic.error_rate > 0.05"
    changed = service.change_rule(
        SYSTEM, ChangeRule(workspace="demo", rule=rule.id, threshold=0.01, expected_version=1)
    )
    assert (changed.threshold, changed.version) == (0.01, 2)
    traffic(97, 3)
    assert len(open_alerts(service)) == 1
    service.delete_rule(SYSTEM, OneRule(workspace="demo", rule=rule.id))
    assert open_alerts(service) == []
    with pytest.raises(NotFound):
        service.get_rule(SYSTEM, OneRule(workspace="demo", rule=rule.id))


def test_the_first_deployment_brings_the_default_rules_once(service: Monitoring) -> None:
    for revision in ("rev-1", "rev-2"):
        service.heard_of_revision(
            Served(**CHURN, deployment="champion", revision=revision, model="churn", model_version="1")
        )
    service.heard_of_revision(Served(**CHURN, deployment="canary", revision="rev-3", model="churn", model_version="2"))
    rules = service.list_rules(SYSTEM, ListRules(workspace="demo", endpoint="churn")).items
    assert sorted((rule.metric, rule.threshold) for rule in rules) == [
        ("drift.max_psi", 0.2),
        ("quality.auc_drop", 0.05),
        ("quality.rmse_rise", 0.1),
        ("traffic.error_rate", 0.05),
        ("traffic.p95_ms", 500.0),
    ]


@pytest.mark.parametrize(
    "wish",
    [
        {"metric": "drift.max_spi"},
        {"metric": "drift.max_psi", "kind": "absence"},
        {"metric": "drift.feature_psi"},
        {"metric": "series:"},
    ],
)
def test_a_rule_about_nothing_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        CreateRule(**CHURN, **wish)
