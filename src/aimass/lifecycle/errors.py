"""Errors of pipelines."""

from __future__ import annotations

from aimass.kernel.errors import Conflict


class GateClosed(Conflict):
    """A gate of the pipeline did not let the model pass."""

    code = "gate_closed"


class RunEnded(Conflict):
    """The run has ended already."""

    code = "run_ended"
