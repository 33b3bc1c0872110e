"""Collections: runs of a source, each one commit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aimass.cluster import CancelJob, SubmitJob
from aimass.collector.commands import LOAD
from aimass.collector.domain import (
    COLLECT,
    ENDED,
    Collection,
    ListCollections,
    OneCollection,
    Source,
    StartCollection,
)
from aimass.collector.events import COLLECTION_FAILED, COLLECTION_STARTED, COLLECTION_SUCCEEDED
from aimass.collector.service.ground import tell
from aimass.collector.service.streams import Streams
from aimass.collector.settings import CollectorSettings
from aimass.collector.store import (
    add_collection,
    collections_page,
    find_by_key,
    find_by_upload,
    need_source,
    need_upload,
    next_number,
    put_collection,
    running_of,
    use_upload,
)
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake import NewVersion

_SOURCES = "/workspaces/{workspace}/sources"
_COLLECTIONS = "/workspaces/{workspace}/collections"


class Collections(Streams):
    """Use cases of collections."""

    @use_case(
        f"POST {_SOURCES}/{{source}}/collections",
        permission="collector.use",
        cli="sources collect",
        on="source",
        status=201,
        progress="collector.get_collection",
    )
    def start_collection(self, who: Principal, command: StartCollection) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        with self._database.change(who, command.workspace) as change:
            source = need_source(change.conn, command.workspace, command.source)
            _check_start(source, command)
            upload = None if source.connection else need_upload(change.conn, command.workspace, command.upload)
            known = _known(change, source, command)
            if known is not None:
                return known
            if upload is not None:
                self._ground.blobs.touch(upload.upload)
                use_upload(change, command.workspace, upload.upload)
                command = replace(command, filename=command.filename or upload.filename)
            if not source.is_pinned:
                raise Conflict(
                    f"the types of source {source.slug!r} are not confirmed", hint="propose and pin them first"
                )
            running = running_of(change.conn, source.id)
            if running is not None:
                raise Conflict(
                    f"source {source.slug!r} is collecting", value=running.id, hint="wait for it, or cancel it"
                )
            collection = self._record(change, source, command)
        return self._collection(command.workspace, collection)

    def _record(self, change: Change, source: Source, command: StartCollection) -> str:
        id_, number = new_id(), next_number(change.conn, source.id)
        key = command.key or f"{command.upload}/{number}"
        what = source.reading["stream"] if source.connection else command.filename or command.upload[:12]
        linked = bool(source.connection)
        wish = SubmitJob(
            workspace=command.workspace,
            kind=LOAD if linked else COLLECT,
            title=f"Collect {what} into {source.dataset}"[:300],
            payload=self.load_payload(source, command, id_) if linked else self._payload(source, command, id_, number),
            key=id_,
            subject=f"collection:{id_}",
        )
        job = self._ground.jobs.enqueue(change, wish)
        values = {"id": id_, "workspace": command.workspace, "source_id": source.id, "source": source.slug}
        values |= {"dataset": source.dataset, "number": number, "key": key, "upload": command.upload, "job": job.id}
        values |= {"filename": command.filename, "state": "RUNNING", "rows": 0, "quarantined": 0, "size_bytes": 0}
        values |= {"reasons": [], "dataset_version": None, "error": None, "created_by": change.who.id}
        values |= {"facts": _facts(source, command) if linked else {}}
        add_collection(change, {**values, "created_at": change.now, "ended_at": None})
        change.edge(src=("source", source.id), dst=("collection", id_), via=COLLECT)
        tell(change, COLLECTION_STARTED, f"collection:{id_}", {"source": source.slug, "upload": command.upload})
        return id_

    def _payload(self, source: Source, command: StartCollection, collection: str, number: int) -> dict[str, Any]:
        lake = self._ground.lake
        return {
            "file": str(self._ground.blobs.path(command.upload)),
            "plan": source.plan,
            "target": str(lake.table_path(command.workspace, source.dataset)),
            "quarantine": str(lake.quarantine_path(command.workspace, source.dataset)),
            "source": source.id,
            "batch": number,
            "run": collection,
            "mode": source.mode,
            "max_reject_rate": source.max_reject_rate,
            "max_unpacked_bytes": CollectorSettings().max_unpacked_bytes,
            "describe": lake.describing(command.workspace, source.dataset),
        }

    @use_case(f"GET {_COLLECTIONS}", permission="collector.read", cli="collections list")
    def list_collections(self, who: Principal, command: ListCollections) -> Page[Collection]:
        """List collections, newest first."""
        with self._database.read() as conn:
            rows = collections_page(conn, command)
        return page_of(rows, command.limit, lambda c: c.id)

    @use_case(f"GET {_COLLECTIONS}/{{collection}}", permission="collector.read", cli="collections show")
    def get_collection(self, who: Principal, command: OneCollection) -> Collection:
        """Show a collection."""
        return self._collection(command.workspace, command.collection)

    @use_case(f"POST {_COLLECTIONS}/{{collection}}/cancel", permission="collector.use", cli="collections cancel")
    def cancel_collection(self, who: Principal, command: OneCollection) -> Collection:
        """Cancel a collection; rows that were not committed are not stored."""
        found = self._collection(command.workspace, command.collection)
        if found.state in ENDED:
            raise Conflict(f"the collection has {found.state.lower()} already", value=found.state)
        if found.job is not None:
            self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=command.workspace, job=found.job))
        return self._collection(command.workspace, command.collection)

    def collected(self, workspace: str, collection: str, result: dict[str, Any]) -> None:
        """Take over what a collection committed; the same end again changes nothing."""
        found = self._collection(workspace, collection)
        if found.state in ENDED:
            return
        number = None
        if result["version"] is not None:
            new = NewVersion(
                workspace=workspace,
                dataset=found.dataset,
                described=result["version"],
                origin=f"collection:{collection}",
                sources=(("collection", collection),),
                quarantined=result["quarantined"],
                created_by=found.created_by,
            )
            number = self._ground.lake.add_version(new).number
        values = {"rows": result["rows"], "quarantined": result["quarantined"], "size_bytes": result.get("bytes", 0)}
        values |= {"reasons": result["reasons"], "dataset_version": number}
        if "batch" in result:
            told = {name: result[name] for name in ("commits", "late", "repeated", "poisoned", "batch", "drift")}
            values["facts"] = {**found.facts, **told}
            self.take_over(workspace, found, result)
        self._end(found, "SUCCEEDED", values, COLLECTION_SUCCEEDED)

    def not_collected(
        self, workspace: str, collection: str, error: dict[str, Any] | None, *, is_cancelled: bool
    ) -> None:
        """Note that a collection stored nothing."""
        found = self._collection(workspace, collection)
        if found.state not in ENDED:
            self._end(found, "CANCELLED" if is_cancelled else "FAILED", {"error": error}, COLLECTION_FAILED)

    def _end(self, found: Collection, state: str, values: dict[str, Any], event: str) -> None:
        with self._database.change(SYSTEM, found.workspace) as change:
            put_collection(change, found.id, state=state, ended_at=change.now, **values)
            facts = {"source": found.source, "dataset": found.dataset, "state": state}
            tell(
                change, event, f"collection:{found.id}", facts | {k: v for k, v in values.items() if isinstance(v, int)}
            )


def _check_start(source: Source, command: StartCollection) -> None:
    """Refuse what a source cannot do."""
    if source.is_paused:
        raise Conflict(f"source {source.slug!r} is paused", field="source", value=source.slug, hint="resume it first")
    if source.connection and command.upload:
        raise Invalid(f"source {source.slug!r} reads from a connection", field="upload", value=command.upload)
    extra = [name for name in ("reading", "since", "until") if getattr(command, name) is not None]
    if extra and not source.connection:
        raise Invalid(f"source {source.slug!r} takes uploads", field=extra[0], value=getattr(command, extra[0]))


def _facts(source: Source, command: StartCollection) -> dict[str, Any]:
    told = {"stream": source.reading["stream"], "reading": command.reading or source.reading["mode"]}
    return {**told, **{name: getattr(command, name) for name in ("since", "until") if getattr(command, name)}}


def _known(change: Change, source: Source, command: StartCollection) -> Collection | None:
    """Return the collection that was asked for before: by its key, else by its upload unless that one failed."""
    if command.key is not None:
        return find_by_key(change.conn, source.id, command.key)
    return None if source.connection else find_by_upload(change.conn, source.id, command.upload)
