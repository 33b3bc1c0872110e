"""Pages of the room: what is kept, what goes, collections."""

from __future__ import annotations

from aimass.apps.storage.console import storage
from aimass.web import page_router

router = page_router()
router.include_router(storage.router)
