"""The page that shows every component: for those who write pages, and for the tests that look at them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import Response

from aimass.kernel.errors import Invalid
from aimass.web.ways import Way

if TYPE_CHECKING:
    from aimass.web.visit import PageVisit

SAMPLE_WAY = Way(
    operation="serving.deploy",
    method="POST",
    path="/api/v1/workspaces/{workspace}/deployments",
    texts=[
        ("REST", 'curl -X POST "$AIMASS_URL/api/v1/workspaces/demo/deployments"'),
        ("CLI", "aimass deploy churn@champion --endpoint churn --workspace demo"),
        ("SDK", 'client.serving.deploy(workspace="demo", model="churn", alias="champion", endpoint="churn")'),
    ],
)
PARTS = {"kit-rows": "partials/kit_rows.html"}
ROWS = (
    ("churn", "LightGBM", "READY", 0.8471, 5_632, 2),
    ("visits-forecast", "Ridge", "PENDING", 0.7719, 91_204, 1),
    ("基金推荐 ranking", "Gradient boosting", "FAILED", 0.6934, 1_250_000, 0),
    ("footfall-count", "Random forest", "READY", 0.9102, 24_117, 4),
)


def kit_page(visit: PageVisit) -> Response:
    """Render the page of all components, or its rows when the filter asks."""
    query = visit.request.query_params.get("q", "")
    rows = [row for row in ROWS if query.lower() in row[0].lower()]
    now = visit.console.setup.clock.now()
    sort = visit.request.query_params.get("sort", "")
    if sort:
        rows.sort(key=lambda row: row[3] if sort.endswith("score") else row[0], reverse=sort.startswith("-"))
    return visit.render(
        "pages/kit.html",
        parts=PARTS,
        q=query,
        rows=rows,
        now=now,
        charts=charts(now),
        history=history(now),
        graph=graph(),
        sample_way=SAMPLE_WAY,
    )


def refused_form() -> Response:
    """Refuse the sample form, so that the page shows an error at its field."""
    raise Invalid("the name 'A b' is not allowed", field="name", value="A b", hint="use small letters, digits and '-'")


def log_lines(after: int) -> dict[str, Any]:
    """Return the sample log."""
    texts = [
        ("info", "read 7,043 rows from telco-churn v1"),
        ("info", "split: 4,225 train, 704 validation, 1,057 test, 1,057 future (seed 17)"),
        ("debug", "column TotalCharges: 11 blanks"),
        ("warning", "TotalCharges: 11 rows went to quarantine"),
        ("info", "fold 1 of 5: roc_auc 0.8493"),
        ("info", "fold 2 of 5: roc_auc 0.8447"),
        ("error", "fold 3 of 5: the worker was killed; it is started again from its checkpoint"),
        ("info", "fold 3 of 5: roc_auc 0.8471"),
    ]
    lines = [
        {"n": n, "at": f"2026-05-01T12:00:{n:02d}.120Z", "level": level, "text": text}
        for n, (level, text) in enumerate(texts, start=1)
        if n > after
    ]
    return {"lines": lines, "done": True}


def charts(now: datetime) -> list[dict[str, Any]]:
    """Return one sample of each kind of chart."""
    start = now.timestamp() - 3_600
    fall = [[n, 0.6 * math.exp(-n / 12) + 0.31 + 0.012 * math.sin(n)] for n in range(1, 61)]
    seen = [[n, 0.55 * math.exp(-n / 10) + 0.36 + 0.0006 * n] for n in range(1, 61)]
    waves = {
        name: [[start + n * 60, base * (1 + 0.18 * math.sin(n / 5))] for n in range(60)]
        for name, base in (("p50", 0.004), ("p95", 0.011), ("p99", 0.021))
    }
    curve = [[x / 40, (x / 40) ** 0.32] for x in range(41)]
    recall = [[x / 40, 1 - 0.62 * (x / 40) ** 2.4] for x in range(41)]
    day = 86_400
    return [
        {"kind": "line", "title": "Loss", "unit": "", "data": {"x": "epoch", "series": [{"name": "train", "points": fall}, {"name": "validation", "points": seen, "dashed": True}], "best": seen[27]}},
        {"kind": "latency", "title": "Latency", "unit": "", "data": {"series": [{"name": k, "points": v} for k, v in waves.items()], "objective": 0.025, "marks": [{"x": start + 1_500, "text": "v2", "tone": "info"}]}},
        {"kind": "roc", "title": "ROC", "unit": "", "data": {"curves": [{"name": "test", "points": curve, "auc": 0.8471, "threshold": curve[9]}]}},
        {"kind": "pr", "title": "Precision and recall", "unit": "", "data": {"curves": [{"name": "test", "points": recall, "ap": 0.6612}], "base": 0.2654}},
        {"kind": "calibration", "title": "Calibration", "unit": "", "data": {"curves": [{"name": "test", "points": [[p / 10, min(1, (p / 10) ** 1.12)] for p in range(1, 10)]}]}},
        {"kind": "confusion", "title": "Confusion matrix", "unit": "rows", "data": {"labels": ["No", "Yes"], "counts": [[692, 84], [122, 159]]}},
        {"kind": "bars", "title": "Importance", "unit": "permutation", "data": {"items": [{"name": "Contract", "value": 0.0712}, {"name": "tenure", "value": 0.0489}, {"name": "MonthlyCharges", "value": 0.0311}, {"name": "OnlineSecurity", "value": 0.012}, {"name": "gender", "value": -0.0008}]}},
        {"kind": "psi", "title": "Drift", "unit": "PSI", "data": {"items": [{"name": "Contract", "value": 0.341}, {"name": "MonthlyCharges", "value": 0.162}, {"name": "tenure", "value": 0.048}, {"name": "gender", "value": 0.002}]}},
        {"kind": "histograms", "title": "MonthlyCharges", "unit": "", "data": {"bins": ["18–35", "35–52", "52–69", "69–86", "86–103", "103–120"], "reference": [320, 210, 240, 380, 290, 110], "current": [90, 110, 180, 310, 420, 260]}},
        {"kind": "status", "title": "In production", "unit": "", "data": {"rows": [{"name": "champion", "spans": [{"from": now.timestamp() - 9 * day, "to": now.timestamp() - 4 * day, "tone": "c1", "text": "v1"}, {"from": now.timestamp() - 4 * day, "to": now.timestamp(), "tone": "c2", "text": "v2"}]}, {"name": "canary", "spans": [{"from": now.timestamp() - 5 * day, "to": now.timestamp() - 4 * day, "tone": "c2", "text": "v2"}]}]}},
        {"kind": "heat", "title": "Requests by hour", "unit": "", "data": {"x": [f"{h:02d}" for h in range(24)], "y": ["Mon", "Tue", "Wed", "Thu", "Fri"], "values": [[round(40 + 30 * math.sin((h - 6) / 24 * 6.28) + 4 * d) for h in range(24)] for d in range(5)]}},
        {"kind": "line", "title": "Nothing yet", "unit": "", "data": {"x": "step", "series": []}},
    ]  # fmt: skip


def history(now: datetime) -> list[dict[str, Any]]:
    """Return a sample history."""
    return [
        {"tone": "ok", "icon": "rocket", "title": "eve promoted churn v2", "sub": "canary 10 % for 20 m, errors 0.02 %, p95 11 ms", "when": now - timedelta(minutes=4)},
        {"tone": "warn", "icon": "activity", "title": "drift on Contract: PSI 0.34", "when": now - timedelta(hours=3)},
        {"tone": "bad", "icon": "circle-alert", "title": "run lightgbm-17 failed", "sub": "the worker was killed twice", "when": now - timedelta(hours=5)},
        {"tone": "mute", "icon": "database", "title": "telco-churn v1 was collected", "when": now - timedelta(days=2)},
    ]  # fmt: skip


def graph() -> dict[str, Any]:
    """Return a sample lineage graph."""
    names = [
        ("csv", "source", "telco.csv"),
        ("v1", "dataset version", "telco-churn v1"),
        ("rf", "run", "random-forest"),
        ("gb", "run", "lightgbm"),
        ("m1", "model version", "churn v1"),
        ("ep", "endpoint", "churn"),
    ]
    nodes = [{"id": i, "kind": kind, "title": title, "href": "/console/_kit"} for i, kind, title in names]
    return {
        "focus": "m1",
        "nodes": nodes,
        "edges": [["csv", "v1"], ["v1", "rf"], ["v1", "gb"], ["gb", "m1"], ["m1", "ep"]],
    }
