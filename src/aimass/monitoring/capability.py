"""The room monitoring announces itself."""

from __future__ import annotations

from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.capability import Capability, Loop
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.monitoring.events import ALL
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.settings import MonitoringSettings

_JOBS = "aimass.monitoring.jobs"

CAPABILITY = Capability(
    name="monitoring",
    title="Records, drift and alerts",
    requires=("access", "lake", "models"),
    permissions=("monitoring.read", "monitoring.use", "monitoring.edit", "monitoring.manage"),
    tables="aimass.monitoring.store.tables",
    build="aimass.monitoring.capability:build",
    service="aimass.monitoring.service.monitoring:Monitoring",
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
