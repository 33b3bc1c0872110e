"""The one public door: the data plane, its settings and what control publishes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.gateway.capability import CAPABILITY
    from aimass.gateway.certificates import check_certificates
    from aimass.gateway.domain.inference import (
        Consumer,
        GatewayState,
        ListConsumers,
        ListModelRoutes,
        ModelRoute,
        SetRateLimit,
    )
    from aimass.gateway.domain.routes import CreateRoute, ListRoutes, Route
    from aimass.gateway.domain.services import CreateUpstream, Instance, RegisterInstance, Upstream
    from aimass.gateway.service import Gateway
    from aimass.gateway.settings import GatewaySettings

_INFERENCE, _SERVICES = "aimass.gateway.domain.inference", "aimass.gateway.domain.services"
_ROUTES = "aimass.gateway.domain.routes"
__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.gateway.capability",
        "Consumer": _INFERENCE,
        "CreateRoute": _ROUTES,
        "CreateUpstream": _SERVICES,
        "Gateway": "aimass.gateway.service",
        "GatewaySettings": "aimass.gateway.settings",
        "GatewayState": _INFERENCE,
        "Instance": _SERVICES,
        "ListConsumers": _INFERENCE,
        "ListModelRoutes": _INFERENCE,
        "ListRoutes": _ROUTES,
        "ModelRoute": _INFERENCE,
        "RegisterInstance": _SERVICES,
        "Route": _ROUTES,
        "SetRateLimit": _INFERENCE,
        "Upstream": _SERVICES,
        "check_certificates": "aimass.gateway.certificates",
    },
)
__all__ = [
    "CAPABILITY",
    "Consumer",
    "CreateRoute",
    "CreateUpstream",
    "Gateway",
    "GatewaySettings",
    "GatewayState",
    "Instance",
    "ListConsumers",
    "ListModelRoutes",
    "ListRoutes",
    "ModelRoute",
    "RegisterInstance",
    "Route",
    "SetRateLimit",
    "Upstream",
    "check_certificates",
]
