"""The room overview announces itself."""

from __future__ import annotations

from aimass.kernel.capability import Capability

CAPABILITY = Capability(
    name="apps.overview",
    title="Overview",
    requires=("access", "cluster", "lake", "models", "training", "serving", "monitoring", "lifecycle"),
    build="aimass.apps.overview.service.overview:build",
    service="aimass.apps.overview.service.overview:Overview",
    events={"*": "aimass.apps.overview.jobs:on_event"},
)
