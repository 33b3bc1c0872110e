"""Methods of cluster. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job, JobLog, Node, Quota
from aimass.kernel.pages import Page


class ClusterCalls(Calls):
    """Operations of cluster."""

    def cancel_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Cancel a job: ask it to stop, and kill it when it does not within the grace."""
        return self._call("cluster.cancel_job", {"job": job, "workspace": workspace}, Job)

    def cordon_node(self, *, node: str, expected_version: int | None = None) -> Node:
        """Let a node take no new jobs; those that run go on."""
        return self._call("cluster.cordon_node", {"node": node, "expected_version": expected_version}, Node)

    def get_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Show a job with its progress, result or error."""
        return self._call("cluster.get_job", {"job": job, "workspace": workspace}, Job)

    def get_job_log(
        self, *, job: str, workspace: str | None = None, after: int | None = None, limit: int | None = None
    ) -> JobLog:
        """Read the log of a job, line by line."""
        return self._call(
            "cluster.get_job_log", {"job": job, "workspace": workspace, "after": after, "limit": limit}, JobLog
        )

    def get_quota(self, *, workspace: str | None = None) -> Quota:
        """Show how much a workspace may use at once."""
        return self._call("cluster.get_quota", {"workspace": workspace}, Quota)

    def list_jobs(
        self,
        *,
        workspace: str | None = None,
        state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        kind: str | None = None,
        subject: str | None = None,
        text: str | None = None,
        trace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Job]:
        """List jobs, newest first."""
        return self._call(
            "cluster.list_jobs",
            {
                "workspace": workspace,
                "state": state,
                "kind": kind,
                "subject": subject,
                "text": text,
                "trace": trace,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Job],
        )

    def list_nodes(self) -> list[Node]:
        """List the machines that run jobs, with what they have and what is taken."""
        return self._call("cluster.list_nodes", {}, list[Node])

    def retry_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Begin a failed or cancelled job again, from its last checkpoint."""
        return self._call("cluster.retry_job", {"job": job, "workspace": workspace}, Job)

    def set_quota(
        self, *, tenant: str, slots: int | None = None, queued: int | None = None, expected_version: int | None = None
    ) -> Quota:
        """Limit how much a workspace may use at once; without a number there is no limit."""
        return self._call(
            "cluster.set_quota",
            {"tenant": tenant, "slots": slots, "queued": queued, "expected_version": expected_version},
            Quota,
        )

    def uncordon_node(self, *, node: str, expected_version: int | None = None) -> Node:
        """Let a node take new jobs again."""
        return self._call("cluster.uncordon_node", {"node": node, "expected_version": expected_version}, Node)

    def wait_job(self, *, job: str, workspace: str | None = None, timeout_s: float | None = None) -> Job:
        """Wait until a job has ended, at most as long as asked."""
        return self._call("cluster.wait_job", {"job": job, "workspace": workspace, "timeout_s": timeout_s}, Job)


class AsyncClusterCalls(AsyncCalls):
    """Operations of cluster, for asyncio."""

    async def cancel_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Cancel a job: ask it to stop, and kill it when it does not within the grace."""
        return await self._call("cluster.cancel_job", {"job": job, "workspace": workspace}, Job)

    async def cordon_node(self, *, node: str, expected_version: int | None = None) -> Node:
        """Let a node take no new jobs; those that run go on."""
        return await self._call("cluster.cordon_node", {"node": node, "expected_version": expected_version}, Node)

    async def get_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Show a job with its progress, result or error."""
        return await self._call("cluster.get_job", {"job": job, "workspace": workspace}, Job)

    async def get_job_log(
        self, *, job: str, workspace: str | None = None, after: int | None = None, limit: int | None = None
    ) -> JobLog:
        """Read the log of a job, line by line."""
        return await self._call(
            "cluster.get_job_log", {"job": job, "workspace": workspace, "after": after, "limit": limit}, JobLog
        )

    async def get_quota(self, *, workspace: str | None = None) -> Quota:
        """Show how much a workspace may use at once."""
        return await self._call("cluster.get_quota", {"workspace": workspace}, Quota)

    async def list_jobs(
        self,
        *,
        workspace: str | None = None,
        state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        kind: str | None = None,
        subject: str | None = None,
        text: str | None = None,
        trace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Job]:
        """List jobs, newest first."""
        return await self._call(
            "cluster.list_jobs",
            {
                "workspace": workspace,
                "state": state,
                "kind": kind,
                "subject": subject,
                "text": text,
                "trace": trace,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Job],
        )

    async def list_nodes(self) -> list[Node]:
        """List the machines that run jobs, with what they have and what is taken."""
        return await self._call("cluster.list_nodes", {}, list[Node])

    async def retry_job(self, *, job: str, workspace: str | None = None) -> Job:
        """Begin a failed or cancelled job again, from its last checkpoint."""
        return await self._call("cluster.retry_job", {"job": job, "workspace": workspace}, Job)

    async def set_quota(
        self, *, tenant: str, slots: int | None = None, queued: int | None = None, expected_version: int | None = None
    ) -> Quota:
        """Limit how much a workspace may use at once; without a number there is no limit."""
        return await self._call(
            "cluster.set_quota",
            {"tenant": tenant, "slots": slots, "queued": queued, "expected_version": expected_version},
            Quota,
        )

    async def uncordon_node(self, *, node: str, expected_version: int | None = None) -> Node:
        """Let a node take new jobs again."""
        return await self._call("cluster.uncordon_node", {"node": node, "expected_version": expected_version}, Node)

    async def wait_job(self, *, job: str, workspace: str | None = None, timeout_s: float | None = None) -> Job:
        """Wait until a job has ended, at most as long as asked."""
        return await self._call("cluster.wait_job", {"job": job, "workspace": workspace, "timeout_s": timeout_s}, Job)
