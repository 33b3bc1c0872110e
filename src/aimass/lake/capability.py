"""The room lake announces itself."""

from __future__ import annotations

from aimass.access import Access
from aimass.cluster import Jobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.secrets import Secrets
from aimass.kernel.capability import Capability, JobKind, Loop, Place
from aimass.kernel.counters import Counters
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.lake.events import ALL
from aimass.lake.running import Running
from aimass.lake.service.ground import Ground
from aimass.lake.service.lake import Lake
from aimass.lake.settings import LakeSettings

METRICS = {
    "lake_queries": "Queries that ended, by how (state).",
    "lake_view_refreshes": "Refreshes of views that ended, by how (state).",
}
CAPABILITY = Capability(
    name="lake",
    title="Datasets",
    requires=("access", "cluster"),
    permissions=("lake.read", "lake.use", "lake.edit", "lake.manage"),
    tables="aimass.lake.tables",
    build="aimass.lake.capability:build",
    service="aimass.lake.service.lake:Lake",
    api="aimass.lake.api:router",
    jobs={
        "lake.make_version": JobKind(
            on_tables=True,
            run="aimass.lake.children.make:make",
            done="aimass.lake.jobs:made",
            private=("describe", "version"),
            ready="aimass.lake.jobs:ready_to_make",
        ),
        "lake.join_features": JobKind(
            on_tables=True,
            run="aimass.lake.children.join:join",
            done="aimass.lake.jobs:joined",
            failed="aimass.lake.jobs:not_joined",
            private=("describe", "version"),
            ready="aimass.lake.jobs:ready_to_join",
        ),
        "lake.materialise": JobKind(
            on_tables=True,
            run="aimass.lake.children.newest:materialise",
            done="aimass.lake.jobs:values_computed",
            failed="aimass.lake.jobs:values_not_computed",
            by_schedule=True,
            order="aimass.lake.jobs:order_materialising",
            check="aimass.lake.jobs:check_materialising",
        ),
        "lake.refresh_view": JobKind(
            on_tables=True,
            run="aimass.lake.children.view:refresh",
            done="aimass.lake.jobs:view_refreshed",
            failed="aimass.lake.jobs:view_not_refreshed",
            private=("describe", "version", "inherited"),
            by_schedule=True,
            order="aimass.lake.jobs:order_refresh",
            check="aimass.lake.jobs:check_refresh",
            ready="aimass.lake.jobs:ready_to_refresh",
        ),
        "lake.upkeep": JobKind(
            run="aimass.lake.children.maintain:upkeep",
            on_tables=True,
            done="aimass.lake.jobs:tended",
        ),
    },
    storage="aimass.lake.keeping:storage",
    going="aimass.lake.keeping:going",
    collect="aimass.lake.keeping:collect",
    events={
        "access.workspace.purged": "aimass.lake.jobs:on_workspace_purged",
        "lake.version.created": "aimass.lake.jobs:on_version_created",
    },
    loops={
        "lake.online": Loop(run="aimass.lake.jobs:store_values", every_s=0.5),
        "lake.compare": Loop(run="aimass.lake.jobs:compare_values", every_s=300.0),
        "lake.views": Loop(run="aimass.lake.jobs:refresh_views", every_s=2.0),
        "lake.tend": Loop(run="aimass.lake.jobs:tend", every_s=300.0),
    },
    search="aimass.lake.search:document",
    attention="aimass.lake.jobs:attention",
    erase="aimass.lake.jobs:erase",
    doctor="aimass.lake.jobs:doctor",
    console="aimass.lake.console:router",
    pages=(
        Place(
            path="/{workspace}/data", title="Datasets", place="data", icon="database", permission="lake.read", order=10
        ),
        Place(
            path="/{workspace}/queries",
            title="Queries",
            place="data",
            icon="square-terminal",
            permission="lake.read",
            order=12,
        ),
        Place(path="/{workspace}/views", title="Views", place="data", icon="eye", permission="lake.read", order=13),
        Place(
            path="/{workspace}/features",
            title="Features",
            place="data",
            icon="layers",
            permission="lake.read",
            order=15,
        ),
        Place(
            path="/{workspace}/sharing", title="Sharing", place="data", icon="share-2", permission="lake.read", order=60
        ),
    ),
    panels={"models.lineage": "aimass.lake.console.features:views_panel"},
    kinds={
        "dataset": "aimass.lake.specs:DATASET",
        "feature-view": "aimass.lake.feature_specs:FEATURE_VIEW",
        "query": "aimass.lake.saved_specs:QUERY",
        "view": "aimass.lake.view_specs:VIEW",
    },
    emits=ALL,
    settings="aimass.lake.settings:LakeSettings",
    metrics=METRICS,
)


def build(registry: Registry) -> Lake:
    """Build the service."""
    settings, counters = LakeSettings(), registry.get(Counters)
    counters.declare(METRICS)
    ground = Ground(
        database=registry.get(Database),
        jobs=registry.get(Jobs),
        warm=registry.get(WarmChild),
        access=registry.get(Access),
        secrets=registry.get(Secrets),
        folder=registry.get(DataDir).lake,
        address=registry.get(Access).token_issuer,
        settings=settings,
        counters=counters,
        running=Running(most=settings.query_slots, most_each=settings.query_slots_each, waiting=settings.query_waiting),
    )
    return Lake(ground)
