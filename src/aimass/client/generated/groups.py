"""Groups of methods by room. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from aimass.client.generated.access import AccessCalls, AsyncAccessCalls
from aimass.client.generated.cluster import AsyncClusterCalls, ClusterCalls
from aimass.client.generated.collector import AsyncCollectorCalls, CollectorCalls
from aimass.client.generated.gateway import AsyncGatewayCalls, GatewayCalls
from aimass.client.generated.lake import AsyncLakeCalls, LakeCalls
from aimass.client.generated.lifecycle import AsyncLifecycleCalls, LifecycleCalls
from aimass.client.generated.messaging import AsyncMessagingCalls, MessagingCalls
from aimass.client.generated.models import AsyncModelsCalls, ModelsCalls
from aimass.client.generated.monitoring import AsyncMonitoringCalls, MonitoringCalls
from aimass.client.generated.overview import AsyncOverviewCalls, OverviewCalls
from aimass.client.generated.serving import AsyncServingCalls, ServingCalls
from aimass.client.generated.training import AsyncTrainingCalls, TrainingCalls
from aimass.client.transport import AsyncTransport, Transport


class Groups:
    """One attribute per room."""

    def __init__(self, transport: Transport, workspace: str | None) -> None:
        self.access = AccessCalls(transport, workspace)
        self.cluster = ClusterCalls(transport, workspace)
        self.collector = CollectorCalls(transport, workspace)
        self.gateway = GatewayCalls(transport, workspace)
        self.lake = LakeCalls(transport, workspace)
        self.lifecycle = LifecycleCalls(transport, workspace)
        self.messaging = MessagingCalls(transport, workspace)
        self.models = ModelsCalls(transport, workspace)
        self.monitoring = MonitoringCalls(transport, workspace)
        self.overview = OverviewCalls(transport, workspace)
        self.serving = ServingCalls(transport, workspace)
        self.training = TrainingCalls(transport, workspace)


class AsyncGroups:
    """One attribute per room."""

    def __init__(self, transport: AsyncTransport, workspace: str | None) -> None:
        self.access = AsyncAccessCalls(transport, workspace)
        self.cluster = AsyncClusterCalls(transport, workspace)
        self.collector = AsyncCollectorCalls(transport, workspace)
        self.gateway = AsyncGatewayCalls(transport, workspace)
        self.lake = AsyncLakeCalls(transport, workspace)
        self.lifecycle = AsyncLifecycleCalls(transport, workspace)
        self.messaging = AsyncMessagingCalls(transport, workspace)
        self.models = AsyncModelsCalls(transport, workspace)
        self.monitoring = AsyncMonitoringCalls(transport, workspace)
        self.overview = AsyncOverviewCalls(transport, workspace)
        self.serving = AsyncServingCalls(transport, workspace)
        self.training = AsyncTrainingCalls(transport, workspace)
