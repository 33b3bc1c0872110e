"""Sources that read from a connection: one for each stream, with the reading that was confirmed."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from aimass.cluster import CancelJob
from aimass.collector.commands import (
    ChangeReading,
    CollectStreams,
    DriftNote,
    FoundStream,
    ListDrift,
    LoadedColumn,
    OneConnection,
    StreamWish,
)
from aimass.collector.connectors import ConnectorManifest, find_connector
from aimass.collector.domain import PUSHED, Collection, CreateSource, OneSource, Source, StartCollection
from aimass.collector.events import (
    DRIFT_PROPOSED,
    SOURCE_CHANGED,
    SOURCE_CREATED,
    SOURCE_DRIFTED,
    SOURCE_PAUSED,
    SOURCE_RESUMED,
)
from aimass.collector.service.connections import Connections
from aimass.collector.service.ground import tell
from aimass.collector.service.reading import changed_reading, check_columns, check_reading, reading_of, with_added
from aimass.collector.service.sources import Sources
from aimass.collector.store import add_source, find_source, need_source, put_source, running_of
from aimass.collector.store.links import DRIFT, add_drift, drifts_page, known_drifts, need_connection
from aimass.collector.store.proposals import note_proposed, rejected_columns
from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case

_SOURCE = "/workspaces/{workspace}/sources/{source}"
_UNSEEN = ("stream", "push")
PUSHED_IDLE_S = 1.0  # the platform knows what waits, and begins anew at once
IDLE_S = 3.0  # a stream that is silent for so long ends the collection


class Streams(Connections, Sources):
    """Use cases of sources that read from a connection."""

    @use_case(
        "POST /workspaces/{workspace}/connections/{connection}/sources",
        permission="collector.edit",
        cli="connections collect",
        on="connection",
        status=201,
    )
    def collect_streams(self, who: Principal, command: CollectStreams) -> list[Source]:
        """Make a source, and its dataset, of each stream that is named; all of them or none."""
        if not command.streams:
            raise Invalid("no stream is named", field="streams", hint="discover the connection and choose some")
        row = self._need(command.workspace, command.connection)
        manifest = find_connector(row.connector)
        offered = self._offered(who, command)
        planned = [self._planned(command, wish, offered) for wish in command.streams]
        slugs = [slug_of(name) for name, _, _, _ in planned]
        twice = [slug for slug in slugs if slugs.count(slug) > 1]
        if twice:
            raise Conflict(f"two streams would be called {twice[0]!r}", field="streams", value=twice[0])
        self._refuse_taken(command.workspace, slugs)
        datasets = [self._dataset(who, made, name) for name, made, _, _ in planned]
        with self._database.change(who, command.workspace) as change:
            need_connection(change.conn, command.workspace, row.slug)
            for (name, _, reading, columns), dataset in zip(planned, datasets, strict=True):
                told = {"name": name, "dataset": dataset, "kind": manifest.name, "connection": row.slug}
                told |= {"reading": reading, "plan": {"format": "rows", "columns": columns}}
                self._add(change, command, told)
        return [self._source(command.workspace, slug) for slug in slugs]

    def _offered(self, who: Principal, command: CollectStreams) -> dict[str, FoundStream]:
        """Ask once for all streams where several are wanted and nothing more has to be said of them."""
        if len(command.streams) == 1 or any(wish.stream_parameters for wish in command.streams):
            return {}
        found = self.discover_streams(who, OneConnection(workspace=command.workspace, connection=command.connection))
        return {stream.name: stream for stream in found}

    def _planned(
        self, command: CollectStreams, wish: StreamWish, offered: dict[str, FoundStream]
    ) -> tuple[str, CreateSource, dict[str, Any], list[dict[str, Any]]]:
        row = self._need(command.workspace, command.connection)
        manifest = find_connector(row.connector)
        checked = manifest.check_stream(wish.stream_parameters).model_dump(mode="json", exclude_none=True)
        wish = replace(wish, stream_parameters=checked)
        found = offered.get(wish.stream) or self._named(row, wish, manifest)
        columns = check_columns(wish.columns or found.columns)
        reading = reading_of(command, wish, found, manifest)
        name = clean_name(wish.name or wish.stream)
        keys = reading["keys"]
        made = CreateSource(workspace=command.workspace, name=name, dataset=wish.dataset, keys=keys)
        return name, made, reading, columns

    def _named(self, row: Any, wish: StreamWish, manifest: ConnectorManifest) -> FoundStream:
        """Describe a stream; a topic on which nothing has come yet may be collected too, once its columns are named."""
        try:
            return self._described(row, wish)
        except NotFound:
            if not wish.columns or manifest.family not in _UNSEEN:
                raise
            return FoundStream(name=wish.stream, modes=sorted(manifest.modes))

    def _described(self, row: Any, wish: StreamWish) -> FoundStream:
        more = {"stream": wish.stream, "stream_parameters": wish.stream_parameters}
        told = self._ask(row, "discover", more, 120.0)["streams"][0]
        return FoundStream(**{**told, "columns": [LoadedColumn(**column) for column in told["columns"]]})

    def _refuse_taken(self, workspace: str, slugs: list[str]) -> None:
        with self._database.read() as conn:
            taken = [slug for slug in slugs if find_source(conn, workspace, slug) is not None]
        if taken:
            raise Conflict(
                f"there is a source {taken[0]!r} already",
                field="name",
                value=taken[0],
                hint="give the new one another name",
            )

    def _add(self, change: Change, command: CollectStreams, told: dict[str, Any]) -> None:
        slug = slug_of(told["name"])
        if find_source(change.conn, command.workspace, slug) is not None:
            raise Conflict(f"there is a source {slug!r} already", field="name", value=told["name"])
        values = {"id": new_id(), "workspace": command.workspace, "slug": slug, "deleted_at": None, "version": 1}
        into = "replace" if told["reading"]["into"] == "replace" else "append"
        values |= {**told, "mode": into, "max_reject_rate": command.max_reject_rate}
        values |= {"is_paused": False, "progress": {}, "created_by": change.who.id}
        add_source(change, {**values, "created_at": change.now})
        facts = {"dataset": told["dataset"], "connection": told["connection"], "stream": told["reading"]["stream"]}
        tell(change, SOURCE_CREATED, f"source:{slug}", facts)

    @use_case(f"PATCH {_SOURCE}/reading", permission="collector.edit", cli="sources reading", on="source")
    def change_reading(self, who: Principal, command: ChangeReading) -> Source:
        """Change how a source of a connection is read; what is left out stays."""
        source = self._source(command.workspace, command.source)
        manifest = find_connector(_linked(source).kind)
        reading = changed_reading(source.reading, command)
        reading["parameters"] = manifest.check_stream(reading["parameters"]).model_dump(mode="json", exclude_none=True)
        columns = [LoadedColumn(**column) for column in source.plan["columns"]]
        columns = columns if command.columns is None else command.columns
        check_reading(reading, columns, manifest)
        plan = {"format": "rows", "columns": check_columns(columns)}
        return self._change(who, command, {"reading": reading, "plan": plan}, SOURCE_CHANGED)

    @use_case(f"POST {_SOURCE}/pause", permission="collector.use", cli="sources pause", on="source")
    def pause_source(self, who: Principal, command: OneSource) -> Source:
        """Pause a source: nothing is collected until it is resumed; a collection that runs is cancelled."""
        paused = self._pause(who, command, is_paused=True)
        with self._database.read() as conn:
            running = running_of(conn, paused.id)
        if running is not None and running.job is not None:
            self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=command.workspace, job=running.job))
        return paused

    @use_case(f"POST {_SOURCE}/resume", permission="collector.use", cli="sources resume", on="source")
    def resume_source(self, who: Principal, command: OneSource) -> Source:
        """Resume a source: it goes on from where its last commit ended."""
        return self._pause(who, command, is_paused=False)

    def _pause(self, who: Principal, command: OneSource, *, is_paused: bool) -> Source:
        with self._database.change(who, command.workspace) as change:
            source = need_source(change.conn, command.workspace, command.source)
            if source.is_paused != is_paused:
                put_source(change, source, is_paused=is_paused)
                tell(change, SOURCE_PAUSED if is_paused else SOURCE_RESUMED, f"source:{source.slug}", {})
        return self._source(command.workspace, command.source)

    @use_case(f"GET {_SOURCE}/drift", permission="collector.read", cli="sources drift", on="source")
    def list_drift(self, who: Principal, command: ListDrift) -> Page[DriftNote]:
        """List what changed at the origin of a source, and what its policy made of it; the newest first."""
        source = self._source(command.workspace, command.source)
        with self._database.read() as conn:
            rows = drifts_page(conn, source.id, command.cursor, command.limit)
        return page_of(rows, command.limit, lambda note: note.id)

    def load_payload(self, source: Source, command: StartCollection, collection: str) -> dict[str, Any]:
        """Return what the job of a collection from a connection is told."""
        reading, lake = source.reading, self._ground.lake
        opening = self.opening(command.workspace, source.connection)
        is_backfill = command.since is not None or command.until is not None
        mode = command.reading or ("incremental" if is_backfill else reading["mode"])
        if is_backfill and reading["cursor"] is None:
            raise Invalid(
                "a back-fill needs a cursor", field="since", hint="name a cursor in the reading of the source"
            )
        wish = {"stream": reading["stream"], "columns": source.plan["columns"], "mode": mode}
        wish |= {name: reading[name] for name in ("keys", "cursor", "lag_s", "parameters")}
        wish |= {
            "source": source.id,
            "inbox": str(self._ground.inboxes.folder(source)) if source.kind == PUSHED else "",
        }
        with self._database.read() as conn:
            left_out = rejected_columns(conn, source.id)
        into = reading["into"] if mode == "full" or reading["into"] != "replace" else "append"
        return {
            **asdict(opening),
            "connection": source.connection,
            "wish": {**wish, "since": command.since, "until": command.until},
            "into": into,
            "target": str(lake.table_path(command.workspace, source.dataset)),
            "quarantine": str(lake.quarantine_path(command.workspace, source.dataset)),
            "source": source.id,
            "run": collection,
            "known": {name: source.progress[name] for name in ("batch", "state") if name in source.progress},
            "drift": reading["drift"],
            "poison": reading["poison"],
            "with_run": reading["with_run"],
            "left_out": left_out,
            "max_reject_rate": source.max_reject_rate,
            "pace": {"idle_s": PUSHED_IDLE_S if source.kind == PUSHED else IDLE_S},
            "describe": lake.describing(command.workspace, source.dataset),
        }

    def take_over(self, workspace: str, found: Collection, result: dict[str, Any]) -> None:
        """Note where a collection ended, and the columns that the policy added."""
        with self._database.change(SYSTEM, workspace) as change:
            source = find_source(change.conn, workspace, found.source)
            if source is None or not source.connection:
                return
            progress = {"state": result["state"], "batch": result["batch"], "at": instant(change.now)}
            values: dict[str, Any] = {"progress": progress}
            columns = with_added(source.plan["columns"], result["columns"])
            if columns != source.plan["columns"]:
                values["plan"] = {**source.plan, "columns": columns}
            put_source(change, source, **values)
            known = known_drifts(change.conn, source.id)
            about = {"workspace": workspace, "source_id": source.id, "source": source.slug, "collection": found.id}
            new = [note for note in result["drift"] if tuple(note[name] for name in DRIFT) not in known]
            for note in new:
                add_drift(change, {"id": new_id(), **about, **note, "created_at": change.now})
            if new:
                facts = {"collection": found.id, "columns": sorted({note["column"] for note in new})[:20]}
                tell(change, SOURCE_DRIFTED, f"source:{source.slug}", facts)
            proposed = note_proposed(change, about, result.get("proposed") or ())
            if proposed:
                facts = {"collection": found.id, "columns": sorted(proposed)[:20], "count": len(proposed)}
                tell(change, DRIFT_PROPOSED, f"source:{source.slug}", facts)
        self._ground.inboxes.taken(self._source(workspace, source.slug), self._now_ms())


def _linked(source: Source) -> Source:
    """Return a source of a connection, or say that it takes uploads."""
    if not source.connection:
        raise Invalid(
            f"source {source.slug!r} takes uploads", field="source", value=source.slug, hint="pin its types instead"
        )
    return source
