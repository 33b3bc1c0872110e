"""What control runs for the room."""

from __future__ import annotations

from typing import Any

from aimass.gateway.service import Gateway
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.keeping import Holding
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry


def publish(registry: Registry) -> bool:
    """Keep the published snapshot equal to what the rooms below say."""
    return registry.get(Gateway).publisher.run_once()


def publish_services(registry: Registry) -> bool:
    """Keep the published services and routes equal to what is registered."""
    return registry.get(Gateway).services.run_once()


def expire(registry: Registry) -> bool:
    """Take away instances whose lease is over; tell whether there were any."""
    return registry.get(Gateway).expire() > 0


def take_slow(registry: Registry) -> bool:
    """Take over what gateway workers kept of slow and failed requests, and let go of what had its time."""
    gateway = registry.get(Gateway)
    return gateway.take_slow() + gateway.drop_slow() > 0


def storage(registry: Registry) -> list[Holding]:
    """Return how much slow requests take, and how long they are kept."""
    return registry.get(Gateway).slow_holdings()


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return what is wrong with the gateway workers, for who may look at them."""
    if not who.allows("gateway.read", workspace):
        return []
    return [
        {
            "kind": "gateway",
            "title": fault.title,
            "subject": f"gateway:{fault.worker}",
            "workspace": workspace,
            "since": fault.since,
            "path": "/" if workspace == ANYWHERE else f"/{workspace}/operate/gateway",
        }
        for fault in registry.get(Gateway).faults()
    ]


def doctor(registry: Registry) -> list[Finding]:
    """Look at the certificate of the public port."""
    gateway = registry.get(Gateway)
    hint = "renew the files that AIMASS_GATEWAY_TLS_CERTIFICATE and AIMASS_GATEWAY_TLS_KEY name; no restart is needed"
    return [finding_of("certificate", gateway.tls_in_words(), gateway.tls_troubles(), hint)]


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from the limits of consumers, and from slow requests, after what waits was taken over."""
    gateway = registry.get(Gateway)
    return [*gateway.erase_person(person), *gateway.erase_slow(person)]
