"""Pages of the room models: the library, one model with its versions, reviews."""

from __future__ import annotations

from aimass.models.console import graphs, library, model, reviews, versions, zoo
from aimass.web import page_router

router = page_router()
for _part in (graphs, library, versions, reviews, model, zoo):
    router.include_router(_part.router)
