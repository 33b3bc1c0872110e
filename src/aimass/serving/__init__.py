"""Endpoints, deployments with their revisions, traffic, and the loop that brings them about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.serving.capability import CAPABILITY
    from aimass.serving.domain.commands import (
        ChangeEndpoint,
        CreateEndpoint,
        DeleteEndpoint,
        Deploy,
        DeployModel,
        ListEndpoints,
        ListHistory,
        ListRevisions,
        OneDeployment,
        OneEndpoint,
        Promote,
        RollBack,
        SetTraffic,
    )
    from aimass.serving.domain.placing import Running
    from aimass.serving.domain.things import (
        Deployment,
        Endpoint,
        EndpointStatus,
        GatewayReport,
        Load,
        PlacedOn,
        Published,
        PublishedEndpoint,
        Revision,
        TrafficPolicy,
    )
    from aimass.serving.domain.trials import EndpointSignature, GetSignature, Input
    from aimass.serving.service.serving import Serving
    from aimass.serving.settings import ServingSettings
    from aimass.serving.trying import RawAnswer, RawOrder, Tryouts
    from aimass.serving.workers.keeper import Keeper

_COMMANDS = "aimass.serving.domain.commands"
_THINGS = "aimass.serving.domain.things"
__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.serving.capability",
        "ChangeEndpoint": _COMMANDS,
        "CreateEndpoint": _COMMANDS,
        "DeleteEndpoint": _COMMANDS,
        "Deploy": _COMMANDS,
        "DeployModel": _COMMANDS,
        "Deployment": _THINGS,
        "Endpoint": _THINGS,
        "EndpointSignature": "aimass.serving.domain.trials",
        "EndpointStatus": _THINGS,
        "GatewayReport": _THINGS,
        "GetSignature": "aimass.serving.domain.trials",
        "Input": "aimass.serving.domain.trials",
        "Keeper": "aimass.serving.workers.keeper",
        "ListEndpoints": _COMMANDS,
        "ListHistory": _COMMANDS,
        "ListRevisions": _COMMANDS,
        "Load": _THINGS,
        "OneDeployment": _COMMANDS,
        "OneEndpoint": _COMMANDS,
        "Promote": _COMMANDS,
        "PlacedOn": _THINGS,
        "Published": _THINGS,
        "PublishedEndpoint": _THINGS,
        "RawAnswer": "aimass.serving.trying",
        "RawOrder": "aimass.serving.trying",
        "Revision": _THINGS,
        "RollBack": _COMMANDS,
        "Running": "aimass.serving.domain.placing",
        "Serving": "aimass.serving.service.serving",
        "ServingSettings": "aimass.serving.settings",
        "SetTraffic": _COMMANDS,
        "TrafficPolicy": _THINGS,
        "Tryouts": "aimass.serving.trying",
    },
)
__all__ = [
    "CAPABILITY",
    "ChangeEndpoint",
    "CreateEndpoint",
    "DeleteEndpoint",
    "Deploy",
    "DeployModel",
    "Deployment",
    "Endpoint",
    "EndpointSignature",
    "EndpointStatus",
    "GatewayReport",
    "GetSignature",
    "Input",
    "Keeper",
    "ListEndpoints",
    "ListHistory",
    "ListRevisions",
    "Load",
    "OneDeployment",
    "OneEndpoint",
    "PlacedOn",
    "Promote",
    "Published",
    "PublishedEndpoint",
    "RawAnswer",
    "RawOrder",
    "Revision",
    "RollBack",
    "Running",
    "Serving",
    "ServingSettings",
    "SetTraffic",
    "TrafficPolicy",
    "Tryouts",
]
