"""The one public door: the data plane, its settings and what control publishes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.gateway.capability import CAPABILITY
    from aimass.gateway.domain import (
        Consumer,
        GatewayState,
        ListConsumers,
        ListRoutes,
        Route,
        SetRateLimit,
    )
    from aimass.gateway.service import Gateway
    from aimass.gateway.settings import GatewaySettings

_DOMAIN = "aimass.gateway.domain"
__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.gateway.capability",
        "Consumer": _DOMAIN,
        "Gateway": "aimass.gateway.service",
        "GatewaySettings": "aimass.gateway.settings",
        "GatewayState": _DOMAIN,
        "ListConsumers": _DOMAIN,
        "ListRoutes": _DOMAIN,
        "Route": _DOMAIN,
        "SetRateLimit": _DOMAIN,
    },
)
__all__ = [
    "CAPABILITY",
    "Consumer",
    "Gateway",
    "GatewaySettings",
    "GatewayState",
    "ListConsumers",
    "ListRoutes",
    "Route",
    "SetRateLimit",
]
