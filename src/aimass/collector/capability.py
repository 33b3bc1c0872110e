"""The room collector announces itself."""

from __future__ import annotations

from aimass.access import Access
from aimass.cluster import Jobs
from aimass.collector.events import ALL
from aimass.collector.service.collector import Collector
from aimass.collector.service.ground import Ground
from aimass.collector.service.inboxes import Inboxes
from aimass.infra.blobs import Blobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.secrets import Secrets
from aimass.kernel.capability import Capability, JobKind, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.lake import Lake

CAPABILITY = Capability(
    name="collector",
    title="Sources and collections",
    requires=("access", "cluster", "lake"),
    permissions=("collector.read", "collector.use", "collector.edit", "collector.manage"),
    tables="aimass.collector.store",
    build="aimass.collector.capability:build",
    service="aimass.collector.service.collector:Collector",
    api="aimass.collector.api:router",
    settings="aimass.collector.settings:CollectorSettings",
    jobs={
        "collector.collect": JobKind(
            on_tables=True,
            run="aimass.collector.children.collect:collect",
            done="aimass.collector.jobs:collected",
            failed="aimass.collector.jobs:not_collected",
            private=("describe", "version"),
        ),
        "collector.load": JobKind(
            on_tables=True,
            run="aimass.collector.children.loading:load",
            done="aimass.collector.jobs:collected",
            failed="aimass.collector.jobs:not_collected",
            private=("describe", "version"),
            secrets="aimass.collector.jobs:confide",
            by_schedule=True,
            order="aimass.collector.jobs:order_load",
            check="aimass.collector.jobs:check_load",
        ),
        "collector.replay": JobKind(
            on_tables=True,
            run="aimass.collector.children.replay:replay",
            done="aimass.collector.jobs:replayed",
            private=("describe", "version"),
        ),
    },
    loops={"collector.follow": Loop(run="aimass.collector.jobs:follow", every_s=2.0)},
    events={"access.workspace.purged": "aimass.collector.jobs:on_workspace_purged"},
    protocol="aimass.collector.api:hooks",
    attention="aimass.collector.jobs:attention",
    storage="aimass.collector.keeping:storage",
    going="aimass.collector.keeping:going",
    collect="aimass.collector.keeping:collect",
    blobs="aimass.collector.keeping:blobs",
    erase="aimass.collector.jobs:erase",
    console="aimass.collector.console:router",
    pages=(
        Place(
            path="/{workspace}/connections",
            title="Connections",
            place="data",
            icon="cable",
            permission="collector.read",
            order=18,
        ),
        Place(
            path="/{workspace}/sources",
            title="Sources",
            place="data",
            icon="plug",
            permission="collector.read",
            order=20,
        ),
        Place(
            path="/{workspace}/collections",
            title="Collections",
            place="data",
            icon="inbox",
            permission="collector.read",
            order=30,
        ),
    ),
    kinds={"connection": "aimass.collector.linked_specs:CONNECTION", "source": "aimass.collector.specs:SOURCE"},
    emits=ALL,
)


def build(registry: Registry) -> Collector:
    """Build the service."""
    ground = Ground(
        database=registry.get(Database),
        blobs=registry.get(Blobs),
        jobs=registry.get(Jobs),
        lake=registry.get(Lake),
        warm=registry.get(WarmChild),
        secrets=registry.get(Secrets),
        inboxes=Inboxes(registry.get(DataDir).push),
        address=registry.get(Access).token_issuer,
    )
    return Collector(ground)
