"""Facts that other rooms may hear of."""

from __future__ import annotations

from typing import Any

from aimass.monitoring.domain.alerts import Alert

ALERT_FIRED = "monitoring.alert.fired"
ALERT_ACKED = "monitoring.alert.acked"
ALERT_RESOLVED = "monitoring.alert.resolved"
DRIFT_COMPUTED = "monitoring.drift.computed"
QUALITY_COMPUTED = "monitoring.quality.computed"
ALL = (ALERT_FIRED, ALERT_ACKED, ALERT_RESOLVED, DRIFT_COMPUTED, QUALITY_COMPUTED)


def subject(endpoint: str) -> str:
    """Return how events and audit entries name an endpoint.

    Examples
    --------
    >>> subject("churn")
    'endpoint:churn'
    """
    return f"endpoint:{endpoint}"


def alert_fact(alert: Alert) -> dict[str, Any]:
    """Return the data of an event about an alert: names and numbers, no data subject's values."""
    return {
        "alert": alert.id,
        "endpoint": alert.endpoint,
        "deployment": alert.target,
        "revision": alert.revision,
        "model": alert.model,
        "version": alert.model_version,
        "rule": alert.rule,
        "metric": alert.metric,
        "severity": alert.severity,
        "value": alert.value,
        "threshold": alert.threshold,
        "count": alert.count,
        "features": list(alert.detail.get("features") or []),
    }
