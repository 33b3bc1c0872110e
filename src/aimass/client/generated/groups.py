"""Groups of methods by room. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
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
    from aimass.client.generated.storage import AsyncStorageCalls, StorageCalls
    from aimass.client.generated.training import AsyncTrainingCalls, TrainingCalls
    from aimass.client.transport import AsyncTransport, Transport

_calls, _ = door(
    __name__,
    {
        "AccessCalls": "aimass.client.generated.access",
        "AsyncAccessCalls": "aimass.client.generated.access",
        "ClusterCalls": "aimass.client.generated.cluster",
        "AsyncClusterCalls": "aimass.client.generated.cluster",
        "CollectorCalls": "aimass.client.generated.collector",
        "AsyncCollectorCalls": "aimass.client.generated.collector",
        "GatewayCalls": "aimass.client.generated.gateway",
        "AsyncGatewayCalls": "aimass.client.generated.gateway",
        "LakeCalls": "aimass.client.generated.lake",
        "AsyncLakeCalls": "aimass.client.generated.lake",
        "LifecycleCalls": "aimass.client.generated.lifecycle",
        "AsyncLifecycleCalls": "aimass.client.generated.lifecycle",
        "MessagingCalls": "aimass.client.generated.messaging",
        "AsyncMessagingCalls": "aimass.client.generated.messaging",
        "ModelsCalls": "aimass.client.generated.models",
        "AsyncModelsCalls": "aimass.client.generated.models",
        "MonitoringCalls": "aimass.client.generated.monitoring",
        "AsyncMonitoringCalls": "aimass.client.generated.monitoring",
        "OverviewCalls": "aimass.client.generated.overview",
        "AsyncOverviewCalls": "aimass.client.generated.overview",
        "ServingCalls": "aimass.client.generated.serving",
        "AsyncServingCalls": "aimass.client.generated.serving",
        "StorageCalls": "aimass.client.generated.storage",
        "AsyncStorageCalls": "aimass.client.generated.storage",
        "TrainingCalls": "aimass.client.generated.training",
        "AsyncTrainingCalls": "aimass.client.generated.training",
    },
)


class Groups:
    """One attribute per room, made when it is first used."""

    def __init__(self, transport: Transport, workspace: str | None) -> None:
        self._reached = (transport, workspace)

    @cached_property
    def access(self) -> AccessCalls:
        """Operations of access."""
        return _calls("AccessCalls")(*self._reached)

    @cached_property
    def cluster(self) -> ClusterCalls:
        """Operations of cluster."""
        return _calls("ClusterCalls")(*self._reached)

    @cached_property
    def collector(self) -> CollectorCalls:
        """Operations of collector."""
        return _calls("CollectorCalls")(*self._reached)

    @cached_property
    def gateway(self) -> GatewayCalls:
        """Operations of gateway."""
        return _calls("GatewayCalls")(*self._reached)

    @cached_property
    def lake(self) -> LakeCalls:
        """Operations of lake."""
        return _calls("LakeCalls")(*self._reached)

    @cached_property
    def lifecycle(self) -> LifecycleCalls:
        """Operations of lifecycle."""
        return _calls("LifecycleCalls")(*self._reached)

    @cached_property
    def messaging(self) -> MessagingCalls:
        """Operations of messaging."""
        return _calls("MessagingCalls")(*self._reached)

    @cached_property
    def models(self) -> ModelsCalls:
        """Operations of models."""
        return _calls("ModelsCalls")(*self._reached)

    @cached_property
    def monitoring(self) -> MonitoringCalls:
        """Operations of monitoring."""
        return _calls("MonitoringCalls")(*self._reached)

    @cached_property
    def overview(self) -> OverviewCalls:
        """Operations of overview."""
        return _calls("OverviewCalls")(*self._reached)

    @cached_property
    def serving(self) -> ServingCalls:
        """Operations of serving."""
        return _calls("ServingCalls")(*self._reached)

    @cached_property
    def storage(self) -> StorageCalls:
        """Operations of storage."""
        return _calls("StorageCalls")(*self._reached)

    @cached_property
    def training(self) -> TrainingCalls:
        """Operations of training."""
        return _calls("TrainingCalls")(*self._reached)


class AsyncGroups:
    """One attribute per room, made when it is first used."""

    def __init__(self, transport: AsyncTransport, workspace: str | None) -> None:
        self._reached = (transport, workspace)

    @cached_property
    def access(self) -> AsyncAccessCalls:
        """Operations of access."""
        return _calls("AsyncAccessCalls")(*self._reached)

    @cached_property
    def cluster(self) -> AsyncClusterCalls:
        """Operations of cluster."""
        return _calls("AsyncClusterCalls")(*self._reached)

    @cached_property
    def collector(self) -> AsyncCollectorCalls:
        """Operations of collector."""
        return _calls("AsyncCollectorCalls")(*self._reached)

    @cached_property
    def gateway(self) -> AsyncGatewayCalls:
        """Operations of gateway."""
        return _calls("AsyncGatewayCalls")(*self._reached)

    @cached_property
    def lake(self) -> AsyncLakeCalls:
        """Operations of lake."""
        return _calls("AsyncLakeCalls")(*self._reached)

    @cached_property
    def lifecycle(self) -> AsyncLifecycleCalls:
        """Operations of lifecycle."""
        return _calls("AsyncLifecycleCalls")(*self._reached)

    @cached_property
    def messaging(self) -> AsyncMessagingCalls:
        """Operations of messaging."""
        return _calls("AsyncMessagingCalls")(*self._reached)

    @cached_property
    def models(self) -> AsyncModelsCalls:
        """Operations of models."""
        return _calls("AsyncModelsCalls")(*self._reached)

    @cached_property
    def monitoring(self) -> AsyncMonitoringCalls:
        """Operations of monitoring."""
        return _calls("AsyncMonitoringCalls")(*self._reached)

    @cached_property
    def overview(self) -> AsyncOverviewCalls:
        """Operations of overview."""
        return _calls("AsyncOverviewCalls")(*self._reached)

    @cached_property
    def serving(self) -> AsyncServingCalls:
        """Operations of serving."""
        return _calls("AsyncServingCalls")(*self._reached)

    @cached_property
    def storage(self) -> AsyncStorageCalls:
        """Operations of storage."""
        return _calls("AsyncStorageCalls")(*self._reached)

    @cached_property
    def training(self) -> AsyncTrainingCalls:
        """Operations of training."""
        return _calls("AsyncTrainingCalls")(*self._reached)
