"""Pages of the lake: the list of datasets, and a dataset with its rows, profile, quality, versions and queries; views and features."""

from __future__ import annotations

from aimass.lake.console import (
    branches,
    changes,
    datasets,
    features,
    policies,
    quality,
    queries,
    sharing,
    versions,
    views,
)
from aimass.web import page_router

router = page_router()
for _part in (datasets, quality, versions, queries, views, policies, changes, branches, sharing, features):
    router.include_router(_part.router)
