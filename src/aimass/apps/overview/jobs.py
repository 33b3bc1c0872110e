"""Keep the search index fresh: whoever owns an object says how it is found."""

from __future__ import annotations

from aimass.infra.search import Search
from aimass.kernel.capability import Capabilities, load
from aimass.kernel.events import Event
from aimass.kernel.registry import Registry


def on_event(registry: Registry, event: Event) -> None:
    """Index the subject of an event again; a subject that is gone leaves the index."""
    hooks = [load(c.search) for c in registry.get(Capabilities) if c.search and c.name == event.type.partition(".")[0]]
    search = registry.get(Search)
    for hook in hooks:
        document = hook(registry, event.workspace, event.subject)
        if document is None:
            search.remove(event.workspace, event.subject)
        else:
            search.put([document])
