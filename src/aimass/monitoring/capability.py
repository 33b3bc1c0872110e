"""The room monitoring announces itself."""

from __future__ import annotations

from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.capability import Capability, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.monitoring.events import ALL
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.settings import MonitoringSettings

_JOBS = "aimass.monitoring.jobs"
_FACES = "aimass.monitoring.console"

CAPABILITY = Capability(
    name="monitoring",
    title="Records, drift and alerts",
    requires=("access", "lake", "models"),
    permissions=("monitoring.read", "monitoring.use", "monitoring.edit", "monitoring.manage"),
    tables="aimass.monitoring.store.tables",
    build="aimass.monitoring.capability:build",
    service="aimass.monitoring.service.monitoring:Monitoring",
    console="aimass.monitoring.console:router",
    settings="aimass.monitoring.settings:MonitoringSettings",
    events={
        "serving.endpoint.created": f"{_JOBS}:on_endpoint",
        "serving.endpoint.changed": f"{_JOBS}:on_endpoint",
        "serving.endpoint.deleted": f"{_JOBS}:on_endpoint_deleted",
        "serving.revision.created": f"{_JOBS}:on_revision",
        "serving.deployment.removed": f"{_JOBS}:on_deployment_removed",
    },
    loops={
        "monitoring.collect": Loop(run=f"{_JOBS}:collect", every_s=0.5),
        "monitoring.look": Loop(run=f"{_JOBS}:look", every_s=1.0),
        "monitoring.keep": Loop(run=f"{_JOBS}:keep", every_s=600.0),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/operate/alerts",
            title="Alerts",
            place="operate",
            icon="bell",
            permission="monitoring.read",
            order=10,
        ),
        Place(
            path="/{workspace}/operate/metrics",
            title="Metrics",
            place="operate",
            icon="chart-line",
            permission="monitoring.read",
            order=20,
        ),
    ),
    panels={
        "services.figures": f"{_FACES}.figures:figures",
        "gateway.consumers": f"{_FACES}.figures:consumers",
        "gateway.route": f"{_FACES}.panels:route",
        "services.overview": f"{_FACES}.panels:overview",
        "services.shadow": f"{_FACES}.shadows:shadow",
        "services.drift": f"{_FACES}.panels:drift",
        "services.records": f"{_FACES}.panels:records",
        "services.record": f"{_FACES}.panels:record",
    },
    storage="aimass.monitoring.keeping:storage",
    going="aimass.monitoring.keeping:going",
    collect="aimass.monitoring.keeping:collect",
    attention=f"{_JOBS}:attention",
    erase=f"{_JOBS}:erase",
)


def build(registry: Registry) -> Monitoring:
    """Build the service."""
    ground = Ground(
        database=registry.get(Database),
        layout=registry.get(DataDir),
        child=registry.get(WarmChild),
        live=registry.get(LiveHub),
        settings=MonitoringSettings(),
    )
    return Monitoring(ground)
