"""The room serving announces itself."""

from __future__ import annotations

from aimass.access import Access
from aimass.cluster import Jobs
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.capability import Capability, JobKind, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.lake import Lake
from aimass.models import Models
from aimass.serving.events import ALL
from aimass.serving.library import ModelLibrary
from aimass.serving.service.ground import Ground
from aimass.serving.service.serving import Serving
from aimass.serving.settings import ServingSettings, local_url
from aimass.serving.trying import Tryouts
from aimass.serving.workers.kept import KeptWorkers
from aimass.serving.workers.pool import WorkerPool

CAPABILITY = Capability(
    name="serving",
    title="Services",
    requires=("access", "cluster", "lake", "models"),
    permissions=("serving.read", "serving.use", "serving.edit", "serving.manage"),
    tables="aimass.serving.store.tables",
    build="aimass.serving.capability:build",
    service="aimass.serving.service.serving:Serving",
    console="aimass.serving.console:router",
    settings="aimass.serving.settings:ServingSettings",
    jobs={
        "serving.score": JobKind(
            on_tables=True,
            run="aimass.serving.children.score:score",
            done="aimass.serving.jobs:scored",
            failed="aimass.serving.jobs:not_scored",
            by_schedule=True,
            order="aimass.serving.jobs:order_scoring",
            check="aimass.serving.jobs:check_scoring",
        ),
    },
    events={
        "models.alias.changed": "aimass.serving.jobs:follow_alias",
        "serving.endpoint.*": "aimass.serving.jobs:index",
    },
    kinds={"endpoint": "aimass.serving.specs:ENDPOINT"},
    loops={
        "serving.reconcile": Loop(run="aimass.serving.jobs:reconcile", every_s=0.2),
        "serving.tidy": Loop(run="aimass.serving.jobs:tidy", every_s=60.0),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/services",
            title="Services",
            place="services",
            icon="rocket",
            permission="serving.read",
            order=10,
        ),
        Place(
            path="/{workspace}/work/scorings",
            title="Scorings",
            place="work",
            icon="table-2",
            permission="serving.read",
            order=35,
        ),
    ),
    panels={"models.usage": "aimass.serving.console.used:usage_panel"},
    blobs="aimass.serving.keeping:blobs",
    storage="aimass.serving.keeping:storage",
    going="aimass.serving.keeping:going",
    collect="aimass.serving.keeping:collect",
    erase="aimass.serving.erasing:erase",
    attention="aimass.serving.jobs:attention",
    doctor="aimass.serving.jobs:doctor",
)


def build(registry: Registry) -> Serving:
    """Build the service, and whoever keeps the isolated workers."""
    settings, layout = ServingSettings(), registry.get(DataDir)
    keeps = KeptWorkers if settings.workers == "kept" else WorkerPool
    workers = keeps(layout, drain_s=settings.drain_s, spares=settings.spares)
    tryouts = Tryouts(access=registry.get(Access), url=local_url)
    registry.put(type(workers), workers)
    registry.put(Tryouts, tryouts)
    ground = Ground(
        database=registry.get(Database),
        library=ModelLibrary(registry.get(Models)),
        workers=workers,
        layout=layout,
        tryouts=tryouts,
        lake=registry.get(Lake),
        jobs=registry.get(Jobs),
        live=registry.get(LiveHub),
        settings=settings,
    )
    return Serving(ground)
