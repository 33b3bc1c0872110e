"""Nodes, quotas, and jobs with their queue, progress and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.cluster.capability import CAPABILITY
    from aimass.cluster.domain import (
        CancelJob,
        GetJob,
        GetJobLog,
        Job,
        JobLog,
        ListJobs,
        Node,
        Progress,
        Quota,
        RetryJob,
        SubmitJob,
        WaitJob,
    )
    from aimass.cluster.errors import JobEnded
    from aimass.cluster.jobs import Runner
    from aimass.cluster.service import Jobs
    from aimass.cluster.settings import ClusterSettings
    from aimass.kernel.capability import JobKinds

__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.cluster.capability",
        "CancelJob": "aimass.cluster.domain",
        "ClusterSettings": "aimass.cluster.settings",
        "GetJob": "aimass.cluster.domain",
        "GetJobLog": "aimass.cluster.domain",
        "Job": "aimass.cluster.domain",
        "JobEnded": "aimass.cluster.errors",
        "JobKinds": "aimass.kernel.capability",
        "JobLog": "aimass.cluster.domain",
        "Jobs": "aimass.cluster.service",
        "ListJobs": "aimass.cluster.domain",
        "Node": "aimass.cluster.domain",
        "Progress": "aimass.cluster.domain",
        "Quota": "aimass.cluster.domain",
        "RetryJob": "aimass.cluster.domain",
        "Runner": "aimass.cluster.jobs",
        "SubmitJob": "aimass.cluster.domain",
        "WaitJob": "aimass.cluster.domain",
    },
)
__all__ = [
    "CAPABILITY",
    "CancelJob",
    "ClusterSettings",
    "GetJob",
    "GetJobLog",
    "Job",
    "JobEnded",
    "JobKinds",
    "JobLog",
    "Jobs",
    "ListJobs",
    "Node",
    "Progress",
    "Quota",
    "RetryJob",
    "Runner",
    "SubmitJob",
    "WaitJob",
]
