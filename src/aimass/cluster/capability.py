"""The room cluster announces itself."""

from __future__ import annotations

from aimass.cluster.erasing import Erasing
from aimass.cluster.events import ALL
from aimass.cluster.jobs import Runner
from aimass.cluster.kept import Kept
from aimass.cluster.service import Ground, Jobs
from aimass.cluster.settings import ClusterSettings
from aimass.infra.blobs import Blobs
from aimass.infra.compute import Compute
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.infra.tables import TablesGrant
from aimass.kernel.capability import Capability, JobKinds, Loop, Place
from aimass.kernel.registry import Registry

CAPABILITY = Capability(
    name="cluster",
    title="Jobs and nodes",
    requires=("access",),
    permissions=("cluster.read", "cluster.use", "cluster.edit", "cluster.manage"),
    tables="aimass.cluster.store",
    build="aimass.cluster.capability:build",
    service="aimass.cluster.service:Jobs",
    api="aimass.cluster.api:router",
    console="aimass.cluster.console:router",
    settings="aimass.cluster.settings:ClusterSettings",
    events={
        "messaging.schedule.fired": "aimass.cluster.jobs:start_scheduled",
        "access.workspace.deleted": "aimass.cluster.jobs:on_workspace_deleted",
    },
    loops={
        "cluster.run": Loop(run="aimass.cluster.jobs:run_once", every_s=0.1),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/work/jobs",
            title="Jobs",
            place="work",
            icon="activity",
            permission="cluster.read",
            order=20,
        ),
        Place(
            path="/{workspace}/operate/nodes",
            title="Nodes",
            place="operate",
            icon="server",
            permission="cluster.read",
            order=10,
        ),
    ),
    storage="aimass.cluster.keeping:storage",
    going="aimass.cluster.keeping:going",
    collect="aimass.cluster.keeping:collect",
    blobs="aimass.cluster.keeping:blobs",
    erase="aimass.cluster.erasing:erase",
    attention="aimass.cluster.jobs:attention",
    search="aimass.cluster.search:document",
)


def build(registry: Registry) -> Jobs:
    """Build the service, and the runner that moves the jobs."""
    ground = Ground(
        database=registry.get(Database),
        compute=registry.get(Compute),
        kinds=registry.get(JobKinds),
        live=registry.get(LiveHub),
        settings=ClusterSettings(),
        blobs=registry.get(Blobs),
        tables=registry.get(TablesGrant) if registry.has(TablesGrant) else TablesGrant(),
    )
    ground.kinds.check()
    registry.put(Runner, Runner(registry, ground))
    registry.put(Kept, Kept(ground))
    registry.put(Erasing, Erasing(ground))
    return Jobs(ground)
