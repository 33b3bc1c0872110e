"""Pages of the room: what is kept, what goes, collections, erasures."""

from __future__ import annotations

from aimass.apps.storage.console import erasures, storage
from aimass.web import page_router

router = page_router()
for _part in (storage, erasures):
    router.include_router(_part.router)
