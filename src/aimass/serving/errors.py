"""What can go wrong when models are served."""

from __future__ import annotations

from aimass.kernel.errors import Conflict


class NotServing(Conflict):
    """The endpoint runs no revision that answers."""

    code = "not_serving"


class NothingBefore(Conflict):
    """There is no earlier revision to go back to."""

    code = "nothing_before"


class NotDeployable(Conflict):
    """The model version may not be deployed."""

    code = "not_deployable"


class HasTraffic(Conflict):
    """The deployment still gets traffic."""

    code = "has_traffic"
