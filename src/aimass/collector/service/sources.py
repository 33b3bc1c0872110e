"""Sources: where files come from, and how they are read; and the uploads themselves."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aimass.collector.commands import ChangeReading
from aimass.collector.connectors.file.plan import plan_of
from aimass.collector.domain import (
    READING,
    ChangeSource,
    CreateSource,
    ListSources,
    OneSource,
    PinTypes,
    Proposal,
    ProposedColumn,
    ProposeTypes,
    Source,
    Upload,
)
from aimass.collector.events import SOURCE_CHANGED, SOURCE_CREATED, SOURCE_DELETED, SOURCE_PINNED
from aimass.collector.service.ground import Part, known_fields, tell
from aimass.collector.store import (
    add_source,
    find_source,
    need_source,
    need_upload,
    put_source,
    put_upload,
    running_of,
    sources_page,
)
from aimass.collector.store.hooks import drop_hook
from aimass.collector.store.proposals import drop_proposals
from aimass.kernel.errors import Conflict, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake import CreateDataset, OneDataset

_PROPOSE_S = 60.0
_SOURCES = "/workspaces/{workspace}/sources"


class Sources(Part):
    """Use cases of sources."""

    def keep_upload(self, who: Principal, workspace: str, upload: Upload) -> Upload:
        """Note that a workspace has a file; only noted files can be proposed and collected there."""
        with self._database.change(who, workspace) as change:
            if put_upload(change, workspace, upload):
                facts = {"upload": upload.upload, "size": upload.size}
                change.audit("collector.upload.keep", object_=f"upload:{upload.upload}", detail=facts)
        return upload

    @use_case(f"POST {_SOURCES}", permission="collector.edit", cli="sources create", status=201)
    def create_source(self, who: Principal, command: CreateSource) -> Source:
        """Create a source, and the dataset that it fills when there is none."""
        name = clean_name(command.name)
        slug = slug_of(name)
        dataset = self._dataset(who, command, name)
        with self._database.change(who, command.workspace) as change:
            if find_source(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"there is a source {slug!r} already", field="name", value=name, hint="use that one")
            values = {"id": new_id(), "workspace": command.workspace, "slug": slug, "name": name, "kind": "file"}
            values |= {"dataset": dataset, "plan": {}, "mode": command.mode, "deleted_at": None, "version": 1}
            values |= {"max_reject_rate": command.max_reject_rate, "created_by": who.id, "created_at": change.now}
            add_source(change, values)
            tell(change, SOURCE_CREATED, f"source:{slug}", {"dataset": dataset})
        return self._source(command.workspace, slug)

    def _dataset(self, who: Principal, command: CreateSource, name: str) -> str:
        """Return the slug of the dataset to fill; make the dataset when it is missing."""
        wanted = command.dataset or slug_of(name)
        try:
            found = self._ground.lake.get_dataset(who, OneDataset(workspace=command.workspace, dataset=wanted)).slug
        except NotFound:
            made = CreateDataset(workspace=command.workspace, name=name, slug=wanted, keys=command.keys)
            return self._ground.lake.create_dataset(who, made).slug
        who.need("lake.edit", command.workspace, f"dataset:{found}")
        return found

    @use_case(f"GET {_SOURCES}", permission="collector.read", cli="sources list")
    def list_sources(self, who: Principal, command: ListSources) -> Page[Source]:
        """List the sources of a workspace."""
        with self._database.read() as conn:
            rows = sources_page(conn, command.workspace, command.cursor, command.limit)
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
        return self._change(who, command, values, SOURCE_CHANGED)

    def _change(
        self, who: Principal, command: ChangeSource | PinTypes | ChangeReading, values: dict[str, Any], event: str
    ) -> Source:
        with self._database.change(who, command.workspace) as change:
            source = need_source(change.conn, command.workspace, command.source)
            if command.expected_version not in (None, source.version):
                raise Stale(f"source {source.slug!r} has version {source.version}", value=command.expected_version)
            if values and not put_source(change, source, **values):
                raise Stale(f"source {source.slug!r} changed meanwhile")
            tell(change, event, f"source:{source.slug}", {"fields": sorted(values)})
        return self._source(command.workspace, command.source)

    @use_case(f"DELETE {_SOURCES}/{{source}}", permission="collector.manage", cli="sources delete", on="source")
    def delete_source(self, who: Principal, command: OneSource) -> None:
        """Delete a source; the dataset and its versions stay, rows that were pushed and wait go with it."""
        with self._database.change(who, command.workspace) as change:
            source = need_source(change.conn, command.workspace, command.source)
            if running_of(change.conn, source.id) is not None:
                raise Conflict(f"source {source.slug!r} is collecting", hint="cancel the collection first")
            put_source(change, source, deleted_at=change.now)
            drop_hook(change, source.id)
            drop_proposals(change, source.id)
            tell(change, SOURCE_DELETED, f"source:{source.slug}", {})
        self._ground.inboxes.drop(source, self._now_ms())

    @use_case(
        "POST /workspaces/{workspace}/uploads/{upload}/proposal", permission="collector.use", cli="sources propose"
    )
    def propose_types(self, who: Principal, command: ProposeTypes) -> Proposal:
        """Propose format and types of an upload from a sample; nothing is pinned by it."""
        with self._database.read() as conn:
            known = need_upload(conn, command.workspace, command.upload)
        path = self._ground.blobs.path(known.upload)
        args = {"path": str(path), "given": {"filename": command.filename or known.filename, **command.given}}
        told = self._ground.warm.call("aimass.collector.children.propose:propose", args, timeout_s=_PROPOSE_S)
        columns = [ProposedColumn(**known_fields(ProposedColumn, c)) for c in told["columns"]]
        return Proposal(**known_fields(Proposal, {**told, "columns": columns}))

    @use_case(f"PUT {_SOURCES}/{{source}}/types", permission="collector.edit", cli="sources pin", on="source")
    def pin_types(self, who: Principal, command: PinTypes) -> Source:
        """Confirm the types of a source; later collections obey, and put aside what does not fit."""
        if self._source(command.workspace, command.source).connection:
            raise Conflict(
                f"source {command.source!r} reads from a connection", hint="change its reading instead of a format"
            )
        plan = {name: getattr(command, name) for name in READING} | {"columns": [asdict(c) for c in command.columns]}
        plan_of(plan)
        return self._change(who, command, {"plan": plan}, SOURCE_PINNED)
