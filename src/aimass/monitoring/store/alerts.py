"""Rules, their states, and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.pages import decode_cursor
from aimass.monitoring.domain.alerts import OPEN, Alert, AlertRule, ListAlerts, ListRules, RuleState
from aimass.monitoring.store.tables import alerts, rules, states


def _plain(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 the public mapping view of a row


def rule(conn: Connection, workspace: str, id_: str) -> AlertRule | None:
    """Return a rule of a workspace."""
    row = conn.execute(select(rules).where(rules.c.workspace == workspace, rules.c.id == id_)).first()
    return None if row is None else AlertRule(**_plain(row))


def rules_of(conn: Connection, workspace: str, endpoint: str) -> list[AlertRule]:
    """Return every rule of an endpoint."""
    query = select(rules).where(rules.c.workspace == workspace, rules.c.endpoint == endpoint).order_by(rules.c.id)
    return [AlertRule(**_plain(row)) for row in conn.execute(query)]


def matching_rules(conn: Connection, command: ListRules) -> list[AlertRule]:
    """Return one rule more than the page wants."""
    query = select(rules).where(rules.c.workspace == command.workspace)
    if command.endpoint is not None:
        query = query.where(rules.c.endpoint == command.endpoint)
    if command.cursor:
        query = query.where(rules.c.id > decode_cursor(command.cursor))
    return [AlertRule(**_plain(row)) for row in conn.execute(query.order_by(rules.c.id).limit(command.limit + 1))]


def add_rule(change: Change, rule_: AlertRule) -> None:
    """Write a new rule."""
    change.execute(insert(rules).values(**asdict(rule_)))


def put_rule(change: Change, rule_: AlertRule) -> None:
    """Write a changed rule; where it stood is forgotten, its open alert is not."""
    change.execute(update(rules).where(rules.c.id == rule_.id).values(**asdict(rule_)))
    change.execute(
        update(states).where(states.c.rule == rule_.id).values(broken_since=None, clear_since=None, settled_at=None)
    )


def drop_rule(change: Change, id_: str) -> None:
    """Delete a rule and where it stood."""
    change.execute(delete(states).where(states.c.rule == id_))
    change.execute(delete(rules).where(rules.c.id == id_))


def states_of(conn: Connection, rule_: str) -> dict[str, RuleState]:
    """Return where a rule stands, by target."""
    found: dict[str, RuleState] = {}
    for row in conn.execute(select(states).where(states.c.rule == rule_)):
        values = _plain(row)
        target = values.pop("target")
        values.pop("rule")
        found[target] = RuleState(**values)
    return found


def put_state(change: Change, rule_: str, target: str, state: RuleState) -> None:
    """Write where a rule stands with a target."""
    change.execute(delete(states).where(states.c.rule == rule_, states.c.target == target))
    if state != RuleState():
        change.execute(insert(states).values(rule=rule_, target=target, **asdict(state)))


def alert(conn: Connection, workspace: str, id_: str) -> Alert | None:
    """Return an alert of a workspace."""
    row = conn.execute(select(alerts).where(alerts.c.workspace == workspace, alerts.c.id == id_)).first()
    return None if row is None else Alert(**_plain(row))


def matching_alerts(conn: Connection, command: ListAlerts) -> list[Alert]:
    """Return one alert more than the page wants, newest first."""
    query = select(alerts).where(alerts.c.workspace == command.workspace)
    if command.endpoint is not None:
        query = query.where(alerts.c.endpoint == command.endpoint)
    if command.state is not None:
        query = query.where(alerts.c.state == command.state)
    if command.open is not None:
        query = query.where(alerts.c.state.in_(OPEN) if command.open else ~alerts.c.state.in_(OPEN))
    if command.cursor:
        query = query.where(alerts.c.id < decode_cursor(command.cursor))
    return [Alert(**_plain(row)) for row in conn.execute(query.order_by(alerts.c.id.desc()).limit(command.limit + 1))]


def open_alerts(conn: Connection, workspace: str, endpoint: str) -> list[Alert]:
    """Return the alerts of an endpoint that are not resolved."""
    where = (alerts.c.workspace == workspace, alerts.c.endpoint == endpoint, alerts.c.state.in_(OPEN))
    return [Alert(**_plain(row)) for row in conn.execute(select(alerts).where(*where).order_by(alerts.c.id))]


def add_alert(change: Change, alert_: Alert) -> None:
    """Write a new alert."""
    change.execute(insert(alerts).values(**asdict(alert_)))


def put_alert(change: Change, id_: str, **values: Any) -> None:
    """Change an alert."""
    change.execute(update(alerts).where(alerts.c.id == id_).values(version=alerts.c.version + 1, **values))


def note_value(change: Change, id_: str, value: float) -> None:
    """Keep the newest value of an open alert."""
    change.execute(update(alerts).where(alerts.c.id == id_).values(last_value=value))


def firing(conn: Connection, workspaces: Sequence[str] | None) -> list[Alert]:
    """Return the alerts that nobody has acknowledged, newest first."""
    query = select(alerts).where(alerts.c.state == "FIRING").order_by(alerts.c.id.desc()).limit(50)
    if workspaces is not None:
        query = query.where(alerts.c.workspace.in_(list(workspaces)))
    return [Alert(**_plain(row)) for row in conn.execute(query)]


def counts(conn: Connection) -> Mapping[tuple[str, str, str], int]:
    """Return how many alerts there are, by workspace, state and severity; resolved ones left out."""
    columns = (alerts.c.workspace, alerts.c.state, alerts.c.severity)
    query = select(*columns, func.count()).where(alerts.c.state.in_(OPEN)).group_by(*columns)
    return {(row[0], row[1], row[2]): row[3] for row in conn.execute(query)}


def forget(change: Change, before: datetime) -> None:
    """Delete alerts that were resolved long ago."""
    change.execute(delete(alerts).where(alerts.c.state == "RESOLVED", alerts.c.resolved_at < before))
