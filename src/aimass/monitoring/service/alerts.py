"""Alert rules and alerts as use cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.alerts import (
    Alert,
    AlertRule,
    ChangeRule,
    CloseAlert,
    CreateRule,
    GetAlert,
    ListAlerts,
    ListRules,
    OneRule,
)
from aimass.monitoring.errors import AlertClosed
from aimass.monitoring.events import ALERT_ACKED, alert_fact, subject
from aimass.monitoring.service.alerting import resolve
from aimass.monitoring.service.ground import Part
from aimass.monitoring.service.watching import add_rule
from aimass.monitoring.store import alerts

_PARTS = ("threshold", "operator", "window_s", "for_s", "resolve_s", "min_count", "severity", "is_enabled")


class Alerts(Part):
    """Use cases of rules and alerts."""

    @use_case("GET /workspaces/{workspace}/alert-rules", permission="monitoring.read", cli="alerts rules")
    def list_rules(self, who: Principal, command: ListRules) -> Page[AlertRule]:
        """List alert rules."""
        del who
        with self._database.read() as conn:
            return page_of(alerts.matching_rules(conn, command), command.limit, lambda rule: rule.id)

    @use_case(
        "POST /workspaces/{workspace}/alert-rules", permission="monitoring.edit", cli="alerts create-rule", status=201
    )
    def create_rule(self, who: Principal, command: CreateRule) -> AlertRule:
        """Create an alert rule for an endpoint."""
        check_slug(command.endpoint, field="endpoint")
        if command.kind == "absence":
            command = replace(command, operator=">", threshold=0.0, name=command.name or f"nothing in {command.metric}")
        with self._database.change(who, command.workspace) as change:
            self._need_endpoint(change, command.workspace, command.endpoint)
            rule = add_rule(change, command)
            detail = {"rule": rule.id, "metric": rule.metric, "threshold": rule.threshold}
            change.audit("monitoring.rule.create", object_=subject(rule.endpoint), detail=detail)
        self._ground.pulse.touch(command.workspace, command.endpoint)
        return rule

    @use_case("GET /workspaces/{workspace}/alert-rules/{rule}", permission="monitoring.read", cli="alerts show-rule")
    def get_rule(self, who: Principal, command: OneRule) -> AlertRule:
        """Show an alert rule."""
        del who
        with self._database.read() as conn:
            return _rule(conn, command.workspace, command.rule)

    @use_case(
        "PATCH /workspaces/{workspace}/alert-rules/{rule}", permission="monitoring.edit", cli="alerts change-rule"
    )
    def change_rule(self, who: Principal, command: ChangeRule) -> AlertRule:
        """Change an alert rule; it is judged anew from now on."""
        with self._database.change(who, command.workspace) as change:
            known = _rule(change.conn, command.workspace, command.rule, command.expected_version)
            given: dict[str, Any] = {
                name: getattr(command, name) for name in _PARTS if getattr(command, name) is not None
            }
            rule = replace(known, **given, version=known.version + 1)
            alerts.put_rule(change, rule)
            change.audit("monitoring.rule.change", object_=subject(rule.endpoint), detail={"rule": rule.id, **given})
        self._ground.pulse.touch(rule.workspace, rule.endpoint)
        return rule

    @use_case(
        "DELETE /workspaces/{workspace}/alert-rules/{rule}",
        permission="monitoring.edit",
        cli="alerts delete-rule",
        status=204,
    )
    def delete_rule(self, who: Principal, command: OneRule) -> None:
        """Delete an alert rule; its open alerts are resolved."""
        with self._database.change(who, command.workspace) as change:
            rule = _rule(change.conn, command.workspace, command.rule, command.expected_version)
            for alert in alerts.open_alerts(change.conn, rule.workspace, rule.endpoint):
                if alert.rule == rule.id:
                    resolve(change, alert, who.name, "the rule was deleted")
            alerts.drop_rule(change, rule.id)
            change.audit(
                "monitoring.rule.delete",
                object_=subject(rule.endpoint),
                detail={"rule": rule.id, "name": rule.name},
            )

    @use_case("GET /workspaces/{workspace}/alerts", permission="monitoring.read", cli="alerts list")
    def list_alerts(self, who: Principal, command: ListAlerts) -> Page[Alert]:
        """List alerts, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(alerts.matching_alerts(conn, command), command.limit, lambda alert: alert.id)

    @use_case("GET /workspaces/{workspace}/alerts/{alert}", permission="monitoring.read", cli="alerts show")
    def get_alert(self, who: Principal, command: GetAlert) -> Alert:
        """Show an alert."""
        del who
        with self._database.read() as conn:
            return _alert(conn, command.workspace, command.alert)

    @use_case("POST /workspaces/{workspace}/alerts/{alert}/ack", permission="monitoring.use", cli="alerts ack")
    def ack_alert(self, who: Principal, command: CloseAlert) -> Alert:
        """Acknowledge an alert: somebody looks after it; it is still resolved by itself when all is well."""
        with self._database.change(who, command.workspace) as change:
            known = _open(change.conn, command)
            if known.state == "FIRING":
                values = {"note": command.note or known.note, "detail": {**known.detail, "looked_after": command.note}}
                alerts.put_alert(change, known.id, state="ACKED", acked_at=change.now, acked_by=who.name, **values)
                change.event(ALERT_ACKED, subject=subject(known.endpoint), data=alert_fact(known))
                change.audit("monitoring.alert.ack", object_=subject(known.endpoint), detail={"alert": known.id})
        return self._told(known)

    @use_case("POST /workspaces/{workspace}/alerts/{alert}/resolve", permission="monitoring.use", cli="alerts resolve")
    def resolve_alert(self, who: Principal, command: CloseAlert) -> Alert:
        """Resolve an alert by hand; it fires again only when a later measurement breaks the rule."""
        with self._database.change(who, command.workspace) as change:
            known = _open(change.conn, command)
            resolve(change, known, who.name, command.note, settled_at=change.now)
            change.audit("monitoring.alert.resolve", object_=subject(known.endpoint), detail={"alert": known.id})
        return self._told(known)

    def _told(self, alert: Alert) -> Alert:
        self._ground.live.publish(f"{alert.workspace}/alerts", {"endpoint": alert.endpoint, "alert": alert.id})
        with self._database.read() as conn:
            return _alert(conn, alert.workspace, alert.id)


def _rule(conn: Connection, workspace: str, id_: str, expected_version: int | None = None) -> AlertRule:
    found = alerts.rule(conn, workspace, id_)
    if found is None:
        raise NotFound(f"there is no alert rule {id_!r} in workspace {workspace!r}", field="rule", value=id_)
    if expected_version not in (None, found.version):
        raise Stale(f"rule {id_!r} has version {found.version}", value=expected_version)
    return found


def _alert(conn: Connection, workspace: str, id_: str) -> Alert:
    found = alerts.alert(conn, workspace, id_)
    if found is None:
        raise NotFound(f"there is no alert {id_!r} in workspace {workspace!r}", field="alert", value=id_)
    return found


def _open(conn: Connection, command: CloseAlert) -> Alert:
    found = _alert(conn, command.workspace, command.alert)
    if command.expected_version not in (None, found.version):
        raise Stale(f"alert {found.id!r} has version {found.version}", value=command.expected_version)
    if found.state == "RESOLVED":
        raise AlertClosed(
            f"alert {found.id!r} is resolved already", value=found.id, hint="it fires anew if the rule is broken again"
        )
    return found
