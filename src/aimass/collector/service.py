"""Create sources, confirm their types, collect uploads, and look at what was put aside."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aimass.cluster import CancelJob, Jobs, SubmitJob
from aimass.collector import events, store
from aimass.collector.domain import (
    COLLECT,
    ENDED,
    ChangeSource,
    Collection,
    CreateSource,
    ListCollections,
    ListQuarantine,
    ListSources,
    OneCollection,
    OneSource,
    PinTypes,
    Proposal,
    ProposedColumn,
    ProposeTypes,
    Quarantined,
    QuarantinedRow,
    Source,
    StartCollection,
)
from aimass.infra.blobs import Blobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Change, Database
from aimass.kernel.errors import Conflict, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake import CreateDataset, Lake, NewVersion, OneDataset

_PROPOSE_S = 60.0
_SOURCES = "/workspaces/{workspace}/sources"
_COLLECTIONS = "/workspaces/{workspace}/collections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the room stands on."""

    database: Database
    blobs: Blobs
    jobs: Jobs
    lake: Lake
    warm: WarmChild
    folder: Path


class Collector:
    """Brings data in from where it lives: typed once, exactly once, with nothing lost."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database

    @use_case(f"POST {_SOURCES}", permission="collector.edit", cli="sources create", status=201)
    def create_source(self, who: Principal, command: CreateSource) -> Source:
        """Create a source, and the dataset that it fills when there is none."""
        name = clean_name(command.name)
        slug = slug_of(name)
        dataset = self._dataset(who, command, name)
        with self._database.change(who, command.workspace) as change:
            if store.find_source(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"there is a source {slug!r} already", field="name", value=name, hint="use that one")
            values = {"id": new_id(), "workspace": command.workspace, "slug": slug, "name": name, "kind": "file"}
            values |= {"dataset": dataset, "plan": {}, "mode": command.mode, "deleted_at": None, "version": 1}
            values |= {"max_reject_rate": command.max_reject_rate, "created_by": who.id, "created_at": change.now}
            store.add_source(change, values)
            self._tell(change, events.SOURCE_CREATED, f"source:{slug}", {"dataset": dataset})
        return self._source(command.workspace, slug)

    def _dataset(self, who: Principal, command: CreateSource, name: str) -> str:
        """Return the slug of the dataset to fill; make the dataset when it is missing."""
        wanted = command.dataset or slug_of(name)
        try:
            return self._ground.lake.get_dataset(who, OneDataset(workspace=command.workspace, dataset=wanted)).slug
        except NotFound:
            made = CreateDataset(workspace=command.workspace, name=name, slug=wanted, keys=command.keys)
            return self._ground.lake.create_dataset(who, made).slug

    @use_case(f"GET {_SOURCES}", permission="collector.read", cli="sources list")
    def list_sources(self, who: Principal, command: ListSources) -> Page[Source]:
        """List the sources of a workspace."""
        with self._database.read() as conn:
            rows = store.sources_page(conn, command.workspace, command.cursor, command.limit)
        return page_of(rows, command.limit, lambda s: s.slug)

    @use_case(f"GET {_SOURCES}/{{source}}", permission="collector.read", cli="sources show", on="source")
    def get_source(self, who: Principal, command: OneSource) -> Source:
        """Show a source."""
        return self._source(command.workspace, command.source)

    @use_case(f"PATCH {_SOURCES}/{{source}}", permission="collector.edit", cli="sources change", on="source")
    def change_source(self, who: Principal, command: ChangeSource) -> Source:
        """Change name, mode or the tolerated share of bad rows of a source."""
        values: dict[str, Any] = {}
        if command.name is not None:
            values["name"] = clean_name(command.name)
        for name in ("mode", "max_reject_rate"):
            if getattr(command, name) is not None:
                values[name] = getattr(command, name)
        return self._change(who, command, values, events.SOURCE_CHANGED)

    def _change(self, who: Principal, command: ChangeSource | PinTypes, values: dict[str, Any], event: str) -> Source:
        with self._database.change(who, command.workspace) as change:
            source = store.need_source(change.conn, command.workspace, command.source)
            if command.expected_version not in (None, source.version):
                raise Stale(f"source {source.slug!r} has version {source.version}", value=command.expected_version)
            if values and not store.put_source(change, source, **values):
                raise Stale(f"source {source.slug!r} changed meanwhile")
            self._tell(change, event, f"source:{source.slug}", {"fields": sorted(values)})
        return self._source(command.workspace, command.source)

    @use_case(f"DELETE {_SOURCES}/{{source}}", permission="collector.manage", cli="sources delete", on="source")
    def delete_source(self, who: Principal, command: OneSource) -> None:
        """Delete a source; the dataset and its versions stay."""
        with self._database.change(who, command.workspace) as change:
            source = store.need_source(change.conn, command.workspace, command.source)
            if store.running_of(change.conn, source.id) is not None:
                raise Conflict(f"source {source.slug!r} is collecting", hint="cancel the collection first")
            store.put_source(change, source, deleted_at=change.now)
            self._tell(change, events.SOURCE_DELETED, f"source:{source.slug}", {})

    @use_case(
        "POST /workspaces/{workspace}/uploads/{upload}/proposal", permission="collector.use", cli="sources propose"
    )
    def propose_types(self, who: Principal, command: ProposeTypes) -> Proposal:
        """Propose format and types of an upload from a sample; nothing is pinned by it."""
        path = self._ground.blobs.path(command.upload)
        args = {"path": str(path), "given": {"filename": command.filename, **command.given}}
        told = self._ground.warm.call("aimass.collector.children.propose:propose", args, timeout_s=_PROPOSE_S)
        columns = [ProposedColumn(**_known(ProposedColumn, c)) for c in told["columns"]]
        return Proposal(**_known(Proposal, {**told, "columns": columns}))

    @use_case(f"PUT {_SOURCES}/{{source}}/types", permission="collector.edit", cli="sources pin", on="source")
    def pin_types(self, who: Principal, command: PinTypes) -> Source:
        """Confirm the types of a source; later collections obey, and put aside what does not fit."""
        names = ("format", "delimiter", "quote", "encoding", "header", "null_values")
        plan = {name: getattr(command, name) for name in names} | {"columns": [asdict(c) for c in command.columns]}
        return self._change(who, command, {"plan": plan}, events.SOURCE_PINNED)

    @use_case(
        f"POST {_SOURCES}/{{source}}/collections",
        permission="collector.use",
        cli="sources collect",
        on="source",
        status=201,
        progress=True,
    )
    def start_collection(self, who: Principal, command: StartCollection) -> Collection:
        """Collect an upload as a job; one commit carries the rows, so a repeated or killed job never doubles them."""
        self._ground.blobs.path(command.upload)
        key = command.key or command.upload
        with self._database.change(who, command.workspace) as change:
            source = store.need_source(change.conn, command.workspace, command.source)
            known = store.find_by_key(change.conn, source.id, key)
            if known is not None:
                return known
            if not source.is_pinned:
                raise Conflict(
                    f"the types of source {source.slug!r} are not confirmed", hint="propose and pin them first"
                )
            running = store.running_of(change.conn, source.id)
            if running is not None:
                raise Conflict(
                    f"source {source.slug!r} is collecting", value=running.id, hint="wait for it, or cancel it"
                )
            collection = self._record(change, source, command, key)
        return self._collection(command.workspace, collection)

    def _record(self, change: Change, source: Source, command: StartCollection, key: str) -> str:
        id_, number = new_id(), store.next_number(change.conn, source.id)
        title = f"Collect {command.filename or command.upload[:12]} into {source.dataset}"
        wish = SubmitJob(
            workspace=command.workspace,
            kind=COLLECT,
            title=title,
            payload=self._payload(source, command, id_, number),
            key=id_,
            subject=f"collection:{id_}",
        )
        job = self._ground.jobs.enqueue(change, wish)
        values = {"id": id_, "workspace": command.workspace, "source_id": source.id, "source": source.slug}
        values |= {"dataset": source.dataset, "number": number, "key": key, "upload": command.upload, "job": job.id}
        values |= {"filename": command.filename, "state": "RUNNING", "rows": 0, "quarantined": 0, "size_bytes": 0}
        values |= {"reasons": [], "dataset_version": None, "error": None, "created_by": change.who.id}
        store.add_collection(change, {**values, "created_at": change.now, "ended_at": None})
        change.edge(src=("source", source.id), dst=("collection", id_), via=COLLECT)
        self._tell(
            change, events.COLLECTION_STARTED, f"collection:{id_}", {"source": source.slug, "upload": command.upload}
        )
        return id_

    def _payload(self, source: Source, command: StartCollection, collection: str, number: int) -> dict[str, Any]:
        lake = self._ground.lake
        return {
            "file": str(self._ground.blobs.path(command.upload)),
            "plan": source.plan,
            "target": str(lake.table_path(command.workspace, source.dataset)),
            "quarantine": str(self._quarantine(command.workspace, source.dataset)),
            "source": source.id,
            "batch": number,
            "run": collection,
            "mode": source.mode,
            "max_reject_rate": source.max_reject_rate,
            "describe": lake.describing(command.workspace, source.dataset),
        }

    @use_case(f"GET {_COLLECTIONS}", permission="collector.read", cli="collections list")
    def list_collections(self, who: Principal, command: ListCollections) -> Page[Collection]:
        """List collections, newest first."""
        with self._database.read() as conn:
            rows = store.collections_page(conn, command)
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

    @use_case(
        "GET /workspaces/{workspace}/datasets/{dataset}/quarantine",
        permission="collector.read",
        cli="quarantine list",
        on="dataset",
    )
    def list_quarantine(self, who: Principal, command: ListQuarantine) -> Quarantined:
        """List the rows of a dataset that were put aside, with their text, position and reason."""
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        path = self._quarantine(command.workspace, command.dataset)
        if not path.exists():
            return Quarantined(total=0, rows=[])
        args = {"path": str(path), "offset": command.offset, "limit": command.limit, "columns": list(_QUARANTINE)}
        told = self._ground.warm.call("aimass.collector.children.quarantine:rows", args, timeout_s=_PROPOSE_S)
        return Quarantined(total=told["total"], rows=[QuarantinedRow(**row) for row in told["rows"]])

    # -- what the job's end means

    def collected(self, workspace: str, collection: str, result: dict[str, Any]) -> None:
        """Take over what a collection committed; the same end again changes nothing."""
        found = self._collection(workspace, collection)
        if found.state in ENDED:
            return
        new = NewVersion(
            workspace=workspace,
            dataset=found.dataset,
            described=result["version"],
            origin=f"collection:{collection}",
            sources=(("collection", collection),),
            quarantined=result["quarantined"],
            created_by=found.created_by,
        )
        version = self._ground.lake.add_version(new)
        values = {"rows": result["rows"], "quarantined": result["quarantined"], "size_bytes": result.get("bytes", 0)}
        values |= {"reasons": result["reasons"], "dataset_version": version.number}
        self._end(found, "SUCCEEDED", values, events.COLLECTION_SUCCEEDED)

    def not_collected(
        self, workspace: str, collection: str, error: dict[str, Any] | None, *, is_cancelled: bool
    ) -> None:
        """Note that a collection stored nothing."""
        found = self._collection(workspace, collection)
        if found.state not in ENDED:
            self._end(found, "CANCELLED" if is_cancelled else "FAILED", {"error": error}, events.COLLECTION_FAILED)

    def _end(self, found: Collection, state: str, values: dict[str, Any], event: str) -> None:
        with self._database.change(SYSTEM, found.workspace) as change:
            store.put_collection(change, found.id, state=state, ended_at=change.now, **values)
            facts = {"source": found.source, "dataset": found.dataset, "state": state}
            self._tell(
                change, event, f"collection:{found.id}", facts | {k: v for k, v in values.items() if isinstance(v, int)}
            )

    def _quarantine(self, workspace: str, dataset: str) -> Path:
        return self._ground.folder / workspace / "_quarantine" / dataset

    def _source(self, workspace: str, slug: str) -> Source:
        with self._database.read() as conn:
            return store.need_source(conn, workspace, slug)

    def _collection(self, workspace: str, id_: str) -> Collection:
        with self._database.read() as conn:
            return store.need_collection(conn, workspace, id_)

    @staticmethod
    def _tell(change: Change, event: str, subject: str, facts: dict[str, Any]) -> None:
        change.event(event, subject=subject, data=facts)
        change.audit(event.rpartition(".")[0] + "." + event.rpartition(".")[2], object_=subject, detail=facts)


_QUARANTINE = ("raw", "line", "column", "reason", "source", "run")


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in kind.__dataclass_fields__ if name in values}
