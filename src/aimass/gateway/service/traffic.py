"""What the workers have seen of a route, its instances and its callers, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from aimass.gateway.domain.routes import ConsumerTraffic, InstanceTraffic, RouteTraffic, percentile
from aimass.gateway.plane.metrics import BOUNDS, FEW_BOUNDS


def traffic_of(row: Row[Any], servers: Sequence[Row[Any]], told: Sequence[Mapping[str, Any]]) -> RouteTraffic:
    """Add up what the workers tell."""
    name = f"{row.workspace}/{row.route}"
    seen = [one["routes"][name] for one in told if name in one["routes"]]
    return RouteTraffic(
        route=row.route,
        requests=sum(one[0] for one in seen),
        errors=sum(one[1] for one in seen),
        refused=sum(one[2] for one in seen),
        in_flight=sum(one[3] for one in seen),
        waiting=sum(one[5] for one in seen),
        fallbacks=sum(one[6] for one in seen),
        cache_hits=sum(one[7] for one in seen),
        cache_misses=sum(one[8] for one in seen),
        **_percentiles(BOUNDS, [one[4] for one in seen]),
        instances=[_instance_traffic(one, told) for one in servers],
        consumers=_consumers([one[9] for one in seen]),
    )


def _consumers(seen: Sequence[Mapping[str, Sequence[Any]]]) -> list[ConsumerTraffic]:
    """Add up who called, who called most first."""
    found: dict[str, list[Sequence[Any]]] = {}
    for told in seen:
        for name, one in told.items():
            found.setdefault(name, []).append(one)
    added = [_consumer(name, each) for name, each in found.items()]
    return sorted(added, key=lambda one: (-one.requests, one.consumer))


def _consumer(name: str, seen: Sequence[Sequence[Any]]) -> ConsumerTraffic:
    last = max(one[3] for one in seen)
    return ConsumerTraffic(
        consumer=name,
        requests=sum(one[0] for one in seen),
        errors=sum(one[1] for one in seen),
        in_flight=sum(one[2] for one in seen),
        **_percentiles(FEW_BOUNDS, [one[4] for one in seen]),
        cache_hits=sum(one[5] for one in seen),
        last_seen=datetime.fromtimestamp(last, UTC) if last else None,
    )


def _percentiles(bounds: Sequence[float], seen: Sequence[Sequence[int]]) -> dict[str, float | None]:
    """Return the percentiles of what several workers counted."""
    counts = [sum(column) for column in zip(*seen, strict=True)] or [0] * (len(bounds) + 1)
    return {f"p{n}_s": percentile(bounds, counts, n / 100) for n in (50, 95, 99)}


def _instance_traffic(row: Row[Any], told: Sequence[Mapping[str, Any]]) -> InstanceTraffic:
    key = f"{row.workspace}/{row.upstream}/{row.id}"
    seen = [one["instances"][key] for one in told if key in one["instances"]]
    return InstanceTraffic(
        instance=row.id,
        url=row.url,
        requests=sum(one[0] for one in seen),
        errors=sum(one[1] for one in seen),
        in_flight=sum(one[2] for one in seen),
        answer_s=max((one[3] for one in seen), default=0.0),
        **_percentiles(FEW_BOUNDS, [one[5] for one in seen]),
        states=dict(Counter(str(one[4]) for one in seen)),
    )
