"""The room gateway announces itself."""

from __future__ import annotations

from aimass.access import Access
from aimass.gateway.events import ALL
from aimass.gateway.publish import Publisher
from aimass.gateway.service import Gateway
from aimass.infra.database import Database
from aimass.kernel.capability import Capability, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.serving import Serving

CAPABILITY = Capability(
    name="gateway",
    title="Gateway",
    requires=("access", "serving"),
    permissions=("gateway.read", "gateway.use", "gateway.edit", "gateway.manage"),
    tables="aimass.gateway.store",
    build="aimass.gateway.capability:build",
    service="aimass.gateway.service:Gateway",
    console="aimass.gateway.console:router",
    settings="aimass.gateway.settings:GatewaySettings",
    loops={"gateway.publish": Loop(run="aimass.gateway.jobs:publish", every_s=0.1)},
    emits=ALL,
    attention="aimass.gateway.jobs:attention",
    erase="aimass.gateway.jobs:erase",
    pages=(
        Place(
            path="/{workspace}/operate/gateway",
            title="Gateway",
            place="operate",
            icon="route",
            permission="gateway.read",
            order=30,
        ),
    ),
)


def build(registry: Registry) -> Gateway:
    """Build the service, and the publisher that the data plane follows."""
    database, access, serving = registry.get(Database), registry.get(Access), registry.get(Serving)
    publisher = Publisher(database, access, serving, registry.get(DataDir))
    return Gateway(database, access, serving, publisher)
