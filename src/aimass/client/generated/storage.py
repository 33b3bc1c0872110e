"""Methods of storage. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.storage_types import Collection, Erasure, GoingReport, StorageReport
from aimass.kernel.pages import Page


class StorageCalls(Calls):
    """Operations of storage."""

    def ask_erasure(self, *, values: list[str], workspace: str | None = None, column: str | None = None) -> Erasure:
        """Erase a person everywhere: datasets with every version, records, samples, splits, messages, jobs, files, logs."""
        return self._call("storage.ask_erasure", {"values": values, "workspace": workspace, "column": column}, Erasure)

    def collect_now(self, *, dry_run: bool | None = None) -> Collection:
        """Remove for good what has had its time and what nobody needs, or only tell what that would be."""
        return self._call("storage.collect_now", {"dry_run": dry_run}, Collection)

    def get_erasure(self, *, erasure: str, workspace: str | None = None) -> Erasure:
        """Show how far an erasure is, and what every room erased."""
        return self._call("storage.get_erasure", {"erasure": erasure, "workspace": workspace}, Erasure)

    def list_collections(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Collection]:
        """List the collections that removed something, newest first."""
        return self._call("storage.list_collections", {"limit": limit, "cursor": cursor}, Page[Collection])

    def list_erasures(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Erasure]:
        """List the erasures of a workspace, newest first; what was erased is told, never whom."""
        return self._call(
            "storage.list_erasures", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Erasure]
        )

    def list_going(
        self, *, workspace: str | None = None, is_due: bool | None = None, limit: int | None = None
    ) -> GoingReport:
        """List what was deleted or has had its time, when it goes for good, and by which rule."""
        return self._call("storage.list_going", {"workspace": workspace, "is_due": is_due, "limit": limit}, GoingReport)

    def repeat_erasure(self, *, erasure: str, workspace: str | None = None) -> Erasure:
        """Carry an erasure out once more, for example when what it could not erase was mended."""
        return self._call("storage.repeat_erasure", {"erasure": erasure, "workspace": workspace}, Erasure)

    def show_storage(self) -> StorageReport:
        """Show what takes how much room on the disk, and how long it is kept."""
        return self._call("storage.show_storage", {}, StorageReport)

    def wait_erasure(self, *, erasure: str, workspace: str | None = None, timeout_s: float | None = None) -> Erasure:
        """Wait until an erasure has come to its end, at most as long as asked."""
        return self._call(
            "storage.wait_erasure", {"erasure": erasure, "workspace": workspace, "timeout_s": timeout_s}, Erasure
        )


class AsyncStorageCalls(AsyncCalls):
    """Operations of storage, for asyncio."""

    async def ask_erasure(
        self, *, values: list[str], workspace: str | None = None, column: str | None = None
    ) -> Erasure:
        """Erase a person everywhere: datasets with every version, records, samples, splits, messages, jobs, files, logs."""
        return await self._call(
            "storage.ask_erasure", {"values": values, "workspace": workspace, "column": column}, Erasure
        )

    async def collect_now(self, *, dry_run: bool | None = None) -> Collection:
        """Remove for good what has had its time and what nobody needs, or only tell what that would be."""
        return await self._call("storage.collect_now", {"dry_run": dry_run}, Collection)

    async def get_erasure(self, *, erasure: str, workspace: str | None = None) -> Erasure:
        """Show how far an erasure is, and what every room erased."""
        return await self._call("storage.get_erasure", {"erasure": erasure, "workspace": workspace}, Erasure)

    async def list_collections(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Collection]:
        """List the collections that removed something, newest first."""
        return await self._call("storage.list_collections", {"limit": limit, "cursor": cursor}, Page[Collection])

    async def list_erasures(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Erasure]:
        """List the erasures of a workspace, newest first; what was erased is told, never whom."""
        return await self._call(
            "storage.list_erasures", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Erasure]
        )

    async def list_going(
        self, *, workspace: str | None = None, is_due: bool | None = None, limit: int | None = None
    ) -> GoingReport:
        """List what was deleted or has had its time, when it goes for good, and by which rule."""
        return await self._call(
            "storage.list_going", {"workspace": workspace, "is_due": is_due, "limit": limit}, GoingReport
        )

    async def repeat_erasure(self, *, erasure: str, workspace: str | None = None) -> Erasure:
        """Carry an erasure out once more, for example when what it could not erase was mended."""
        return await self._call("storage.repeat_erasure", {"erasure": erasure, "workspace": workspace}, Erasure)

    async def show_storage(self) -> StorageReport:
        """Show what takes how much room on the disk, and how long it is kept."""
        return await self._call("storage.show_storage", {}, StorageReport)

    async def wait_erasure(
        self, *, erasure: str, workspace: str | None = None, timeout_s: float | None = None
    ) -> Erasure:
        """Wait until an erasure has come to its end, at most as long as asked."""
        return await self._call(
            "storage.wait_erasure", {"erasure": erasure, "workspace": workspace, "timeout_s": timeout_s}, Erasure
        )
