"""Facts that other rooms may hear of, and news for open pages."""

from __future__ import annotations

from typing import Any

from aimass.infra.live import LiveHub
from aimass.serving.domain.scoring import Scoring
from aimass.serving.domain.things import Deployment, Endpoint

ENDPOINT_CREATED = "serving.endpoint.created"
ENDPOINT_CHANGED = "serving.endpoint.changed"
ENDPOINT_DELETED = "serving.endpoint.deleted"
REVISION_CREATED = "serving.revision.created"
TRAFFIC_CHANGED = "serving.traffic.changed"
DEPLOYMENT_READY = "serving.deployment.ready"
DEPLOYMENT_FAILED = "serving.deployment.failed"
DEPLOYMENT_STOPPED = "serving.deployment.stopped"
DEPLOYMENT_REMOVED = "serving.deployment.removed"
DEPLOYMENT_SCALED = "serving.deployment.scaled"
ROLLED_BACK = "serving.rolled_back"
SCORING_STARTED = "serving.scoring.started"
SCORING_FINISHED = "serving.scoring.finished"
SCORING_FAILED = "serving.scoring.failed"
SCORING_CANCELLED = "serving.scoring.cancelled"
ALL = (
    ENDPOINT_CREATED,
    ENDPOINT_CHANGED,
    ENDPOINT_DELETED,
    REVISION_CREATED,
    TRAFFIC_CHANGED,
    DEPLOYMENT_READY,
    DEPLOYMENT_FAILED,
    DEPLOYMENT_STOPPED,
    DEPLOYMENT_REMOVED,
    DEPLOYMENT_SCALED,
    ROLLED_BACK,
    SCORING_STARTED,
    SCORING_FINISHED,
    SCORING_FAILED,
    SCORING_CANCELLED,
)


def subject_of(slug: str) -> str:
    """Return how events and audit entries name an endpoint.

    Examples
    --------
    >>> subject_of("churn")
    'endpoint:churn'
    """
    return f"endpoint:{slug}"


def scoring_subject(scoring: str) -> str:
    """Return how events, audit entries and versions name a scoring.

    Examples
    --------
    >>> scoring_subject("01H")
    'scoring:01H'
    """
    return f"scoring:{scoring}"


def tell_scoring(live: LiveHub, scoring: Scoring) -> None:
    """Show a scoring on its page and on the list."""
    news = {"id": scoring.id, "state": scoring.state, "rows": scoring.rows, "fraction": scoring.fraction}
    live.publish(f"{scoring.workspace}/scoring:{scoring.id}", news)
    live.publish(f"{scoring.workspace}/scorings", news)


def tell(live: LiveHub, endpoint: Endpoint) -> None:
    """Show an endpoint's state on the pages that follow it, or the list of services."""
    news: dict[str, Any] = {
        "slug": endpoint.slug,
        "state": endpoint.state,
        "deployments": [_short(deployment) for deployment in endpoint.deployments],
    }
    live.publish(f"{endpoint.workspace}/endpoint:{endpoint.slug}", news)
    live.publish(f"{endpoint.workspace}/endpoints", news)


def _short(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "model": deployment.model,
        "version": deployment.served_version,
        "target": deployment.target_version,
        "weight": deployment.weight,
        "state": deployment.state,
        "reason": deployment.reason,
    }
