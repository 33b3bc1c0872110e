"""Alerts: what fires, who looks after it, and how it ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.kernel.errors import Invalid
from aimass.monitoring.console.around import curve_of
from aimass.monitoring.domain.alerts import Alert, CloseAlert, GetAlert, ListAlerts, ListRules, shown
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/alerts"
ONE = f"{PATH}/{{alert}}"
Shown = Literal["open", "FIRING", "ACKED", "RESOLVED", "all"]
Note = Annotated[str, Form()]
COUNTED = 500


@router.get(PATH)
def alerts(visit: Visit, state: Shown = "open", endpoint: str = "", cursor: str | None = None) -> Response:
    """What is wrong right now, since when, and does somebody look after it?"""
    wish = ListAlerts(workspace=visit.workspace, endpoint=endpoint or None, cursor=cursor, **_states(state))
    page = visit.get(Monitoring).list_alerts(visit.who, wish)
    return visit.render(
        "monitoring/alerts.html",
        parts={"alerts": "monitoring/_alerts.html"},
        tab="alerts",
        found=page.items,
        next=page.next,
        state=state,
        endpoint=endpoint,
        counts=counts_of(visit, endpoint),
        rules=rules_count(visit),
        reading=shown,
    )


@router.get(ONE)
def alert(visit: Visit, alert: str) -> Response:
    """What exactly moved, by how much, which model is behind it, and what was done?"""
    found = visit.get(Monitoring).get_alert(visit.who, GetAlert(workspace=visit.workspace, alert=alert))
    parts = {"alert": "monitoring/_alert.html"}
    more = {"steps": _steps(visit, found), "curve": curve_of(visit, found), "reading": shown}
    return visit.render("monitoring/alert.html", parts=parts, found=found, **more)


@router.post(f"{ONE}/ack")
def acknowledge(visit: Visit, alert: str, note: Note = "") -> Response:
    """Take care of an alert."""
    visit.get(Monitoring).ack_alert(visit.who, CloseAlert(workspace=visit.workspace, alert=alert, note=note))
    return visit.done(visit.say("You look after it; it is resolved by itself when all is well"))


@router.post(f"{ONE}/resolve")
def resolve(visit: Visit, alert: str, note: Note = "") -> Response:
    """Close an alert by hand; the note says what was found."""
    if not note.strip():
        raise Invalid(visit.say("Say what was found or done"), field="note")
    visit.get(Monitoring).resolve_alert(visit.who, CloseAlert(workspace=visit.workspace, alert=alert, note=note))
    return visit.done(visit.say("Resolved; it fires again only when a later measurement breaks the rule"))


def counts_of(visit: PageVisit, endpoint: str = "") -> dict[str, int]:
    """Count the open alerts by state."""
    wish = ListAlerts(workspace=visit.workspace, endpoint=endpoint or None, open=True, limit=COUNTED)
    found = visit.get(Monitoring).list_alerts(visit.who, wish).items
    return {state: sum(one.state == state for one in found) for state in ("FIRING", "ACKED")}


def rules_count(visit: PageVisit) -> int:
    """Count the rules."""
    return len(visit.get(Monitoring).list_rules(visit.who, ListRules(workspace=visit.workspace, limit=COUNTED)).items)


def _states(state: Shown) -> dict[str, Any]:
    if state == "all":
        return {}
    return {"open": True} if state == "open" else {"state": state}


def _steps(visit: PageVisit, found: Alert) -> list[dict[str, Any]]:
    """Return the life of an alert, newest first."""
    steps = [
        {
            "tone": "bad",
            "icon": "bell-ring",
            "title": visit.say("Fired"),
            "sub": visit.tell(found.summary),
            "when": found.fired_at,
        }
    ]
    if found.acked_at is not None:
        title = visit.say("%(name)s looks after it", name=found.acked_by)
        steps.append(
            {
                "tone": "warn",
                "icon": "eye",
                "title": title,
                "sub": found.detail.get("looked_after", ""),
                "when": found.acked_at,
            }
        )
    if found.resolved_at is not None:
        by_hand = found.resolved_by not in ("", "system")
        title = (
            visit.say("Resolved by %(name)s", name=found.resolved_by) if by_hand else visit.say("Resolved by itself")
        )
        steps.append(
            {
                "tone": "ok",
                "icon": "check",
                "title": title,
                "sub": visit.tell(found.detail.get("outcome", "")),
                "when": found.resolved_at,
            }
        )
    return steps[::-1]
