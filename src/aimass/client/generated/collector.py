"""Methods of collector. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.collector_types import Collection, ColumnPlan, MendedRow, Proposal, Quarantined, Source
from aimass.kernel.pages import Page


class CollectorCalls(Calls):
    """Operations of collector."""

    def cancel_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Cancel a collection; rows that were not committed are not stored."""
        return self._call("collector.cancel_collection", {"collection": collection, "workspace": workspace}, Collection)

    def change_source(
        self,
        *,
        source: str,
        workspace: str | None = None,
        name: str | None = None,
        mode: Literal["append", "replace"] | None = None,
        max_reject_rate: float | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Change name, mode or the tolerated share of bad rows of a source."""
        return self._call(
            "collector.change_source",
            {
                "source": source,
                "workspace": workspace,
                "name": name,
                "mode": mode,
                "max_reject_rate": max_reject_rate,
                "expected_version": expected_version,
            },
            Source,
        )

    def create_source(
        self,
        *,
        name: str,
        workspace: str | None = None,
        dataset: str | None = None,
        keys: list[str] | None = None,
        mode: Literal["append", "replace"] | None = None,
        max_reject_rate: float | None = None,
    ) -> Source:
        """Create a source, and the dataset that it fills when there is none."""
        return self._call(
            "collector.create_source",
            {
                "name": name,
                "workspace": workspace,
                "dataset": dataset,
                "keys": keys,
                "mode": mode,
                "max_reject_rate": max_reject_rate,
            },
            Source,
        )

    def delete_source(self, *, source: str, workspace: str | None = None) -> None:
        """Delete a source; the dataset and its versions stay."""
        return self._call("collector.delete_source", {"source": source, "workspace": workspace}, None)

    def get_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Show a collection."""
        return self._call("collector.get_collection", {"collection": collection, "workspace": workspace}, Collection)

    def get_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Show a source."""
        return self._call("collector.get_source", {"source": source, "workspace": workspace}, Source)

    def list_collections(
        self,
        *,
        workspace: str | None = None,
        source: str | None = None,
        dataset: str | None = None,
        state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Collection]:
        """List collections, newest first."""
        return self._call(
            "collector.list_collections",
            {
                "workspace": workspace,
                "source": source,
                "dataset": dataset,
                "state": state,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Collection],
        )

    def list_quarantine(
        self, *, dataset: str, workspace: str | None = None, offset: int | None = None, limit: int | None = None
    ) -> Quarantined:
        """List the rows of a dataset that were put aside, with their text, position and reason."""
        return self._call(
            "collector.list_quarantine",
            {"dataset": dataset, "workspace": workspace, "offset": offset, "limit": limit},
            Quarantined,
        )

    def list_sources(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Source]:
        """List the sources of a workspace."""
        return self._call(
            "collector.list_sources", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Source]
        )

    def pin_types(
        self,
        *,
        source: str,
        columns: list[ColumnPlan],
        workspace: str | None = None,
        format: Literal["csv", "parquet", "ndjson"] | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        null_values: list[str] | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Confirm the types of a source; later collections obey, and put aside what does not fit."""
        return self._call(
            "collector.pin_types",
            {
                "source": source,
                "columns": columns,
                "workspace": workspace,
                "format": format,
                "delimiter": delimiter,
                "quote": quote,
                "encoding": encoding,
                "header": header,
                "null_values": null_values,
                "expected_version": expected_version,
            },
            Source,
        )

    def propose_types(
        self,
        *,
        upload: str,
        workspace: str | None = None,
        filename: str | None = None,
        given: dict[str, Any] | None = None,
    ) -> Proposal:
        """Propose format and types of an upload from a sample; nothing is pinned by it."""
        return self._call(
            "collector.propose_types",
            {"upload": upload, "workspace": workspace, "filename": filename, "given": given},
            Proposal,
        )

    def replay_quarantine(
        self, *, dataset: str, workspace: str | None = None, rows: list[MendedRow] | None = None, key: str | None = None
    ) -> Job:
        """Read rows of the quarantine again, mended or by the types pinned since; each goes into the dataset once."""
        return self._call(
            "collector.replay_quarantine", {"dataset": dataset, "workspace": workspace, "rows": rows, "key": key}, Job
        )

    def start_collection(
        self,
        *,
        source: str,
        upload: str,
        workspace: str | None = None,
        filename: str | None = None,
        key: str | None = None,
    ) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        return self._call(
            "collector.start_collection",
            {"source": source, "upload": upload, "workspace": workspace, "filename": filename, "key": key},
            Collection,
        )


class AsyncCollectorCalls(AsyncCalls):
    """Operations of collector, for asyncio."""

    async def cancel_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Cancel a collection; rows that were not committed are not stored."""
        return await self._call(
            "collector.cancel_collection", {"collection": collection, "workspace": workspace}, Collection
        )

    async def change_source(
        self,
        *,
        source: str,
        workspace: str | None = None,
        name: str | None = None,
        mode: Literal["append", "replace"] | None = None,
        max_reject_rate: float | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Change name, mode or the tolerated share of bad rows of a source."""
        return await self._call(
            "collector.change_source",
            {
                "source": source,
                "workspace": workspace,
                "name": name,
                "mode": mode,
                "max_reject_rate": max_reject_rate,
                "expected_version": expected_version,
            },
            Source,
        )

    async def create_source(
        self,
        *,
        name: str,
        workspace: str | None = None,
        dataset: str | None = None,
        keys: list[str] | None = None,
        mode: Literal["append", "replace"] | None = None,
        max_reject_rate: float | None = None,
    ) -> Source:
        """Create a source, and the dataset that it fills when there is none."""
        return await self._call(
            "collector.create_source",
            {
                "name": name,
                "workspace": workspace,
                "dataset": dataset,
                "keys": keys,
                "mode": mode,
                "max_reject_rate": max_reject_rate,
            },
            Source,
        )

    async def delete_source(self, *, source: str, workspace: str | None = None) -> None:
        """Delete a source; the dataset and its versions stay."""
        return await self._call("collector.delete_source", {"source": source, "workspace": workspace}, None)

    async def get_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Show a collection."""
        return await self._call(
            "collector.get_collection", {"collection": collection, "workspace": workspace}, Collection
        )

    async def get_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Show a source."""
        return await self._call("collector.get_source", {"source": source, "workspace": workspace}, Source)

    async def list_collections(
        self,
        *,
        workspace: str | None = None,
        source: str | None = None,
        dataset: str | None = None,
        state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Collection]:
        """List collections, newest first."""
        return await self._call(
            "collector.list_collections",
            {
                "workspace": workspace,
                "source": source,
                "dataset": dataset,
                "state": state,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Collection],
        )

    async def list_quarantine(
        self, *, dataset: str, workspace: str | None = None, offset: int | None = None, limit: int | None = None
    ) -> Quarantined:
        """List the rows of a dataset that were put aside, with their text, position and reason."""
        return await self._call(
            "collector.list_quarantine",
            {"dataset": dataset, "workspace": workspace, "offset": offset, "limit": limit},
            Quarantined,
        )

    async def list_sources(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Source]:
        """List the sources of a workspace."""
        return await self._call(
            "collector.list_sources", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Source]
        )

    async def pin_types(
        self,
        *,
        source: str,
        columns: list[ColumnPlan],
        workspace: str | None = None,
        format: Literal["csv", "parquet", "ndjson"] | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        null_values: list[str] | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Confirm the types of a source; later collections obey, and put aside what does not fit."""
        return await self._call(
            "collector.pin_types",
            {
                "source": source,
                "columns": columns,
                "workspace": workspace,
                "format": format,
                "delimiter": delimiter,
                "quote": quote,
                "encoding": encoding,
                "header": header,
                "null_values": null_values,
                "expected_version": expected_version,
            },
            Source,
        )

    async def propose_types(
        self,
        *,
        upload: str,
        workspace: str | None = None,
        filename: str | None = None,
        given: dict[str, Any] | None = None,
    ) -> Proposal:
        """Propose format and types of an upload from a sample; nothing is pinned by it."""
        return await self._call(
            "collector.propose_types",
            {"upload": upload, "workspace": workspace, "filename": filename, "given": given},
            Proposal,
        )

    async def replay_quarantine(
        self, *, dataset: str, workspace: str | None = None, rows: list[MendedRow] | None = None, key: str | None = None
    ) -> Job:
        """Read rows of the quarantine again, mended or by the types pinned since; each goes into the dataset once."""
        return await self._call(
            "collector.replay_quarantine", {"dataset": dataset, "workspace": workspace, "rows": rows, "key": key}, Job
        )

    async def start_collection(
        self,
        *,
        source: str,
        upload: str,
        workspace: str | None = None,
        filename: str | None = None,
        key: str | None = None,
    ) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        return await self._call(
            "collector.start_collection",
            {"source": source, "upload": upload, "workspace": workspace, "filename": filename, "key": key},
            Collection,
        )
