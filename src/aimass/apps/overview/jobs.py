"""Keep the search index fresh: whoever owns an object says how it is found; and let it forget."""

from __future__ import annotations

from aimass.infra.search import Search
from aimass.kernel.capability import Capabilities, load
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.events import Event
from aimass.kernel.registry import Registry

_PURGED = "access.workspace.purged"


def on_event(registry: Registry, event: Event) -> None:
    """Index the subject of an event again; a subject that is gone leaves the index."""
    hooks = [load(c.search) for c in registry.get(Capabilities) if c.search and c.name == event.type.partition(".")[0]]
    search = registry.get(Search)
    if event.type == _PURGED:
        search.leave(event.workspace)
        return
    for hook in hooks:
        document = hook(registry, event.workspace, event.subject)
        if document is None:
            search.remove(event.workspace, event.subject)
        else:
            search.put([document])


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Index anew what named a person: the rooms have erased him by now."""
    search = registry.get(Search)
    found = search.mentioning(person)
    hooks = [load(c.search) for c in registry.get(Capabilities) if c.search]
    for workspace, key in found:
        documents = [document for hook in hooks if (document := hook(registry, workspace, key)) is not None]
        search.remove(workspace, key)
        search.put(documents[:1])
    if found:
        search.rebuild()
    return [Erased(what="findings of the search", count=len(found))]
