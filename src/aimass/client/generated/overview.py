"""Methods of overview. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.overview_types import Activity, Finding, Lineage, Need, Situation, SpecChange


class OverviewCalls(Calls):
    """Operations of overview."""

    def apply_specs(
        self, *, documents: list[dict[str, Any]], workspace: str | None = None, dry_run: bool | None = None
    ) -> list[SpecChange]:
        """Create or change what the documents describe; each kind asks for its own permission."""
        return self._call(
            "overview.apply_specs",
            {"documents": documents, "workspace": workspace, "dry_run": dry_run},
            list[SpecChange],
        )

    def export_specs(self, *, workspace: str | None = None) -> list[dict[str, Any]]:
        """Write everything that has a spec as documents; applying them again changes nothing."""
        return self._call("overview.export_specs", {"workspace": workspace}, list[dict[str, Any]])

    def list_activity(
        self, *, workspace: str | None = None, trace: str | None = None, limit: int | None = None
    ) -> list[Activity]:
        """List the latest facts of the event log."""
        return self._call(
            "overview.list_activity", {"workspace": workspace, "trace": trace, "limit": limit}, list[Activity]
        )

    def list_needs(self, *, workspace: str | None = None) -> list[Need]:
        """List what needs somebody: alerts, failed jobs, reviews and approvals, newest first."""
        return self._call("overview.list_needs", {"workspace": workspace}, list[Need])

    def search(self, *, q: str, kind: str | None = None, limit: int | None = None) -> list[Finding]:
        """Find datasets, models, services, jobs, people and pages by their words."""
        return self._call("overview.search", {"q": q, "kind": kind, "limit": limit}, list[Finding])

    def show_overview(self, *, workspace: str | None = None) -> Situation:
        """Show how the workspace does: services, traffic, jobs, drift, what runs, and the steps of the first day."""
        return self._call("overview.show_overview", {"workspace": workspace}, Situation)

    def trace_lineage(self, *, kind: str, id: str, workspace: str | None = None, hops: int | None = None) -> Lineage:
        """Follow where an object came from and what came of it."""
        return self._call(
            "overview.trace_lineage", {"kind": kind, "id": id, "workspace": workspace, "hops": hops}, Lineage
        )


class AsyncOverviewCalls(AsyncCalls):
    """Operations of overview, for asyncio."""

    async def apply_specs(
        self, *, documents: list[dict[str, Any]], workspace: str | None = None, dry_run: bool | None = None
    ) -> list[SpecChange]:
        """Create or change what the documents describe; each kind asks for its own permission."""
        return await self._call(
            "overview.apply_specs",
            {"documents": documents, "workspace": workspace, "dry_run": dry_run},
            list[SpecChange],
        )

    async def export_specs(self, *, workspace: str | None = None) -> list[dict[str, Any]]:
        """Write everything that has a spec as documents; applying them again changes nothing."""
        return await self._call("overview.export_specs", {"workspace": workspace}, list[dict[str, Any]])

    async def list_activity(
        self, *, workspace: str | None = None, trace: str | None = None, limit: int | None = None
    ) -> list[Activity]:
        """List the latest facts of the event log."""
        return await self._call(
            "overview.list_activity", {"workspace": workspace, "trace": trace, "limit": limit}, list[Activity]
        )

    async def list_needs(self, *, workspace: str | None = None) -> list[Need]:
        """List what needs somebody: alerts, failed jobs, reviews and approvals, newest first."""
        return await self._call("overview.list_needs", {"workspace": workspace}, list[Need])

    async def search(self, *, q: str, kind: str | None = None, limit: int | None = None) -> list[Finding]:
        """Find datasets, models, services, jobs, people and pages by their words."""
        return await self._call("overview.search", {"q": q, "kind": kind, "limit": limit}, list[Finding])

    async def show_overview(self, *, workspace: str | None = None) -> Situation:
        """Show how the workspace does: services, traffic, jobs, drift, what runs, and the steps of the first day."""
        return await self._call("overview.show_overview", {"workspace": workspace}, Situation)

    async def trace_lineage(
        self, *, kind: str, id: str, workspace: str | None = None, hops: int | None = None
    ) -> Lineage:
        """Follow where an object came from and what came of it."""
        return await self._call(
            "overview.trace_lineage", {"kind": kind, "id": id, "workspace": workspace, "hops": hops}, Lineage
        )
