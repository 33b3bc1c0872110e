"""What each metric of a rule says now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from aimass.monitoring.domain.alerts import SERIES, AlertRule, Observed
from aimass.monitoring.domain.series import EndpointMetrics, GetEndpointMetrics, Traffic, total
from aimass.monitoring.service.compute import DRIFTED
from aimass.monitoring.service.metrics import REQUESTS, endpoint_metrics
from aimass.monitoring.store import monitors, series

_NUMBERS = ("rmse", "mae", "median_ae", "r2", "mape", "mase")
_QUALITY = ("auc", "accuracy", "f1", "brier", *_NUMBERS, "reward", "rouge_l", "rouge_1", "rouge_2")
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at one endpoint, at one moment."""

    conn: Connection
    workspace: str
    endpoint: str
    now: datetime

    def observe(self, rule: AlertRule) -> list[Observed]:
        """Return what a rule looks at: for the endpoint as a whole, or for each of its deployments."""
        area, _, name = rule.metric.partition(".")
        if area in ("drift", "data"):
            return self._of_monitors(lambda row: self._drift(row, rule))
        if area == "quality":
            return self._of_monitors(lambda row: self._quality(row, name))
        found = (
            self._counted(rule)
            if rule.kind != "threshold" or rule.metric.startswith(SERIES)
            else self._traffic(rule, name)
        )
        return [found] if found is not None else []

    def _of_monitors(self, look: Any) -> list[Observed]:
        rows = monitors.watching(self.conn, self.workspace, self.endpoint)
        return [found for row in rows if row.is_enabled and (found := look(row)) is not None]

    def _drift(self, row: Row[Any], rule: AlertRule) -> Observed | None:
        found = monitors.newest_drift(self.conn, row.id, row.revision)
        if found is None:
            return None
        value, detail = _drift_value(rule, found)
        return None if value is None else _observed(row, value, (found.rows, found.at), detail)

    def _quality(self, row: Row[Any], name: str) -> Observed | None:
        found = monitors.newest_quality(self.conn, row.id, row.revision)
        metric = name.removesuffix("_drop").removesuffix("_rise")
        measured = None if found is None else found.found["metrics"].get(metric)
        if found is None or measured is None or metric not in _QUALITY:
            return None
        detail = {"interval": [measured["low"], measured["high"]]}
        value = measured["value"]
        if name != metric:
            if metric not in row.baseline:
                return None
            detail["baseline"] = row.baseline[metric]
            value = _change(name, value, row.baseline[metric])
        return _observed(row, value, (measured["count"], found.at), detail)

    def _traffic(self, rule: AlertRule, name: str) -> Observed | None:
        wish = GetEndpointMetrics(workspace=self.workspace, endpoint=self.endpoint, window_s=rule.window_s)
        found = endpoint_metrics(self.conn, wish, self.now)
        value = _traffic_value(found.total, name)
        if value is None:
            return None
        return Observed(target="", value=value, count=found.total.requests, at=self.now, detail=_blame(found, name))

    def _counted(self, rule: AlertRule) -> Observed | None:
        """Count a series over the window; what was never counted at all cannot be absent."""
        name = rule.metric.removeprefix(SERIES) if rule.metric.startswith(SERIES) else REQUESTS
        ids = series.names(self.conn, self.workspace, name, {"endpoint": self.endpoint})
        if not ids:
            return None
        since = self.now - timedelta(seconds=rule.window_s)
        bounds = series.finest(since.timestamp()), int(self.now.timestamp()) + 1
        count = total(sample for _, _, sample in series.read(self.conn, ids, *bounds)).count
        value = {"rate": count / rule.window_s, "threshold": count}.get(rule.kind, 0.0 if count else 1.0)
        return Observed(target="", value=value, count=max(int(count), rule.min_count), at=self.now)


def _change(name: str, value: float, baseline: float) -> float:
    """Return by how much a score is below that on the test set; of an error, the share by which it is above."""
    if name.endswith("_rise"):
        return value / baseline - 1 if baseline else float(value > 0)
    return baseline - value


def _observed(row: Row[Any], value: float, basis: tuple[int, datetime], detail: Mapping[str, Any]) -> Observed:
    return Observed(
        target=row.deployment,
        value=value,
        count=basis[0],
        at=basis[1],
        revision=row.revision,
        model=row.model,
        model_version=row.model_version,
        detail=detail,
    )


def _drift_value(rule: AlertRule, found: Row[Any]) -> tuple[float | None, dict[str, Any]]:
    features: list[dict[str, Any]] = found.found["features"]
    drifted = [feature["name"] for feature in features if feature["psi"] > DRIFTED][:_SHOWN]
    detail: dict[str, Any] = {"features": drifted, "feature": found.feature}
    if rule.metric == "drift.feature_psi":
        return next((f["psi"] for f in features if f["name"] == rule.feature), None), {"feature": rule.feature}
    if rule.metric == "drift.prediction_psi":
        return found.prediction_psi, {"features": drifted}
    if rule.metric == "drift.drifted":
        return float(sum(f["psi"] > DRIFTED for f in features)), detail
    if rule.metric == "drift.max_psi":
        return found.max_psi, detail
    kind = rule.metric.removeprefix("data.")
    shares = [
        (f["unseen"] if kind == "unseen" else f["missing"]["live"] - f["missing"]["reference"], f["name"])
        for f in features
    ]
    worst = max(shares, default=None)
    return (None, {}) if worst is None else (worst[0], {"feature": worst[1], "features": [worst[1]]})


def _traffic_value(found: Traffic, name: str) -> float | None:
    if name == "refused_rate":
        return found.refused / found.requests if found.requests else None
    value = getattr(found, name)
    return None if value is None else float(value)


def _blame(found: EndpointMetrics, name: str) -> dict[str, Any]:
    """Return the value of each revision, so that the alert says which one it is."""
    values = {line.deployment or line.revision: _traffic_value(line, name) for line in found.revisions}
    return {"revisions": {key: round(value, 6) for key, value in values.items() if value is not None}}
