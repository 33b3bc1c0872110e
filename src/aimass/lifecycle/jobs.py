"""What control runs for pipelines: start what events trigger, and what a crash left unstarted."""

from __future__ import annotations

from aimass.kernel.events import Event
from aimass.kernel.registry import Registry
from aimass.lifecycle.service import Lifecycle


def on_event(registry: Registry, event: Event) -> None:
    """Start the pipelines that an event triggers."""
    if not event.type.startswith("lifecycle."):
        registry.get(Lifecycle).start_triggered(event)


def recover(registry: Registry) -> None:
    """Start runs that were recorded but not started."""
    registry.get(Lifecycle).recover()
