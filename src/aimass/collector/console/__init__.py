"""Pages of the collector: connections, bring a file in, sources and their collections, the quarantine of a dataset."""

from __future__ import annotations

from aimass.collector.console import collections, connections, deciding, importing, pushing, quarantine, sources
from aimass.web import page_router

router = page_router()
for _part in (importing, connections, pushing, deciding, sources, collections, quarantine):
    router.include_router(_part.router)
