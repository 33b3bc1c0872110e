"""Inference records, feedback, drift, live quality, series and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.monitoring.capability import CAPABILITY
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
    from aimass.monitoring.domain.monitors import (
        ChangeMonitor,
        Drift,
        EvaluateNow,
        Evaluation,
        GetDrift,
        GetMonitor,
        GetQuality,
        ListMonitors,
        Monitor,
        Quality,
        SetReference,
        UseReference,
    )
    from aimass.monitoring.domain.records import (
        Coverage,
        EraseRecords,
        Feedback,
        GetCoverage,
        GetRecording,
        InferenceRecord,
        Label,
        Labelled,
        LabelledRecords,
        ListFeedback,
        ListRecords,
        Recording,
        SendFeedback,
    )
    from aimass.monitoring.domain.series import EndpointMetrics, GetEndpointMetrics, QuerySeries, SeriesAnswer, Traffic
    from aimass.monitoring.errors import AlertClosed, NotWatched
    from aimass.monitoring.service.monitoring import Monitoring
    from aimass.monitoring.settings import MonitoringSettings

_ALERTS = "aimass.monitoring.domain.alerts"
_MONITORS = "aimass.monitoring.domain.monitors"
_RECORDS = "aimass.monitoring.domain.records"
_SERIES = "aimass.monitoring.domain.series"
__getattr__, __dir__ = door(
    __name__,
    {
        "Alert": _ALERTS,
        "AlertClosed": "aimass.monitoring.errors",
        "AlertRule": _ALERTS,
        "CAPABILITY": "aimass.monitoring.capability",
        "ChangeMonitor": _MONITORS,
        "ChangeRule": _ALERTS,
        "CloseAlert": _ALERTS,
        "Coverage": _RECORDS,
        "CreateRule": _ALERTS,
        "Drift": _MONITORS,
        "EndpointMetrics": _SERIES,
        "EraseRecords": _RECORDS,
        "EvaluateNow": _MONITORS,
        "Evaluation": _MONITORS,
        "Feedback": _RECORDS,
        "GetAlert": _ALERTS,
        "GetCoverage": _RECORDS,
        "GetDrift": _MONITORS,
        "GetEndpointMetrics": _SERIES,
        "GetMonitor": _MONITORS,
        "GetQuality": _MONITORS,
        "GetRecording": _RECORDS,
        "InferenceRecord": _RECORDS,
        "Label": _RECORDS,
        "Labelled": _RECORDS,
        "LabelledRecords": _RECORDS,
        "ListAlerts": _ALERTS,
        "ListFeedback": _RECORDS,
        "ListMonitors": _MONITORS,
        "ListRecords": _RECORDS,
        "ListRules": _ALERTS,
        "Monitor": _MONITORS,
        "Monitoring": "aimass.monitoring.service.monitoring",
        "MonitoringSettings": "aimass.monitoring.settings",
        "NotWatched": "aimass.monitoring.errors",
        "OneRule": _ALERTS,
        "Quality": _MONITORS,
        "QuerySeries": _SERIES,
        "Recording": _RECORDS,
        "SendFeedback": _RECORDS,
        "SeriesAnswer": _SERIES,
        "SetReference": _MONITORS,
        "Traffic": _SERIES,
        "UseReference": _MONITORS,
    },
)
__all__ = [
    "CAPABILITY",
    "Alert",
    "AlertClosed",
    "AlertRule",
    "ChangeMonitor",
    "ChangeRule",
    "CloseAlert",
    "Coverage",
    "CreateRule",
    "Drift",
    "EndpointMetrics",
    "EraseRecords",
    "EvaluateNow",
    "Evaluation",
    "Feedback",
    "GetAlert",
    "GetCoverage",
    "GetDrift",
    "GetEndpointMetrics",
    "GetMonitor",
    "GetQuality",
    "GetRecording",
    "InferenceRecord",
    "Label",
    "Labelled",
    "LabelledRecords",
    "ListAlerts",
    "ListFeedback",
    "ListMonitors",
    "ListRecords",
    "ListRules",
    "Monitor",
    "Monitoring",
    "MonitoringSettings",
    "NotWatched",
    "OneRule",
    "Quality",
    "QuerySeries",
    "Recording",
    "SendFeedback",
    "SeriesAnswer",
    "SetReference",
    "Traffic",
    "UseReference",
]
