"""Every table of the room."""

from __future__ import annotations

from aimass.lake.feature_tables import materialisations, online, training_sets, views
from aimass.lake.store import datasets, reports, versions

__all__ = ["datasets", "materialisations", "online", "reports", "training_sets", "versions", "views"]
