"""What the rooms find in their own data: each is asked by its ``doctor`` hook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import func, select

from aimass.bootstrap.platform import inspect_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.database import Database
from aimass.infra.events import events_dead
from aimass.kernel.capability import load
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.registry import Registry


def findings(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield what every room finds; nothing for a platform that was never started, or waits for its upgrade."""
    platform = inspect_platform(settings)
    if platform is None:
        return
    with closing(platform):
        yield _events(platform.registry)
        for capability in platform.capabilities:
            if capability.doctor:
                yield from load(capability.doctor)(platform.registry)


def _events(registry: Registry) -> Finding:
    """Look for news that a room could not take."""
    with registry.get(Database).read() as conn:
        query = select(events_dead.c.consumer, func.count(), func.max(events_dead.c.error))
        dead = conn.execute(query.group_by(events_dead.c.consumer)).all()
    faults = [f"{consumer} could not handle {count} events: {error[:200]}" for consumer, count, error in dead]
    return finding_of("events", "every event was handled", faults, "report it, with logs/control.log")
