"""Methods of monitoring. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.monitoring_types import (
    Alert,
    AlertRule,
    Coverage,
    Drift,
    EndpointMetrics,
    Evaluation,
    Feedback,
    FeedbackReceipt,
    InferenceRecord,
    Label,
    Monitor,
    Quality,
    Recording,
    SeriesAnswer,
    SeriesName,
    ShadowReport,
)
from aimass.kernel.pages import Page


class MonitoringCalls(Calls):
    """Operations of monitoring."""

    def ack_alert(
        self, *, alert: str, workspace: str | None = None, note: str | None = None, expected_version: int | None = None
    ) -> Alert:
        """Acknowledge an alert: somebody looks after it; it is still resolved by itself when all is well."""
        return self._call(
            "monitoring.ack_alert",
            {"alert": alert, "workspace": workspace, "note": note, "expected_version": expected_version},
            Alert,
        )

    def change_monitor(
        self,
        *,
        monitor: str,
        workspace: str | None = None,
        window_rows: int | None = None,
        min_rows: int | None = None,
        is_enabled: bool | None = None,
        positive: str | None = None,
        expected_version: int | None = None,
    ) -> Monitor:
        """Change the window of a monitor, or switch it off."""
        return self._call(
            "monitoring.change_monitor",
            {
                "monitor": monitor,
                "workspace": workspace,
                "window_rows": window_rows,
                "min_rows": min_rows,
                "is_enabled": is_enabled,
                "positive": positive,
                "expected_version": expected_version,
            },
            Monitor,
        )

    def change_rule(
        self,
        *,
        rule: str,
        workspace: str | None = None,
        threshold: float | None = None,
        operator: Literal[">", ">=", "<", "<="] | None = None,
        window_s: int | None = None,
        for_s: float | None = None,
        resolve_s: float | None = None,
        min_count: int | None = None,
        severity: Literal["info", "warning", "critical"] | None = None,
        is_enabled: bool | None = None,
        expected_version: int | None = None,
    ) -> AlertRule:
        """Change an alert rule; it is judged anew from now on."""
        return self._call(
            "monitoring.change_rule",
            {
                "rule": rule,
                "workspace": workspace,
                "threshold": threshold,
                "operator": operator,
                "window_s": window_s,
                "for_s": for_s,
                "resolve_s": resolve_s,
                "min_count": min_count,
                "severity": severity,
                "is_enabled": is_enabled,
                "expected_version": expected_version,
            },
            AlertRule,
        )

    def create_rule(
        self,
        *,
        endpoint: str,
        metric: str,
        workspace: str | None = None,
        threshold: float | None = None,
        operator: Literal[">", ">=", "<", "<="] | None = None,
        kind: Literal["threshold", "absence", "rate"] | None = None,
        name: str | None = None,
        feature: str | None = None,
        window_s: int | None = None,
        for_s: float | None = None,
        resolve_s: float | None = None,
        min_count: int | None = None,
        severity: Literal["info", "warning", "critical"] | None = None,
    ) -> AlertRule:
        """Create an alert rule for an endpoint."""
        return self._call(
            "monitoring.create_rule",
            {
                "endpoint": endpoint,
                "metric": metric,
                "workspace": workspace,
                "threshold": threshold,
                "operator": operator,
                "kind": kind,
                "name": name,
                "feature": feature,
                "window_s": window_s,
                "for_s": for_s,
                "resolve_s": resolve_s,
                "min_count": min_count,
                "severity": severity,
            },
            AlertRule,
        )

    def delete_rule(self, *, rule: str, workspace: str | None = None, expected_version: int | None = None) -> None:
        """Delete an alert rule; its open alerts are resolved."""
        return self._call(
            "monitoring.delete_rule", {"rule": rule, "workspace": workspace, "expected_version": expected_version}, None
        )

    def evaluate_now(
        self, *, endpoint: str, workspace: str | None = None, rows: int | None = None, since: datetime | None = None
    ) -> Evaluation:
        """Take over what the gateway has handed over, compute drift and quality of each deployment, and judge the rules."""
        return self._call(
            "monitoring.evaluate_now",
            {"endpoint": endpoint, "workspace": workspace, "rows": rows, "since": since},
            Evaluation,
        )

    def get_alert(self, *, alert: str, workspace: str | None = None) -> Alert:
        """Show an alert."""
        return self._call("monitoring.get_alert", {"alert": alert, "workspace": workspace}, Alert)

    def get_coverage(self, *, endpoint: str, workspace: str | None = None) -> Coverage:
        """Show how much of the recorded traffic has its truth, and how much feedback waits for its record."""
        return self._call("monitoring.get_coverage", {"endpoint": endpoint, "workspace": workspace}, Coverage)

    def get_drift(
        self, *, endpoint: str, workspace: str | None = None, deployment: str | None = None, limit: int | None = None
    ) -> Drift:
        """Show how far each input and the predictions have moved from the reference, with the history."""
        return self._call(
            "monitoring.get_drift",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "limit": limit},
            Drift,
        )

    def get_endpoint_metrics(
        self, *, endpoint: str, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> EndpointMetrics:
        """Return requests per second, latencies and error rates of an endpoint, in all and by revision."""
        return self._call(
            "monitoring.get_endpoint_metrics",
            {"endpoint": endpoint, "workspace": workspace, "window_s": window_s, "until": until},
            EndpointMetrics,
        )

    def get_monitor(self, *, monitor: str, workspace: str | None = None) -> Monitor:
        """Show a monitor."""
        return self._call("monitoring.get_monitor", {"monitor": monitor, "workspace": workspace}, Monitor)

    def get_quality(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: str | None = None,
        limit: int | None = None,
    ) -> Quality:
        """Show how good the predictions were where the truth came back, with the history."""
        return self._call(
            "monitoring.get_quality",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "limit": limit,
            },
            Quality,
        )

    def get_recording(self, *, endpoint: str, workspace: str | None = None) -> Recording:
        """Show what is kept of an endpoint's requests, how much there is, and what was damaged."""
        return self._call("monitoring.get_recording", {"endpoint": endpoint, "workspace": workspace}, Recording)

    def get_rule(self, *, rule: str, workspace: str | None = None, expected_version: int | None = None) -> AlertRule:
        """Show an alert rule."""
        return self._call(
            "monitoring.get_rule",
            {"rule": rule, "workspace": workspace, "expected_version": expected_version},
            AlertRule,
        )

    def get_shadow(
        self, *, endpoint: str, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> ShadowReport:
        """Compare the shadow of an endpoint with what was answered: labels, probabilities and time, on the same rows."""
        return self._call(
            "monitoring.get_shadow",
            {"endpoint": endpoint, "workspace": workspace, "window_s": window_s, "until": until},
            ShadowReport,
        )

    def list_alerts(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        state: Literal["FIRING", "ACKED", "RESOLVED"] | None = None,
        open: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Alert]:
        """List alerts, newest first."""
        return self._call(
            "monitoring.list_alerts",
            {
                "workspace": workspace,
                "endpoint": endpoint,
                "state": state,
                "open": open,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Alert],
        )

    def list_feedback(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        request_id: str | None = None,
        known: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Feedback]:
        """List feedback, newest first; with a request id also what was said before."""
        return self._call(
            "monitoring.list_feedback",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "request_id": request_id,
                "known": known,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Feedback],
        )

    def list_metrics(
        self, *, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> list[EndpointMetrics]:
        """Return requests per second, latencies and error rates of every endpoint that had traffic, by name."""
        return self._call(
            "monitoring.list_metrics",
            {"workspace": workspace, "window_s": window_s, "until": until},
            list[EndpointMetrics],
        )

    def list_monitors(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Monitor]:
        """List monitors, one for each deployment."""
        return self._call(
            "monitoring.list_monitors",
            {"workspace": workspace, "endpoint": endpoint, "limit": limit, "cursor": cursor},
            Page[Monitor],
        )

    def list_records(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        trace: str | None = None,
        origin: Literal["live", "batch"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[InferenceRecord]:
        """List inference records, newest first; who may not use monitoring sees no values."""
        return self._call(
            "monitoring.list_records",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "status": status,
                "request_id": request_id,
                "trace": trace,
                "origin": origin,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
            Page[InferenceRecord],
        )

    def list_rules(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AlertRule]:
        """List alert rules."""
        return self._call(
            "monitoring.list_rules",
            {"workspace": workspace, "endpoint": endpoint, "limit": limit, "cursor": cursor},
            Page[AlertRule],
        )

    def list_series(self, *, workspace: str | None = None) -> list[SeriesName]:
        """List the series of a workspace by name, with the labels by which they can be narrowed."""
        return self._call("monitoring.list_series", {"workspace": workspace}, list[SeriesName])

    def query_series(
        self,
        *,
        name: str,
        workspace: str | None = None,
        labels: list[str] | None = None,
        by: list[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        step_s: int | None = None,
    ) -> SeriesAnswer:
        """Return counters and histograms by name: counts, rates and quantiles per step of time."""
        return self._call(
            "monitoring.query_series",
            {
                "name": name,
                "workspace": workspace,
                "labels": labels,
                "by": by,
                "since": since,
                "until": until,
                "step_s": step_s,
            },
            SeriesAnswer,
        )

    def resolve_alert(
        self, *, alert: str, workspace: str | None = None, note: str | None = None, expected_version: int | None = None
    ) -> Alert:
        """Resolve an alert by hand; it fires again only when a later measurement breaks the rule."""
        return self._call(
            "monitoring.resolve_alert",
            {"alert": alert, "workspace": workspace, "note": note, "expected_version": expected_version},
            Alert,
        )

    def send_feedback(self, *, endpoint: str, labels: list[Label], workspace: str | None = None) -> FeedbackReceipt:
        """Tell the truth about requests, by request id; the same label again changes nothing, another one replaces it."""
        return self._call(
            "monitoring.send_feedback",
            {"endpoint": endpoint, "labels": labels, "workspace": workspace},
            FeedbackReceipt,
        )

    def set_reference(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        dataset: str | None = None,
        delta_version: int | None = None,
        rows: list[dict[str, Any]] | None = None,
        target: str | None = None,
        features: list[str] | None = None,
        baseline: dict[str, float] | None = None,
        positive: str | None = None,
    ) -> list[Monitor]:
        """Compare an endpoint's traffic with a dataset of the workspace, or with a sample of rows."""
        return self._call(
            "monitoring.set_reference",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "dataset": dataset,
                "delta_version": delta_version,
                "rows": rows,
                "target": target,
                "features": features,
                "baseline": baseline,
                "positive": positive,
            },
            list[Monitor],
        )


class AsyncMonitoringCalls(AsyncCalls):
    """Operations of monitoring, for asyncio."""

    async def ack_alert(
        self, *, alert: str, workspace: str | None = None, note: str | None = None, expected_version: int | None = None
    ) -> Alert:
        """Acknowledge an alert: somebody looks after it; it is still resolved by itself when all is well."""
        return await self._call(
            "monitoring.ack_alert",
            {"alert": alert, "workspace": workspace, "note": note, "expected_version": expected_version},
            Alert,
        )

    async def change_monitor(
        self,
        *,
        monitor: str,
        workspace: str | None = None,
        window_rows: int | None = None,
        min_rows: int | None = None,
        is_enabled: bool | None = None,
        positive: str | None = None,
        expected_version: int | None = None,
    ) -> Monitor:
        """Change the window of a monitor, or switch it off."""
        return await self._call(
            "monitoring.change_monitor",
            {
                "monitor": monitor,
                "workspace": workspace,
                "window_rows": window_rows,
                "min_rows": min_rows,
                "is_enabled": is_enabled,
                "positive": positive,
                "expected_version": expected_version,
            },
            Monitor,
        )

    async def change_rule(
        self,
        *,
        rule: str,
        workspace: str | None = None,
        threshold: float | None = None,
        operator: Literal[">", ">=", "<", "<="] | None = None,
        window_s: int | None = None,
        for_s: float | None = None,
        resolve_s: float | None = None,
        min_count: int | None = None,
        severity: Literal["info", "warning", "critical"] | None = None,
        is_enabled: bool | None = None,
        expected_version: int | None = None,
    ) -> AlertRule:
        """Change an alert rule; it is judged anew from now on."""
        return await self._call(
            "monitoring.change_rule",
            {
                "rule": rule,
                "workspace": workspace,
                "threshold": threshold,
                "operator": operator,
                "window_s": window_s,
                "for_s": for_s,
                "resolve_s": resolve_s,
                "min_count": min_count,
                "severity": severity,
                "is_enabled": is_enabled,
                "expected_version": expected_version,
            },
            AlertRule,
        )

    async def create_rule(
        self,
        *,
        endpoint: str,
        metric: str,
        workspace: str | None = None,
        threshold: float | None = None,
        operator: Literal[">", ">=", "<", "<="] | None = None,
        kind: Literal["threshold", "absence", "rate"] | None = None,
        name: str | None = None,
        feature: str | None = None,
        window_s: int | None = None,
        for_s: float | None = None,
        resolve_s: float | None = None,
        min_count: int | None = None,
        severity: Literal["info", "warning", "critical"] | None = None,
    ) -> AlertRule:
        """Create an alert rule for an endpoint."""
        return await self._call(
            "monitoring.create_rule",
            {
                "endpoint": endpoint,
                "metric": metric,
                "workspace": workspace,
                "threshold": threshold,
                "operator": operator,
                "kind": kind,
                "name": name,
                "feature": feature,
                "window_s": window_s,
                "for_s": for_s,
                "resolve_s": resolve_s,
                "min_count": min_count,
                "severity": severity,
            },
            AlertRule,
        )

    async def delete_rule(
        self, *, rule: str, workspace: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete an alert rule; its open alerts are resolved."""
        return await self._call(
            "monitoring.delete_rule", {"rule": rule, "workspace": workspace, "expected_version": expected_version}, None
        )

    async def evaluate_now(
        self, *, endpoint: str, workspace: str | None = None, rows: int | None = None, since: datetime | None = None
    ) -> Evaluation:
        """Take over what the gateway has handed over, compute drift and quality of each deployment, and judge the rules."""
        return await self._call(
            "monitoring.evaluate_now",
            {"endpoint": endpoint, "workspace": workspace, "rows": rows, "since": since},
            Evaluation,
        )

    async def get_alert(self, *, alert: str, workspace: str | None = None) -> Alert:
        """Show an alert."""
        return await self._call("monitoring.get_alert", {"alert": alert, "workspace": workspace}, Alert)

    async def get_coverage(self, *, endpoint: str, workspace: str | None = None) -> Coverage:
        """Show how much of the recorded traffic has its truth, and how much feedback waits for its record."""
        return await self._call("monitoring.get_coverage", {"endpoint": endpoint, "workspace": workspace}, Coverage)

    async def get_drift(
        self, *, endpoint: str, workspace: str | None = None, deployment: str | None = None, limit: int | None = None
    ) -> Drift:
        """Show how far each input and the predictions have moved from the reference, with the history."""
        return await self._call(
            "monitoring.get_drift",
            {"endpoint": endpoint, "workspace": workspace, "deployment": deployment, "limit": limit},
            Drift,
        )

    async def get_endpoint_metrics(
        self, *, endpoint: str, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> EndpointMetrics:
        """Return requests per second, latencies and error rates of an endpoint, in all and by revision."""
        return await self._call(
            "monitoring.get_endpoint_metrics",
            {"endpoint": endpoint, "workspace": workspace, "window_s": window_s, "until": until},
            EndpointMetrics,
        )

    async def get_monitor(self, *, monitor: str, workspace: str | None = None) -> Monitor:
        """Show a monitor."""
        return await self._call("monitoring.get_monitor", {"monitor": monitor, "workspace": workspace}, Monitor)

    async def get_quality(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: str | None = None,
        limit: int | None = None,
    ) -> Quality:
        """Show how good the predictions were where the truth came back, with the history."""
        return await self._call(
            "monitoring.get_quality",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "limit": limit,
            },
            Quality,
        )

    async def get_recording(self, *, endpoint: str, workspace: str | None = None) -> Recording:
        """Show what is kept of an endpoint's requests, how much there is, and what was damaged."""
        return await self._call("monitoring.get_recording", {"endpoint": endpoint, "workspace": workspace}, Recording)

    async def get_rule(
        self, *, rule: str, workspace: str | None = None, expected_version: int | None = None
    ) -> AlertRule:
        """Show an alert rule."""
        return await self._call(
            "monitoring.get_rule",
            {"rule": rule, "workspace": workspace, "expected_version": expected_version},
            AlertRule,
        )

    async def get_shadow(
        self, *, endpoint: str, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> ShadowReport:
        """Compare the shadow of an endpoint with what was answered: labels, probabilities and time, on the same rows."""
        return await self._call(
            "monitoring.get_shadow",
            {"endpoint": endpoint, "workspace": workspace, "window_s": window_s, "until": until},
            ShadowReport,
        )

    async def list_alerts(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        state: Literal["FIRING", "ACKED", "RESOLVED"] | None = None,
        open: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Alert]:
        """List alerts, newest first."""
        return await self._call(
            "monitoring.list_alerts",
            {
                "workspace": workspace,
                "endpoint": endpoint,
                "state": state,
                "open": open,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Alert],
        )

    async def list_feedback(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        request_id: str | None = None,
        known: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Feedback]:
        """List feedback, newest first; with a request id also what was said before."""
        return await self._call(
            "monitoring.list_feedback",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "request_id": request_id,
                "known": known,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Feedback],
        )

    async def list_metrics(
        self, *, workspace: str | None = None, window_s: int | None = None, until: datetime | None = None
    ) -> list[EndpointMetrics]:
        """Return requests per second, latencies and error rates of every endpoint that had traffic, by name."""
        return await self._call(
            "monitoring.list_metrics",
            {"workspace": workspace, "window_s": window_s, "until": until},
            list[EndpointMetrics],
        )

    async def list_monitors(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Monitor]:
        """List monitors, one for each deployment."""
        return await self._call(
            "monitoring.list_monitors",
            {"workspace": workspace, "endpoint": endpoint, "limit": limit, "cursor": cursor},
            Page[Monitor],
        )

    async def list_records(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        revision: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        trace: str | None = None,
        origin: Literal["live", "batch"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[InferenceRecord]:
        """List inference records, newest first; who may not use monitoring sees no values."""
        return await self._call(
            "monitoring.list_records",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "revision": revision,
                "status": status,
                "request_id": request_id,
                "trace": trace,
                "origin": origin,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
            Page[InferenceRecord],
        )

    async def list_rules(
        self,
        *,
        workspace: str | None = None,
        endpoint: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AlertRule]:
        """List alert rules."""
        return await self._call(
            "monitoring.list_rules",
            {"workspace": workspace, "endpoint": endpoint, "limit": limit, "cursor": cursor},
            Page[AlertRule],
        )

    async def list_series(self, *, workspace: str | None = None) -> list[SeriesName]:
        """List the series of a workspace by name, with the labels by which they can be narrowed."""
        return await self._call("monitoring.list_series", {"workspace": workspace}, list[SeriesName])

    async def query_series(
        self,
        *,
        name: str,
        workspace: str | None = None,
        labels: list[str] | None = None,
        by: list[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        step_s: int | None = None,
    ) -> SeriesAnswer:
        """Return counters and histograms by name: counts, rates and quantiles per step of time."""
        return await self._call(
            "monitoring.query_series",
            {
                "name": name,
                "workspace": workspace,
                "labels": labels,
                "by": by,
                "since": since,
                "until": until,
                "step_s": step_s,
            },
            SeriesAnswer,
        )

    async def resolve_alert(
        self, *, alert: str, workspace: str | None = None, note: str | None = None, expected_version: int | None = None
    ) -> Alert:
        """Resolve an alert by hand; it fires again only when a later measurement breaks the rule."""
        return await self._call(
            "monitoring.resolve_alert",
            {"alert": alert, "workspace": workspace, "note": note, "expected_version": expected_version},
            Alert,
        )

    async def send_feedback(
        self, *, endpoint: str, labels: list[Label], workspace: str | None = None
    ) -> FeedbackReceipt:
        """Tell the truth about requests, by request id; the same label again changes nothing, another one replaces it."""
        return await self._call(
            "monitoring.send_feedback",
            {"endpoint": endpoint, "labels": labels, "workspace": workspace},
            FeedbackReceipt,
        )

    async def set_reference(
        self,
        *,
        endpoint: str,
        workspace: str | None = None,
        deployment: str | None = None,
        dataset: str | None = None,
        delta_version: int | None = None,
        rows: list[dict[str, Any]] | None = None,
        target: str | None = None,
        features: list[str] | None = None,
        baseline: dict[str, float] | None = None,
        positive: str | None = None,
    ) -> list[Monitor]:
        """Compare an endpoint's traffic with a dataset of the workspace, or with a sample of rows."""
        return await self._call(
            "monitoring.set_reference",
            {
                "endpoint": endpoint,
                "workspace": workspace,
                "deployment": deployment,
                "dataset": dataset,
                "delta_version": delta_version,
                "rows": rows,
                "target": target,
                "features": features,
                "baseline": baseline,
                "positive": positive,
            },
            list[Monitor],
        )
