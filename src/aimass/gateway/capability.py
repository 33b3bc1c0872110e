"""The room gateway announces itself."""

from __future__ import annotations

from aimass.access import Access
from aimass.gateway.events import ALL
from aimass.gateway.leases import Leases
from aimass.gateway.publish import Publisher
from aimass.gateway.publish_services import ServicePublisher
from aimass.gateway.service import Gateway, Ground
from aimass.gateway.settings import GatewaySettings
from aimass.infra.database import Database
from aimass.infra.notify import AddressGuard
from aimass.kernel.capability import Capability, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.serving import Serving, Tryouts

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
    loops={
        "gateway.publish": Loop(run="aimass.gateway.jobs:publish", every_s=0.1),
        "gateway.services": Loop(run="aimass.gateway.jobs:publish_services", every_s=0.1),
        "gateway.leases": Loop(run="aimass.gateway.jobs:expire", every_s=0.5),
        "gateway.slow": Loop(run="aimass.gateway.jobs:take_slow", every_s=1.0),
    },
    kinds={"upstream": "aimass.gateway.specs:UPSTREAM", "route": "aimass.gateway.specs:ROUTE"},
    emits=ALL,
    attention="aimass.gateway.jobs:attention",
    doctor="aimass.gateway.jobs:doctor",
    erase="aimass.gateway.jobs:erase",
    storage="aimass.gateway.jobs:storage",
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
    """Build the service, and the publishers that the data plane follows."""
    database, access, serving = registry.get(Database), registry.get(Access), registry.get(Serving)
    layout, leases = registry.get(DataDir), Leases()
    settings = GatewaySettings.from_environment(data_dir=layout.root)
    return Gateway(
        Ground(
            database=database,
            access=access,
            serving=serving,
            publisher=Publisher(database, access, serving, layout),
            services=ServicePublisher(database, access, layout, leases),
            leases=leases,
            guard=AddressGuard(
                [text.strip() for text in settings.allow.split(",") if text.strip()],
                setting="AIMASS_GATEWAY_ALLOW",
                field="address",
            ),
            tryouts=registry.get(Tryouts),
            settings=settings,
            layout=layout,
        )
    )
