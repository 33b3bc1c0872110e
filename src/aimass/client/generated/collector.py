"""Methods of collector. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.collector_types import (
    Answer,
    Collection,
    ColumnPlan,
    Connection,
    ConnectorInfo,
    DriftNote,
    DriftProposal,
    Examples,
    FoundStream,
    Inbox,
    LoadedColumn,
    MendedRow,
    NewHook,
    Preview,
    Proposal,
    Quarantined,
    Source,
    StreamWish,
)
from aimass.kernel.pages import Page


class CollectorCalls(Calls):
    """Operations of collector."""

    def cancel_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Cancel a collection; rows that were not committed are not stored."""
        return self._call("collector.cancel_collection", {"collection": collection, "workspace": workspace}, Collection)

    def change_connection(
        self,
        *,
        connection: str,
        workspace: str | None = None,
        name: str | None = None,
        parameters: dict[str, Any] | None = None,
        expected_version: int | None = None,
    ) -> Connection:
        """Change a connection; a secret that is left out, or is ``***``, stays as it is."""
        return self._call(
            "collector.change_connection",
            {
                "connection": connection,
                "workspace": workspace,
                "name": name,
                "parameters": parameters,
                "expected_version": expected_version,
            },
            Connection,
        )

    def change_reading(
        self,
        *,
        source: str,
        workspace: str | None = None,
        columns: list[LoadedColumn] | None = None,
        stream_parameters: dict[str, Any] | None = None,
        reading: Literal["full", "incremental", "changes", "stream"] | None = None,
        into: Literal["append", "replace", "merge"] | None = None,
        keys: list[str] | None = None,
        cursor: str | None = None,
        lag_s: float | None = None,
        drift: Literal["evolve", "propose", "freeze"] | None = None,
        poison: Literal["skip", "stop"] | None = None,
        with_run: bool | None = None,
        every_s: float | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Change how a source of a connection is read; what is left out stays."""
        return self._call(
            "collector.change_reading",
            {
                "source": source,
                "workspace": workspace,
                "columns": columns,
                "stream_parameters": stream_parameters,
                "reading": reading,
                "into": into,
                "keys": keys,
                "cursor": cursor,
                "lag_s": lag_s,
                "drift": drift,
                "poison": poison,
                "with_run": with_run,
                "every_s": every_s,
                "expected_version": expected_version,
            },
            Source,
        )

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

    def check_connection(self, *, connection: str, workspace: str | None = None) -> Answer:
        """Try whether a connection answers; what is wrong is the answer, not an error."""
        return self._call("collector.check_connection", {"connection": connection, "workspace": workspace}, Answer)

    def close_hook(self, *, source: str, workspace: str | None = None) -> None:
        """Take no webhooks any more: address and secrets are gone for good; what came is collected."""
        return self._call("collector.close_hook", {"source": source, "workspace": workspace}, None)

    def collect_streams(
        self,
        *,
        connection: str,
        streams: list[StreamWish],
        workspace: str | None = None,
        reading: Literal["full", "incremental", "changes", "stream"] | None = None,
        into: Literal["append", "replace", "merge"] | None = None,
        lag_s: float | None = None,
        drift: Literal["evolve", "propose", "freeze"] | None = None,
        poison: Literal["skip", "stop"] | None = None,
        max_reject_rate: float | None = None,
        with_run: bool | None = None,
        every_s: float | None = None,
    ) -> list[Source]:
        """Make a source, and its dataset, of each stream that is named; all of them or none."""
        return self._call(
            "collector.collect_streams",
            {
                "connection": connection,
                "streams": streams,
                "workspace": workspace,
                "reading": reading,
                "into": into,
                "lag_s": lag_s,
                "drift": drift,
                "poison": poison,
                "max_reject_rate": max_reject_rate,
                "with_run": with_run,
                "every_s": every_s,
            },
            list[Source],
        )

    def create_connection(
        self, *, name: str, connector: str, workspace: str | None = None, parameters: dict[str, Any] | None = None
    ) -> Connection:
        """Create a connection; its secrets are sealed and never shown again."""
        return self._call(
            "collector.create_connection",
            {"name": name, "connector": connector, "workspace": workspace, "parameters": parameters},
            Connection,
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

    def decide_drift(
        self,
        *,
        source: str,
        decision: Literal["accept", "reject", "reopen"],
        workspace: str | None = None,
        columns: list[str] | None = None,
        types: dict[str, Literal["string", "integer", "float", "boolean", "timestamp", "date", "json"]] | None = None,
    ) -> list[DriftProposal]:
        """Accept or reject what is proposed, all of it or some columns; later collections obey."""
        return self._call(
            "collector.decide_drift",
            {"source": source, "decision": decision, "workspace": workspace, "columns": columns, "types": types},
            list[DriftProposal],
        )

    def delete_connection(self, *, connection: str, workspace: str | None = None) -> None:
        """Delete a connection; its secrets are erased at once. Sources that use it have to go first."""
        return self._call("collector.delete_connection", {"connection": connection, "workspace": workspace}, None)

    def delete_source(self, *, source: str, workspace: str | None = None) -> None:
        """Delete a source; the dataset and its versions stay, rows that were pushed and wait go with it."""
        return self._call("collector.delete_source", {"source": source, "workspace": workspace}, None)

    def describe_stream(
        self,
        *,
        connection: str,
        stream: str,
        workspace: str | None = None,
        stream_parameters: dict[str, Any] | None = None,
    ) -> FoundStream:
        """Show one stream of a connection with its columns as they are now."""
        return self._call(
            "collector.describe_stream",
            {
                "connection": connection,
                "stream": stream,
                "workspace": workspace,
                "stream_parameters": stream_parameters,
            },
            FoundStream,
        )

    def discover_streams(self, *, connection: str, workspace: str | None = None) -> list[FoundStream]:
        """List what a connection offers: tables, topics, files, with their columns."""
        return self._call(
            "collector.discover_streams", {"connection": connection, "workspace": workspace}, list[FoundStream]
        )

    def get_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Show a collection."""
        return self._call("collector.get_collection", {"collection": collection, "workspace": workspace}, Collection)

    def get_connection(self, *, connection: str, workspace: str | None = None) -> Connection:
        """Show a connection; secrets are shown as ``***``."""
        return self._call("collector.get_connection", {"connection": connection, "workspace": workspace}, Connection)

    def get_inbox(self, *, source: str, workspace: str | None = None) -> Inbox:
        """Show what was pushed to a source and waits, when something came last, and the addresses to push to."""
        return self._call("collector.get_inbox", {"source": source, "workspace": workspace}, Inbox)

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

    def list_connections(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Connection]:
        """List the connections of a workspace; secrets are shown as ``***``."""
        return self._call(
            "collector.list_connections", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Connection]
        )

    def list_connectors(self) -> list[ConnectorInfo]:
        """List the connectors that are installed, with what they want to know."""
        return self._call("collector.list_connectors", {}, list[ConnectorInfo])

    def list_drift(
        self, *, source: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[DriftNote]:
        """List what changed at the origin of a source, and what its policy made of it; the newest first."""
        return self._call(
            "collector.list_drift",
            {"source": source, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[DriftNote],
        )

    def list_proposals(
        self,
        *,
        source: str,
        workspace: str | None = None,
        state: Literal["WAITING", "ACCEPTED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DriftProposal]:
        """List the columns and types of an origin that wait for an approval, or got one; the newest first."""
        return self._call(
            "collector.list_proposals",
            {"source": source, "workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[DriftProposal],
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

    def pause_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Pause a source: nothing is collected until it is resumed; a collection that runs is cancelled."""
        return self._call("collector.pause_source", {"source": source, "workspace": workspace}, Source)

    def pin_types(
        self,
        *,
        source: str,
        columns: list[ColumnPlan],
        workspace: str | None = None,
        format: Literal[
            "csv", "ndjson", "json", "xml", "fixed", "xlsx", "parquet", "arrow", "avro", "orc", "wav", "pictures"
        ]
        | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        null_values: list[str] | None = None,
        sheet: str | None = None,
        skip_rows: int | None = None,
        record_path: str | None = None,
        widths: list[int] | None = None,
        sample_rate: int | None = None,
        clip_ms: int | None = None,
        width: int | None = None,
        height: int | None = None,
        channels: Literal[0, 1, 3] | None = None,
        fit: Literal["", "letterbox", "stretch"] | None = None,
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
                "sheet": sheet,
                "skip_rows": skip_rows,
                "record_path": record_path,
                "widths": widths,
                "sample_rate": sample_rate,
                "clip_ms": clip_ms,
                "width": width,
                "height": height,
                "channels": channels,
                "fit": fit,
                "expected_version": expected_version,
            },
            Source,
        )

    def preview_stream(
        self,
        *,
        connection: str,
        stream: str,
        workspace: str | None = None,
        stream_parameters: dict[str, Any] | None = None,
        columns: list[LoadedColumn] | None = None,
        limit: int | None = None,
    ) -> Preview:
        """Show a few rows of a stream as they would be stored; nothing is kept."""
        return self._call(
            "collector.preview_stream",
            {
                "connection": connection,
                "stream": stream,
                "workspace": workspace,
                "stream_parameters": stream_parameters,
                "columns": columns,
                "limit": limit,
            },
            Preview,
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

    def resume_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Resume a source: it goes on from where its last commit ended."""
        return self._call("collector.resume_source", {"source": source, "workspace": workspace}, Source)

    def set_hook(
        self,
        *,
        source: str,
        workspace: str | None = None,
        scheme: Literal["github", "stripe", "standard"] | None = None,
        secret: str | None = None,
        keep_h: float | None = None,
    ) -> NewHook:
        """Take webhooks at an address of its own, or change their secret; the one before stays valid for a while."""
        return self._call(
            "collector.set_hook",
            {"source": source, "workspace": workspace, "scheme": scheme, "secret": secret, "keep_h": keep_h},
            NewHook,
        )

    def show_examples(
        self, *, source: str, column: str, workspace: str | None = None, limit: int | None = None
    ) -> Examples:
        """Show values of a proposed column as they came; for those who see the whole dataset alone."""
        return self._call(
            "collector.show_examples",
            {"source": source, "column": column, "workspace": workspace, "limit": limit},
            Examples,
        )

    def start_collection(
        self,
        *,
        source: str,
        workspace: str | None = None,
        upload: str | None = None,
        filename: str | None = None,
        reading: Literal["full"] | None = None,
        since: str | None = None,
        until: str | None = None,
        key: str | None = None,
    ) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        return self._call(
            "collector.start_collection",
            {
                "source": source,
                "workspace": workspace,
                "upload": upload,
                "filename": filename,
                "reading": reading,
                "since": since,
                "until": until,
                "key": key,
            },
            Collection,
        )


class AsyncCollectorCalls(AsyncCalls):
    """Operations of collector, for asyncio."""

    async def cancel_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Cancel a collection; rows that were not committed are not stored."""
        return await self._call(
            "collector.cancel_collection", {"collection": collection, "workspace": workspace}, Collection
        )

    async def change_connection(
        self,
        *,
        connection: str,
        workspace: str | None = None,
        name: str | None = None,
        parameters: dict[str, Any] | None = None,
        expected_version: int | None = None,
    ) -> Connection:
        """Change a connection; a secret that is left out, or is ``***``, stays as it is."""
        return await self._call(
            "collector.change_connection",
            {
                "connection": connection,
                "workspace": workspace,
                "name": name,
                "parameters": parameters,
                "expected_version": expected_version,
            },
            Connection,
        )

    async def change_reading(
        self,
        *,
        source: str,
        workspace: str | None = None,
        columns: list[LoadedColumn] | None = None,
        stream_parameters: dict[str, Any] | None = None,
        reading: Literal["full", "incremental", "changes", "stream"] | None = None,
        into: Literal["append", "replace", "merge"] | None = None,
        keys: list[str] | None = None,
        cursor: str | None = None,
        lag_s: float | None = None,
        drift: Literal["evolve", "propose", "freeze"] | None = None,
        poison: Literal["skip", "stop"] | None = None,
        with_run: bool | None = None,
        every_s: float | None = None,
        expected_version: int | None = None,
    ) -> Source:
        """Change how a source of a connection is read; what is left out stays."""
        return await self._call(
            "collector.change_reading",
            {
                "source": source,
                "workspace": workspace,
                "columns": columns,
                "stream_parameters": stream_parameters,
                "reading": reading,
                "into": into,
                "keys": keys,
                "cursor": cursor,
                "lag_s": lag_s,
                "drift": drift,
                "poison": poison,
                "with_run": with_run,
                "every_s": every_s,
                "expected_version": expected_version,
            },
            Source,
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

    async def check_connection(self, *, connection: str, workspace: str | None = None) -> Answer:
        """Try whether a connection answers; what is wrong is the answer, not an error."""
        return await self._call(
            "collector.check_connection", {"connection": connection, "workspace": workspace}, Answer
        )

    async def close_hook(self, *, source: str, workspace: str | None = None) -> None:
        """Take no webhooks any more: address and secrets are gone for good; what came is collected."""
        return await self._call("collector.close_hook", {"source": source, "workspace": workspace}, None)

    async def collect_streams(
        self,
        *,
        connection: str,
        streams: list[StreamWish],
        workspace: str | None = None,
        reading: Literal["full", "incremental", "changes", "stream"] | None = None,
        into: Literal["append", "replace", "merge"] | None = None,
        lag_s: float | None = None,
        drift: Literal["evolve", "propose", "freeze"] | None = None,
        poison: Literal["skip", "stop"] | None = None,
        max_reject_rate: float | None = None,
        with_run: bool | None = None,
        every_s: float | None = None,
    ) -> list[Source]:
        """Make a source, and its dataset, of each stream that is named; all of them or none."""
        return await self._call(
            "collector.collect_streams",
            {
                "connection": connection,
                "streams": streams,
                "workspace": workspace,
                "reading": reading,
                "into": into,
                "lag_s": lag_s,
                "drift": drift,
                "poison": poison,
                "max_reject_rate": max_reject_rate,
                "with_run": with_run,
                "every_s": every_s,
            },
            list[Source],
        )

    async def create_connection(
        self, *, name: str, connector: str, workspace: str | None = None, parameters: dict[str, Any] | None = None
    ) -> Connection:
        """Create a connection; its secrets are sealed and never shown again."""
        return await self._call(
            "collector.create_connection",
            {"name": name, "connector": connector, "workspace": workspace, "parameters": parameters},
            Connection,
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

    async def decide_drift(
        self,
        *,
        source: str,
        decision: Literal["accept", "reject", "reopen"],
        workspace: str | None = None,
        columns: list[str] | None = None,
        types: dict[str, Literal["string", "integer", "float", "boolean", "timestamp", "date", "json"]] | None = None,
    ) -> list[DriftProposal]:
        """Accept or reject what is proposed, all of it or some columns; later collections obey."""
        return await self._call(
            "collector.decide_drift",
            {"source": source, "decision": decision, "workspace": workspace, "columns": columns, "types": types},
            list[DriftProposal],
        )

    async def delete_connection(self, *, connection: str, workspace: str | None = None) -> None:
        """Delete a connection; its secrets are erased at once. Sources that use it have to go first."""
        return await self._call("collector.delete_connection", {"connection": connection, "workspace": workspace}, None)

    async def delete_source(self, *, source: str, workspace: str | None = None) -> None:
        """Delete a source; the dataset and its versions stay, rows that were pushed and wait go with it."""
        return await self._call("collector.delete_source", {"source": source, "workspace": workspace}, None)

    async def describe_stream(
        self,
        *,
        connection: str,
        stream: str,
        workspace: str | None = None,
        stream_parameters: dict[str, Any] | None = None,
    ) -> FoundStream:
        """Show one stream of a connection with its columns as they are now."""
        return await self._call(
            "collector.describe_stream",
            {
                "connection": connection,
                "stream": stream,
                "workspace": workspace,
                "stream_parameters": stream_parameters,
            },
            FoundStream,
        )

    async def discover_streams(self, *, connection: str, workspace: str | None = None) -> list[FoundStream]:
        """List what a connection offers: tables, topics, files, with their columns."""
        return await self._call(
            "collector.discover_streams", {"connection": connection, "workspace": workspace}, list[FoundStream]
        )

    async def get_collection(self, *, collection: str, workspace: str | None = None) -> Collection:
        """Show a collection."""
        return await self._call(
            "collector.get_collection", {"collection": collection, "workspace": workspace}, Collection
        )

    async def get_connection(self, *, connection: str, workspace: str | None = None) -> Connection:
        """Show a connection; secrets are shown as ``***``."""
        return await self._call(
            "collector.get_connection", {"connection": connection, "workspace": workspace}, Connection
        )

    async def get_inbox(self, *, source: str, workspace: str | None = None) -> Inbox:
        """Show what was pushed to a source and waits, when something came last, and the addresses to push to."""
        return await self._call("collector.get_inbox", {"source": source, "workspace": workspace}, Inbox)

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

    async def list_connections(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Connection]:
        """List the connections of a workspace; secrets are shown as ``***``."""
        return await self._call(
            "collector.list_connections", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Connection]
        )

    async def list_connectors(self) -> list[ConnectorInfo]:
        """List the connectors that are installed, with what they want to know."""
        return await self._call("collector.list_connectors", {}, list[ConnectorInfo])

    async def list_drift(
        self, *, source: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[DriftNote]:
        """List what changed at the origin of a source, and what its policy made of it; the newest first."""
        return await self._call(
            "collector.list_drift",
            {"source": source, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[DriftNote],
        )

    async def list_proposals(
        self,
        *,
        source: str,
        workspace: str | None = None,
        state: Literal["WAITING", "ACCEPTED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DriftProposal]:
        """List the columns and types of an origin that wait for an approval, or got one; the newest first."""
        return await self._call(
            "collector.list_proposals",
            {"source": source, "workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[DriftProposal],
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

    async def pause_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Pause a source: nothing is collected until it is resumed; a collection that runs is cancelled."""
        return await self._call("collector.pause_source", {"source": source, "workspace": workspace}, Source)

    async def pin_types(
        self,
        *,
        source: str,
        columns: list[ColumnPlan],
        workspace: str | None = None,
        format: Literal[
            "csv", "ndjson", "json", "xml", "fixed", "xlsx", "parquet", "arrow", "avro", "orc", "wav", "pictures"
        ]
        | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        null_values: list[str] | None = None,
        sheet: str | None = None,
        skip_rows: int | None = None,
        record_path: str | None = None,
        widths: list[int] | None = None,
        sample_rate: int | None = None,
        clip_ms: int | None = None,
        width: int | None = None,
        height: int | None = None,
        channels: Literal[0, 1, 3] | None = None,
        fit: Literal["", "letterbox", "stretch"] | None = None,
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
                "sheet": sheet,
                "skip_rows": skip_rows,
                "record_path": record_path,
                "widths": widths,
                "sample_rate": sample_rate,
                "clip_ms": clip_ms,
                "width": width,
                "height": height,
                "channels": channels,
                "fit": fit,
                "expected_version": expected_version,
            },
            Source,
        )

    async def preview_stream(
        self,
        *,
        connection: str,
        stream: str,
        workspace: str | None = None,
        stream_parameters: dict[str, Any] | None = None,
        columns: list[LoadedColumn] | None = None,
        limit: int | None = None,
    ) -> Preview:
        """Show a few rows of a stream as they would be stored; nothing is kept."""
        return await self._call(
            "collector.preview_stream",
            {
                "connection": connection,
                "stream": stream,
                "workspace": workspace,
                "stream_parameters": stream_parameters,
                "columns": columns,
                "limit": limit,
            },
            Preview,
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

    async def resume_source(self, *, source: str, workspace: str | None = None) -> Source:
        """Resume a source: it goes on from where its last commit ended."""
        return await self._call("collector.resume_source", {"source": source, "workspace": workspace}, Source)

    async def set_hook(
        self,
        *,
        source: str,
        workspace: str | None = None,
        scheme: Literal["github", "stripe", "standard"] | None = None,
        secret: str | None = None,
        keep_h: float | None = None,
    ) -> NewHook:
        """Take webhooks at an address of its own, or change their secret; the one before stays valid for a while."""
        return await self._call(
            "collector.set_hook",
            {"source": source, "workspace": workspace, "scheme": scheme, "secret": secret, "keep_h": keep_h},
            NewHook,
        )

    async def show_examples(
        self, *, source: str, column: str, workspace: str | None = None, limit: int | None = None
    ) -> Examples:
        """Show values of a proposed column as they came; for those who see the whole dataset alone."""
        return await self._call(
            "collector.show_examples",
            {"source": source, "column": column, "workspace": workspace, "limit": limit},
            Examples,
        )

    async def start_collection(
        self,
        *,
        source: str,
        workspace: str | None = None,
        upload: str | None = None,
        filename: str | None = None,
        reading: Literal["full"] | None = None,
        since: str | None = None,
        until: str | None = None,
        key: str | None = None,
    ) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        return await self._call(
            "collector.start_collection",
            {
                "source": source,
                "workspace": workspace,
                "upload": upload,
                "filename": filename,
                "reading": reading,
                "since": since,
                "until": until,
                "key": key,
            },
            Collection,
        )
