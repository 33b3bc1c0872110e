"""Compute: jobs as child processes under one protocol on disk, and one warm child for short calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.compute.context import Cancelled, JobContext
    from aimass.infra.compute.contract import ComputeContract
    from aimass.infra.compute.environments import (
        Environment,
        environment_of,
        make_environment,
        remove_environment,
    )
    from aimass.infra.compute.groups import Group, Groups, find_groups
    from aimass.infra.compute.locks import read_lock
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
    from aimass.infra.compute.processes import cpu_seconds, descendants, resident_bytes
    from aimass.infra.compute.sandbox import Room, Sandbox, find_sandbox, need_sandbox, sandboxed
    from aimass.infra.compute.settings import child_environment, installer_environment, without_python
    from aimass.infra.compute.warm import Stop, WarmChild
    from aimass.infra.compute.worker import problem

__getattr__, __dir__ = door(
    __name__,
    {
        "Cancelled": "aimass.infra.compute.context",
        "Capabilities": "aimass.infra.compute.port",
        "Compute": "aimass.infra.compute.port",
        "ComputeContract": "aimass.infra.compute.contract",
        "Environment": "aimass.infra.compute.environments",
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
        "Stop": "aimass.infra.compute.warm",
        "WarmChild": "aimass.infra.compute.warm",
        "child_environment": "aimass.infra.compute.settings",
        "cpu_seconds": "aimass.infra.compute.processes",
        "descendants": "aimass.infra.compute.processes",
        "environment_of": "aimass.infra.compute.environments",
        "find_groups": "aimass.infra.compute.groups",
        "find_sandbox": "aimass.infra.compute.sandbox",
        "installer_environment": "aimass.infra.compute.settings",
        "make_environment": "aimass.infra.compute.environments",
        "need_sandbox": "aimass.infra.compute.sandbox",
        "problem": "aimass.infra.compute.worker",
        "read_lock": "aimass.infra.compute.locks",
        "remove_environment": "aimass.infra.compute.environments",
        "resident_bytes": "aimass.infra.compute.processes",
        "sandboxed": "aimass.infra.compute.sandbox",
        "without_python": "aimass.infra.compute.settings",
    },
)
__all__ = [
    "Cancelled",
    "Capabilities",
    "Compute",
    "ComputeContract",
    "Environment",
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
    "Stop",
    "WarmChild",
    "child_environment",
    "cpu_seconds",
    "descendants",
    "environment_of",
    "find_groups",
    "find_sandbox",
    "installer_environment",
    "make_environment",
    "need_sandbox",
    "problem",
    "read_lock",
    "remove_environment",
    "resident_bytes",
    "sandboxed",
    "without_python",
]
