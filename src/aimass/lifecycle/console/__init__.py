"""Pages of the room lifecycle: pipelines with their runs, and rollouts."""

from __future__ import annotations

from aimass.lifecycle.console import pipelines, releases, rollouts
from aimass.web import page_router

router = page_router()
for _part in (pipelines, releases, rollouts):
    router.include_router(_part.router)
