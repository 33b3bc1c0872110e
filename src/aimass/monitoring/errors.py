"""Errors of the room monitoring."""

from __future__ import annotations

from aimass.kernel.errors import Conflict, NotFound


class NotWatched(NotFound):
    """Nothing is known of this endpoint yet: no deployment, no record."""

    code = "not_watched"


class AlertClosed(Conflict):
    """The alert is resolved: this needs one that is open."""

    code = "alert_closed"
