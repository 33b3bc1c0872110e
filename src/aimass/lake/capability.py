"""The room lake announces itself."""

from __future__ import annotations

from aimass.cluster import Jobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.kernel.capability import Capability, JobKind, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.lake.events import ALL
from aimass.lake.service.ground import Ground
from aimass.lake.service.lake import Lake

CAPABILITY = Capability(
    name="lake",
    title="Datasets",
    requires=("cluster",),
    permissions=("lake.read", "lake.use", "lake.edit", "lake.manage"),
    tables="aimass.lake.tables",
    build="aimass.lake.capability:build",
    service="aimass.lake.service.lake:Lake",
    api="aimass.lake.api:router",
    jobs={
        "lake.make_version": JobKind(run="aimass.lake.children.make:make", done="aimass.lake.jobs:made"),
        "lake.join_features": JobKind(
            run="aimass.lake.children.join:join", done="aimass.lake.jobs:joined", failed="aimass.lake.jobs:not_joined"
        ),
        "lake.upkeep": JobKind(run="aimass.lake.children.maintain:upkeep"),
    },
    storage="aimass.lake.keeping:storage",
    going="aimass.lake.keeping:going",
    collect="aimass.lake.keeping:collect",
    events={"access.workspace.purged": "aimass.lake.jobs:on_workspace_purged"},
    search="aimass.lake.search:document",
    attention="aimass.lake.jobs:attention",
    erase="aimass.lake.jobs:erase",
    doctor="aimass.lake.jobs:doctor",
    console="aimass.lake.console:router",
    pages=(
        Place(
            path="/{workspace}/data", title="Datasets", place="data", icon="database", permission="lake.read", order=10
        ),
    ),
    kinds={"dataset": "aimass.lake.specs:DATASET", "feature-view": "aimass.lake.feature_specs:FEATURE_VIEW"},
    emits=ALL,
)


def build(registry: Registry) -> Lake:
    """Build the service."""
    ground = Ground(
        database=registry.get(Database),
        jobs=registry.get(Jobs),
        warm=registry.get(WarmChild),
        folder=registry.get(DataDir).lake,
    )
    return Lake(ground)
