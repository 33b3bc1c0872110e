"""Compute: jobs as child processes under one protocol on disk, and one warm child for short calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.compute.context import Cancelled, JobContext
    from aimass.infra.compute.contract import ComputeContract
    from aimass.infra.compute.groups import Group, Groups, find_groups
    from aimass.infra.compute.port import (
        Capabilities,
        Compute,
        JobEvent,
        JobHandle,
        JobSpec,
        JobState,
        KeptFiles,
        LogLine,
    )
    from aimass.infra.compute.process import ProcessCompute
    from aimass.infra.compute.sandbox import Room, Sandbox, find_sandbox, need_sandbox, sandboxed
    from aimass.infra.compute.settings import child_environment
    from aimass.infra.compute.warm import WarmChild

__getattr__, __dir__ = door(
    __name__,
    {
        "Cancelled": "aimass.infra.compute.context",
        "Capabilities": "aimass.infra.compute.port",
        "Compute": "aimass.infra.compute.port",
        "ComputeContract": "aimass.infra.compute.contract",
        "Group": "aimass.infra.compute.groups",
        "Groups": "aimass.infra.compute.groups",
        "JobContext": "aimass.infra.compute.context",
        "JobEvent": "aimass.infra.compute.port",
        "JobHandle": "aimass.infra.compute.port",
        "JobSpec": "aimass.infra.compute.port",
        "JobState": "aimass.infra.compute.port",
        "KeptFiles": "aimass.infra.compute.port",
        "LogLine": "aimass.infra.compute.port",
        "ProcessCompute": "aimass.infra.compute.process",
        "Room": "aimass.infra.compute.sandbox",
        "Sandbox": "aimass.infra.compute.sandbox",
        "WarmChild": "aimass.infra.compute.warm",
        "child_environment": "aimass.infra.compute.settings",
        "find_groups": "aimass.infra.compute.groups",
        "find_sandbox": "aimass.infra.compute.sandbox",
        "need_sandbox": "aimass.infra.compute.sandbox",
        "sandboxed": "aimass.infra.compute.sandbox",
    },
)
__all__ = [
    "Cancelled",
    "Capabilities",
    "Compute",
    "ComputeContract",
    "Group",
    "Groups",
    "JobContext",
    "JobEvent",
    "JobHandle",
    "JobSpec",
    "JobState",
    "KeptFiles",
    "LogLine",
    "ProcessCompute",
    "Room",
    "Sandbox",
    "WarmChild",
    "child_environment",
    "find_groups",
    "find_sandbox",
    "need_sandbox",
    "sandboxed",
]
