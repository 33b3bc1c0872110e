"""What can go wrong with packages, models and their review."""

from __future__ import annotations

from aimass.kernel.errors import Conflict, Forbidden, Invalid


class BrokenPackage(Invalid):
    """The package does not match its manifest, or its manifest breaks a rule."""

    code = "package_broken"


class BrokenGraph(BrokenPackage):
    """The graph names a step, a wire or an option that does not fit."""

    code = "graph_broken"


class NotApproved(Conflict):
    """The model version is not approved."""

    code = "not_approved"


class OwnVersion(Forbidden):
    """An author does not approve his own version."""

    code = "own_version"
