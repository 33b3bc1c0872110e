"""Evaluate alert rules: what a rule says of what is measured becomes, stays or stops being an alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from aimass.infra.database import Change
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.alerts import Alert, AlertRule, Observed, RuleState, advance, summary_of
from aimass.monitoring.events import ALERT_FIRED, ALERT_RESOLVED, alert_fact, subject
from aimass.monitoring.service.ground import Part
from aimass.monitoring.service.values import Observer
from aimass.monitoring.store import alerts, monitors


class Alerting(Part):
    """Evaluates the rules of one endpoint after the other."""

    def evaluate(self, workspace: str, endpoint: str) -> list[str]:
        """Evaluate every rule of an endpoint; return the ids of its open alerts.

        What is measured is read before the change is opened, so that evaluating never keeps writers waiting.
        """
        now = self._ground.now()
        with self._database.read() as conn:
            observer = Observer(conn=conn, workspace=workspace, endpoint=endpoint, now=now)
            rules = [rule for rule in alerts.rules_of(conn, workspace, endpoint) if rule.is_enabled]
            seen = {rule.id: {found.target: found for found in observer.observe(rule)} for rule in rules}
            states = {rule.id: alerts.states_of(conn, rule.id) for rule in rules}
            before = alerts.open_alerts(conn, workspace, endpoint)
            served = {row.deployment: row.revision for row in monitors.watching(conn, workspace, endpoint)}
        steps = [
            (rule, found, states[rule.id].get(target, RuleState()))
            for rule in rules
            for target, found in seen[rule.id].items()
        ]
        judged = [(rule, found, *advance(rule, state, found, now), state) for rule, found, state in steps]
        changed = [step[:4] for step in judged if step[3] != "none" or step[2] != step[4]]
        stale = [alert for alert in before if alert.target and served.get(alert.target) != alert.revision]
        moved = {a.id: seen[a.rule][a.target].value for a in before if a.target in seen.get(a.rule, {})}
        moved = {
            alert.id: moved[alert.id] for alert in before if moved.get(alert.id, alert.last_value) != alert.last_value
        }
        if changed or stale or moved:
            with self._database.change(SYSTEM, workspace) as change:
                for id_, value in moved.items():
                    alerts.note_value(change, id_, value)
                for alert in stale:
                    resolve(change, alert, "system", "the deployment has another revision now, or is gone")
                for rule, found, state, action in changed:
                    _apply(change, rule, found, (state, action))
        return self._told(workspace, endpoint, before)

    def horizon(self, workspace: str, endpoint: str) -> timedelta:
        """Return for how long after the last traffic the rules of an endpoint have to be looked at."""
        with self._database.read() as conn:
            rules = alerts.rules_of(conn, workspace, endpoint)
        spans = [rule.window_s + rule.for_s + rule.resolve_s for rule in rules if rule.is_enabled]
        return timedelta(seconds=max(spans, default=0.0) + 2 * self._settings.evaluate_s)

    def _told(self, workspace: str, endpoint: str, before: list[Alert]) -> list[str]:
        """Return the ids of the open alerts, and show open pages when they are others than before."""
        with self._database.read() as conn:
            after = [alert.id for alert in alerts.open_alerts(conn, workspace, endpoint)]
        if {alert.id for alert in before} != set(after):
            news = {"endpoint": endpoint, "open": len(after)}
            self._ground.live.publish(f"{workspace}/alerts", news)
            self._ground.live.publish(f"{workspace}/endpoint:{endpoint}/alerts", news)
        return after


def _apply(change: Change, rule: AlertRule, seen: Observed, step: tuple[RuleState, str]) -> None:
    state, action = step
    if action == "fire":
        alert = _alert(rule, seen, change.now)
        alerts.add_alert(change, alert)
        change.event(ALERT_FIRED, subject=subject(rule.endpoint), data=alert_fact(alert))
        state = replace(state, alert=alert.id)
    known = alerts.states_of(change.conn, rule.id).get(seen.target)
    if action == "resolve" and known is not None and known.alert is not None:
        alert = alerts.alert(change.conn, rule.workspace, known.alert)
        if alert is not None and alert.state != "RESOLVED":
            resolve(change, alert, "system", f"{seen.value:.4g} is within the limit again")
    alerts.put_state(change, rule.id, seen.target, state)


def _alert(rule: AlertRule, seen: Observed, now: datetime) -> Alert:
    return Alert(
        id=new_id(),
        workspace=rule.workspace,
        endpoint=rule.endpoint,
        target=seen.target,
        revision=seen.revision,
        model=seen.model,
        model_version=seen.model_version,
        rule=rule.id,
        name=rule.name,
        metric=rule.metric,
        severity=rule.severity,
        state="FIRING",
        summary=summary_of(rule, seen),
        value=seen.value,
        last_value=seen.value,
        threshold=rule.threshold,
        count=seen.count,
        detail=dict(seen.detail),
        fired_at=now,
        acked_at=None,
        acked_by="",
        resolved_at=None,
        resolved_by="",
        note="",
        version=1,
    )


def resolve(change: Change, alert: Alert, by: str, note: str, *, settled_at: datetime | None = None) -> None:
    """Resolve an alert; what a person noted of it outlives what the platform says of its end. ``settled_at`` keeps what was measured until then from firing again."""
    kept = alert.note or note if by == "system" else note or alert.note
    values = {"state": "RESOLVED", "resolved_at": change.now, "resolved_by": by, "note": kept}
    alerts.put_alert(change, alert.id, detail={**alert.detail, "outcome": note}, **values)
    alerts.put_state(change, alert.rule, alert.target, RuleState(settled_at=settled_at))
    change.event(ALERT_RESOLVED, subject=subject(alert.endpoint), data=alert_fact(alert))
