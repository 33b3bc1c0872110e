"""Every table of the room."""

from __future__ import annotations

from aimass.lake.feature_tables import materialisations, online, training_sets, views
from aimass.lake.store import datasets, reports, versions
from aimass.lake.store_shares import recipients, shares

__all__ = [
    "datasets",
    "materialisations",
    "online",
    "recipients",
    "reports",
    "shares",
    "training_sets",
    "versions",
    "views",
]
