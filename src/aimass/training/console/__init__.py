"""Pages of the room training: experiments, runs, one run, runs side by side; and what it shows on a model's page."""

from __future__ import annotations

from aimass.training.console import autos, compare, compression, experiments, learners, own, run, runs, studies, weights
from aimass.web import page_router

router = page_router()
for _part in (experiments, autos, compare, compression, runs, own, run, studies, learners, weights):
    router.include_router(_part.router)
