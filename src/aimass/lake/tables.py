"""Every table of the room."""

from __future__ import annotations

from aimass.lake.feature_tables import materialisations, online, training_sets, views
from aimass.lake.held_store import held
from aimass.lake.policy_store import policies, token_keys
from aimass.lake.query_store import query_runs
from aimass.lake.saved_store import saved_queries
from aimass.lake.store import datasets, reports, versions
from aimass.lake.store_shares import recipients, shares
from aimass.lake.view_store import made_views, refreshes

__all__ = [
    "datasets",
    "held",
    "made_views",
    "materialisations",
    "online",
    "policies",
    "query_runs",
    "recipients",
    "refreshes",
    "reports",
    "saved_queries",
    "shares",
    "token_keys",
    "training_sets",
    "versions",
    "views",
]
