"""Pages of the overview: the start page, lineage."""

from __future__ import annotations

from aimass.apps.overview.console import lineage, start
from aimass.web import page_router

router = page_router()
for _part in (lineage, start):
    router.include_router(_part.router)
