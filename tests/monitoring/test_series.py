from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimass.kernel.errors import Invalid
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.series import GetEndpointMetrics, QuerySeries, Sample, quantile, total
from aimass.monitoring.domain.shadows import GetShadow
from aimass.monitoring.service import collect
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.store import series as table

CHURN = {"workspace": "demo", "endpoint": "churn"}
BOUNDS = (0.001, 0.01, 0.1, None)


def requests(value: int, code: str = "200", revision: str = "rev-1") -> dict[str, Any]:
    return {
        "name": "gateway_requests",
        "labels": {**CHURN, "code": code, "consumer": "shop", "revision": revision},
        "value": value,
    }


def latency(counts: tuple[int, ...], revision: str = "rev-1") -> dict[str, Any]:
    buckets = [[bound, n] for bound, n in zip(BOUNDS, counts, strict=True) if n]
    labels = {**CHURN, "revision": revision}
    return {
        "name": "gateway_latency_seconds",
        "labels": labels,
        "count": sum(counts),
        "sum": 0.005 * sum(counts),
        "buckets": buckets,
    }


@pytest.fixture
def told(service: Monitoring, write_segment: Any, clock: Any) -> Any:
    def tell(*points: dict[str, Any], ago_s: float = 5, worker: str = "w0") -> None:
        write_segment([{"t": clock.now().timestamp() - ago_s, "points": list(points)}], worker=worker, kind="series")
        service.collect()

    return tell


def test_increments_of_all_workers_add_up(service: Monitoring, told: Any) -> None:
    told(requests(7))
    told(requests(3), worker="w1")
    told(requests(5), ago_s=4)
    (line,) = service.query_series(
        SYSTEM, QuerySeries(workspace="demo", name="gateway_requests", labels=["endpoint=churn"])
    ).lines
    assert sum(point.count for point in line.points) == 15


def test_a_segment_counts_once_even_when_the_process_dies_before_the_file_goes(
    ground: Ground, write_segment: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_segment([{"t": clock.now().timestamp(), "points": [requests(7)]}], kind="series")
    with monkeypatch.context() as patch:
        patch.setattr(collect.Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Monitoring(ground).collect()
    service = Monitoring(ground)
    assert service.collect() == 1
    assert service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN)).total.requests == 7


def test_a_frame_that_makes_no_sense_is_named_and_counts_nothing(
    service: Monitoring, told: Any, write_segment: Any, clock: Any
) -> None:
    frames = [
        {"t": clock.now().timestamp(), "points": [requests(1), {"name": "x", "labels": {}, "value": -1}]},
        {"no": "series"},
    ]
    write_segment(frames, kind="series")
    told(requests(2))
    assert service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN)).total.requests == 2


def test_quantiles_come_from_the_histogram() -> None:
    buckets = {"0.001": 50, "0.01": 40, "0.1": 10}
    assert quantile(0.5, buckets) == pytest.approx(0.001)
    assert quantile(0.95, buckets) == pytest.approx(0.01 + 0.09 * 0.5)
    assert quantile(0.99, {"0.1": 1, "inf": 9}) == 0.1
    assert quantile(0.5, {}) is None


@example([1.0] * 5, 0.5)  # all on a bound, which ends its bucket
@given(st.lists(st.floats(0.0001, 9.9), min_size=5, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    bounds = [0.01, 0.1, 1.0, 10.0]
    counts = np.bincount(
        np.searchsorted(bounds, values, side="left"), minlength=len(bounds)
    )  # a bound is in its bucket
    found = quantile(share, {repr(b): int(n) for b, n in zip(bounds, counts, strict=True)})
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    low = max([0.0, *[b for b in bounds if b < exact]])  # the bucket of 1.0 begins behind 0.1
    high = min(b for b in bounds if b >= exact)
    assert found is not None
    assert low - 1e-9 <= found <= high + 1e-9


def test_samples_add_up_in_any_order() -> None:
    parts = [Sample(count=1, sum=0.5, buckets={"1.0": 1}), Sample(count=2, sum=3.0, buckets={"inf": 2}), Sample()]
    assert total(parts) == total(reversed(parts)) == Sample(count=3, sum=3.5, buckets={"1.0": 1, "inf": 2})


def test_traffic_is_told_in_all_and_by_revision(service: Monitoring, told: Any) -> None:
    told(requests(90), requests(6, code="503"), requests(4, code="400"), requests(10, revision="rev-2"))
    told(latency((50, 40, 10, 0)), latency((10, 0, 0, 0), revision="rev-2"))
    found = service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN, window_s=60))
    assert (found.total.requests, found.total.errors, found.total.refused) == (110, 6, 4)
    assert found.total.rps == pytest.approx(110 / 60)
    first, second = found.revisions
    assert (first.error_rate, first.p50_ms) == (0.06, pytest.approx(1.0))
    assert (second.revision, second.requests, second.error_rate) == ("rev-2", 10, 0.0)


def test_what_is_older_than_the_window_does_not_count(service: Monitoring, told: Any) -> None:
    told(requests(100), ago_s=600)
    told(requests(1))
    assert service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN, window_s=300)).total.requests == 1


def test_an_endpoint_without_traffic_has_no_rates(service: Monitoring) -> None:
    found = service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN))
    assert (found.total.requests, found.total.error_rate, found.total.p95_ms, found.revisions) == (0, None, None, [])


def test_requests_that_another_answered_are_errors_of_the_one_that_failed(service: Monitoring, told: Any) -> None:
    labels = {"workspace": "demo", "endpoint": "churn"}
    saved = {**labels, "revision": "rev-2", "reason": "timeout", "to": "champion"}
    told(requests(30, revision="rev-1"), requests(8, revision="rev-2"))
    told({"name": "gateway_fallback", "labels": saved, "value": 2})
    found = service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(workspace="demo", endpoint="churn", window_s=300))
    canary = next(line for line in found.revisions if line.revision == "rev-2")
    assert (canary.requests, canary.rescued, canary.errors, canary.error_rate) == (10, 2, 2, 0.2)
    assert (found.total.requests, found.total.rescued, found.total.errors) == (38, 2, 0)


def test_a_shadow_is_told_with_its_interval_and_its_differences(service: Monitoring, told: Any) -> None:
    pair = {"workspace": "demo", "endpoint": "churn", "revision": "rev-1", "shadow": "rev-2"}
    for outcome, rows in (("same", 180), ("differs", 20), ("failed", 3)):
        told({"name": "gateway_shadow_rows", "labels": {**pair, "outcome": outcome}, "value": rows})
    far = {"count": 200, "sum": 2.0, "buckets": [[0.01, 190], [0.2, 10]]}
    told({"name": "gateway_shadow_difference", "labels": pair, **far})
    for role, seconds in (("given", 0.2), ("shadow", 0.6)):
        slow = {"count": 200, "sum": seconds, "buckets": [[0.005, 200]]}
        told({"name": "gateway_shadow_seconds", "labels": {**pair, "role": role}, **slow})
    (one,) = service.get_shadow(SYSTEM, GetShadow(workspace="demo", endpoint="churn", window_s=300)).shadows
    assert (one.rows, one.differing, one.failed, one.share) == (200, 20, 3, 0.1)
    assert one.share_low is not None
    assert one.share_low < 0.1 < (one.share_high or 0)
    assert (one.mean_difference, one.max_difference) == (0.01, 0.2)
    assert one.latency_difference_ms == pytest.approx(2.0)
    assert service.get_shadow(SYSTEM, GetShadow(workspace="demo", endpoint="other")).shadows == []


def test_lines_are_put_together_by_the_labels_that_are_wanted(service: Monitoring, told: Any) -> None:
    told(requests(5), requests(2, code="503"), requests(1, code="503", revision="rev-2"))
    found = service.query_series(SYSTEM, QuerySeries(workspace="demo", name="gateway_requests", by=["code"]))
    assert {line.labels["code"]: sum(p.count for p in line.points) for line in found.lines} == {"200": 5, "503": 3}


def test_old_buckets_become_coarser_and_lose_no_count(
    service: Monitoring, ground: Ground, told: Any, clock: Any
) -> None:
    for second in range(0, 120, 10):
        told(requests(1), latency((1, 0, 0, 0)), ago_s=second)
    clock.forward(7 * 3600)
    service.keep()
    assert steps(ground) == {60}
    clock.forward(8 * 86_400)
    service.keep()
    assert steps(ground) == {3600}
    day = QuerySeries(workspace="demo", name="gateway_requests", since=clock.now() - timedelta(days=30), step_s=86_400)
    assert sum(p.count for line in service.query_series(SYSTEM, day).lines for p in line.points) == 12
    clock.forward(500 * 86_400)
    service.keep()
    assert steps(ground) == set()


def steps(ground: Ground) -> set[int]:
    with ground.database.read() as conn:
        return set(conn.execute(table.select(table.series.c.step_s)).scalars())


@pytest.mark.parametrize(
    ("wish", "field"),
    [({"labels": ["endpoint"]}, "labels"), ({"step_s": 10, "since_days": 90}, "step_s"), ({"since_days": -1}, "since")],
)
def test_a_query_that_cannot_be_answered_is_refused(
    service: Monitoring, clock: Any, wish: dict[str, Any], field: str
) -> None:
    days = wish.pop("since_days", None)
    since = {} if days is None else {"since": clock.now() - timedelta(days=days)}
    with pytest.raises(Invalid) as refused:
        service.query_series(SYSTEM, QuerySeries(workspace="demo", name="x", **wish, **since))
    assert refused.value.field == field
