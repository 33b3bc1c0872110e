"""Search, needs, activity, lineage, and specs in and out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import or_, select

from aimass.access import closed_workspaces
from aimass.apps.overview.domain import (
    Activity,
    ApplySpecs,
    Find,
    Finding,
    InWorkspace,
    Lineage,
    LineageEdge,
    LineageNode,
    ListActivity,
    Need,
    SpecChange,
    TraceLineage,
)
from aimass.apps.overview.service.situation import Situations
from aimass.infra.database import Database, events_log, lineage_edges
from aimass.infra.search import Search
from aimass.kernel.capability import Capabilities, load
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import SIGNED_IN, use_case

_NEWEST = 60


def build(registry: Registry) -> Overview:
    """Build the service."""
    return Overview(registry)


class Overview(Situations):
    """What looks across all rooms."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._database = registry.get(Database)

    @use_case("GET /search", permission=SIGNED_IN, cli="search")
    def search(self, who: Principal, command: Find) -> list[Finding]:
        """Find datasets, models, services, jobs, people and pages by their words."""
        hits = self._registry.get(Search).find(who, command.q, kind=command.kind, limit=command.limit)
        closed = closed_workspaces(self._registry) if hits else ()
        found = [hit for hit in hits if hit.workspace not in closed]
        return [Finding(kind=h.kind, key=h.key, workspace=h.workspace, title=h.title, href=h.href) for h in found]

    @use_case("GET /workspaces/{workspace}/attention", permission="access.read", cli="attention")
    def list_needs(self, who: Principal, command: InWorkspace) -> list[Need]:
        """List what needs somebody: alerts, failed jobs, reviews and approvals, newest first."""
        hooks = [load(c.attention) for c in self._registry.get(Capabilities) if c.attention]
        found = [Need(**need) for hook in hooks for need in hook(self._registry, who, command.workspace)]
        mine = [need for need in found if need.workspace in (command.workspace, ANYWHERE)]
        return sorted(mine, key=lambda need: need.since, reverse=True)

    @use_case("GET /workspaces/{workspace}/activity", permission="access.read", cli="activity")
    def list_activity(self, who: Principal, command: ListActivity) -> list[Activity]:
        """List the latest facts of the event log."""
        query = select(events_log).where(events_log.c.workspace == command.workspace).order_by(events_log.c.seq.desc())
        if command.trace:
            query = query.where(events_log.c.trace == command.trace)
        with self._database.read() as conn:
            rows = conn.execute(query.limit(command.limit)).all()
        names = Activity.__slots__
        return [Activity(**{name: getattr(row, name) for name in names}) for row in rows]

    @use_case("GET /workspaces/{workspace}/lineage", permission="lake.read", cli="lineage")
    def trace_lineage(self, who: Principal, command: TraceLineage) -> Lineage:
        """Follow where an object came from and what came of it."""
        start = (command.kind, command.id)
        levels, edges = {start: 0}, dict[str, LineageEdge]()
        for direction in (-1, 1):
            front = [start]
            for level in range(1, command.hops + 1):
                front = self._next(command.workspace, front, direction, level, levels, edges)
        nodes = [LineageNode(kind=kind, id=id_, level=level) for (kind, id_), level in levels.items()]
        return Lineage(nodes=nodes, edges=list(edges.values()))

    def _next(
        self,
        workspace: str,
        front: list[tuple[str, str]],
        direction: int,
        level: int,
        levels: dict[tuple[str, str], int],
        edges: dict[str, LineageEdge],
    ) -> list[tuple[str, str]]:
        if not front:
            return []
        near, far = ("dst", "src") if direction < 0 else ("src", "dst")
        columns = lineage_edges.c
        match = [(columns[f"{near}_kind"] == kind) & (columns[f"{near}_id"] == id_) for kind, id_ in front]
        with self._database.read() as conn:
            rows = conn.execute(select(lineage_edges).where(columns.workspace == workspace, or_(*match))).all()
        found: list[tuple[str, str]] = []
        for row in rows:
            edges[row.id] = LineageEdge(
                source=f"{row.src_kind}:{row.src_id}", target=f"{row.dst_kind}:{row.dst_id}", via=row.via, time=row.time
            )
            other = (getattr(row, f"{far}_kind"), getattr(row, f"{far}_id"))
            if other not in levels:
                levels[other] = direction * level
                found.append(other)
        return found

    def newest_lineage(self, who: Principal, command: InWorkspace) -> list[LineageNode]:
        """Return what lately came of something, the newest first: where to begin to look."""
        who.need("lake.read", command.workspace)
        columns = lineage_edges.c
        query = select(columns.dst_kind, columns.dst_id).where(columns.workspace == command.workspace)
        with self._database.read() as conn:
            rows = conn.execute(query.order_by(columns.time.desc(), columns.id.desc()).limit(_NEWEST)).all()
        return [LineageNode(kind=kind, id=id_, level=0) for kind, id_ in dict.fromkeys(map(tuple, rows))]

    @use_case("GET /workspaces/{workspace}/specs", permission="access.read")
    def export_specs(self, who: Principal, command: InWorkspace) -> list[dict[str, Any]]:
        """Write everything that has a spec as documents; applying them again changes nothing."""
        documents: list[dict[str, Any]] = []
        for kind in self._kinds().values():
            documents += kind.export(self._registry, who, command.workspace)
        return documents

    @use_case("POST /workspaces/{workspace}/specs", permission="access.read")
    def apply_specs(self, who: Principal, command: ApplySpecs) -> list[SpecChange]:
        """Create or change what the documents describe; each kind asks for its own permission."""
        kinds = self._kinds()
        for document in command.documents:
            if document.get("kind") not in kinds:
                raise Invalid(
                    f"there is no kind {document.get('kind')!r}",
                    field="kind",
                    value=document.get("kind"),
                    allowed=sorted(kinds),
                )
            if not isinstance(document.get("name"), str):
                raise Invalid("a document needs a name", field="name", value=document.get("name"))
        order = {name: number for number, name in enumerate(kinds)}
        wanted = sorted(command.documents, key=lambda d: order[d["kind"]])
        for document in (
            () if command.dry_run else wanted
        ):  # one that breaks a rule is refused before another one counts
            with suppress(NotFound, Conflict):  # it may need what an earlier document makes
                self._apply(who, command, document, dry_run=True)
        present = {
            name: kinds[name].export(self._registry, who, command.workspace) for name in {d["kind"] for d in wanted}
        }
        return [
            _change(document, present[document["kind"]], *self._apply(who, command, document, dry_run=command.dry_run))
            for document in wanted
        ]

    def _apply(
        self, who: Principal, command: ApplySpecs, document: dict[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        kind = self._kinds()[document["kind"]]
        return kind.apply(self._registry, who, command.workspace, document, dry_run=dry_run)

    def _kinds(self) -> dict[str, Any]:
        return {name: load(face) for c in self._registry.get(Capabilities) for name, face in c.kinds.items()}


def _change(document: dict[str, Any], present: list[dict[str, Any]], action: str, fields: list[str]) -> SpecChange:
    """Tell what applying a document does, with the values that differ."""
    name = document["name"]
    before = next((known for known in present if known["name"] == name), {})
    return SpecChange(
        kind=document["kind"],
        name=name,
        action=action,
        fields=fields,
        before={field: before[field] for field in fields if field in before},
        after={field: document[field] for field in fields if field in document},
    )
