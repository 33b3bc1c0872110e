"""Methods of storage. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.storage_types import Collection, GoingReport, StorageReport
from aimass.kernel.pages import Page


class StorageCalls(Calls):
    """Operations of storage."""

    def collect_now(self, *, dry_run: bool | None = None) -> Collection:
        """Remove for good what has had its time and what nobody needs, or only tell what that would be."""
        return self._call("storage.collect_now", {"dry_run": dry_run}, Collection)

    def list_collections(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Collection]:
        """List the collections that removed something, newest first."""
        return self._call("storage.list_collections", {"limit": limit, "cursor": cursor}, Page[Collection])

    def list_going(
        self, *, workspace: str | None = None, is_due: bool | None = None, limit: int | None = None
    ) -> GoingReport:
        """List what was deleted or has had its time, when it goes for good, and by which rule."""
        return self._call("storage.list_going", {"workspace": workspace, "is_due": is_due, "limit": limit}, GoingReport)

    def show_storage(self) -> StorageReport:
        """Show what takes how much room on the disk, and how long it is kept."""
        return self._call("storage.show_storage", {}, StorageReport)


class AsyncStorageCalls(AsyncCalls):
    """Operations of storage, for asyncio."""

    async def collect_now(self, *, dry_run: bool | None = None) -> Collection:
        """Remove for good what has had its time and what nobody needs, or only tell what that would be."""
        return await self._call("storage.collect_now", {"dry_run": dry_run}, Collection)

    async def list_collections(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Collection]:
        """List the collections that removed something, newest first."""
        return await self._call("storage.list_collections", {"limit": limit, "cursor": cursor}, Page[Collection])

    async def list_going(
        self, *, workspace: str | None = None, is_due: bool | None = None, limit: int | None = None
    ) -> GoingReport:
        """List what was deleted or has had its time, when it goes for good, and by which rule."""
        return await self._call(
            "storage.list_going", {"workspace": workspace, "is_due": is_due, "limit": limit}, GoingReport
        )

    async def show_storage(self) -> StorageReport:
        """Show what takes how much room on the disk, and how long it is kept."""
        return await self._call("storage.show_storage", {}, StorageReport)
