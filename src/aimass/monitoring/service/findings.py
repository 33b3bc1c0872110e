"""Read kept findings back: drift and quality as the use cases show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from aimass.kernel.clock import parse_instant
from aimass.monitoring.domain.monitors import Drift, DriftPoint, FeatureDrift, Measured, Quality, QualityPoint


def drift_of(monitor: Row[Any], row: Row[Any], history: Sequence[Any] = ()) -> Drift:
    """Read a comparison."""
    found = row.found
    prediction = found.get("prediction")
    return Drift(
        monitor=monitor.id,
        endpoint=monitor.endpoint,
        deployment=monitor.deployment,
        revision=row.revision,
        model=row.model,
        model_version=row.model_version,
        computed_at=row.at,
        rows=row.rows,
        reference_rows=found["reference_rows"],
        since=parse_instant(found["since"]) if found["since"] else None,
        until=parse_instant(found["until"]) if found["until"] else None,
        max_psi=row.max_psi,
        features=[FeatureDrift(**feature) for feature in found["features"]],
        prediction=FeatureDrift(**prediction) if prediction else None,
        misfits=found.get("misfits", 0),
        unwatched=found.get("unwatched", []),
        history=[
            DriftPoint(at=p.at, rows=p.rows, max_psi=p.max_psi, feature=p.feature, prediction_psi=p.prediction_psi)
            for p in history
        ],
    )


def quality_of(monitor: Row[Any], row: Row[Any], history: Sequence[Any] = ()) -> Quality:
    """Read a measurement of quality."""
    found = row.found
    return Quality(
        monitor=monitor.id,
        endpoint=monitor.endpoint,
        deployment=monitor.deployment,
        revision=row.revision,
        model=row.model,
        model_version=row.model_version,
        computed_at=row.at,
        rows=row.rows,
        since=parse_instant(found["since"]) if found["since"] else None,
        until=parse_instant(found["until"]) if found["until"] else None,
        classes=found["classes"],
        positive=found["positive"],
        labels=found["labels"],
        confusion=found.get("confusion", []),
        metrics={name: Measured(**value) for name, value in found["metrics"].items()},
        baseline=monitor.baseline,
        rewards={name: Measured(**value) for name, value in found.get("rewards", {}).items()},
        history=[
            QualityPoint(
                at=p.at, rows=p.rows, metrics={name: value["value"] for name, value in p.found["metrics"].items()}
            )
            for p in history
        ],
    )
