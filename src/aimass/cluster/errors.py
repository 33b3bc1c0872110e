"""Errors of the room cluster."""

from __future__ import annotations

from aimass.kernel.errors import Conflict


class JobEnded(Conflict):
    """The job has ended: this needs one that waits or runs."""

    code = "job_ended"
