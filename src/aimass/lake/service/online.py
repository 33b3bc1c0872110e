"""Online values: renewed by a job, stored in parts, looked up by entity."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError, Forbidden, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.events import FEATURES_MATERIALISED, MATERIALISING, MATERIALISING_FAILED
from aimass.lake.feature_commands import OneFeatureView
from aimass.lake.feature_tables import view_of, view_row
from aimass.lake.features import FeatureView, SourceVersion, definition_of, digest_of
from aimass.lake.online import (
    FindFeatures,
    FindManyFeatures,
    ListMaterialisations,
    Materialisation,
    MaterialiseFeatures,
    OneMaterialisation,
    OnlineValues,
    entity_of,
    is_behind,
    key_of,
    told,
)
from aimass.lake.online_store import (
    add_materialisation,
    find_values,
    followers,
    materialisation_of,
    materialisation_row,
    materialisations_page,
    next_generation,
    put_materialisation,
)
from aimass.lake.service.feature_views import tell_view
from aimass.lake.service.training_sets import TrainingSets

MATERIALISE = "lake.materialise"
_PATH = "/workspaces/{workspace}/feature-views/{feature_view}"
_ONLINE = "/workspaces/{workspace}/features/online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a renewal reads: versions, where their rows lie that the author of the view sees, and a digest of what he sees.

    Attributes
    ----------
    is_whole
        False when a table is a copy of what policies leave him: that has no history to go on from.
    """

    sources: list[SourceVersion]
    tables: dict[str, dict[str, Any]]
    seen: str
    is_whole: bool


class Online(TrainingSets):
    """Use cases of online values."""

    @use_case(
        f"POST {_PATH}/materialisations",
        permission="lake.edit",
        cli="features materialise",
        on="feature_view",
        status=201,
        progress="lake.get_materialisation",
    )
    def materialise_features(self, who: Principal, command: MaterialiseFeatures) -> Materialisation:
        """Renew the online values of a view as a job: from what was added to the source, or all anew."""
        view = self._view(command.workspace, command.feature_view)
        sources = self._sources(who, command.workspace, [definition_of(view)], {})
        return self._renew_online(who, view, sources, full=command.full)

    @use_case(f"GET {_PATH}/materialisations", permission="lake.read", cli="features renewals", on="feature_view")
    def list_materialisations(self, who: Principal, command: ListMaterialisations) -> Page[Materialisation]:
        """List the renewals of the online values of a view, newest first."""
        with self._database.read() as conn:
            row = view_row(conn, command.workspace, command.feature_view)
            found = materialisations_page(conn, row.id, command.cursor, command.limit)
        return page_of(found, command.limit, lambda one: one.id)

    @use_case(
        f"GET {_PATH}/materialisations/{{materialisation}}",
        permission="lake.read",
        cli="features renewal",
        on="feature_view",
    )
    def get_materialisation(self, who: Principal, command: OneMaterialisation) -> Materialisation:
        """Show one renewal of the online values of a view."""
        with self._database.read() as conn:
            view = view_row(conn, command.workspace, command.feature_view)
            row = materialisation_row(conn, command.materialisation)
        if row is None or row.view_id != view.id:
            raise NotFound(
                f"there is no renewal {command.materialisation!r}",
                field="materialisation",
                value=command.materialisation,
            )
        return materialisation_of(row)

    @use_case(f"GET {_PATH}", permission="lake.read", cli="features show", on="feature_view")
    def get_feature_view(self, who: Principal, command: OneFeatureView) -> FeatureView:
        """Show a feature view: its source, its features, and how fresh its online values are."""
        with self._database.read() as conn:
            row = view_row(conn, command.workspace, command.feature_view)
            found = view_of(row)
            if found.skew and not self._is_seen(conn, who, row):
                return replace(found, skew={**found.skew, "features": []})
        return found

    @use_case(f"GET {_ONLINE}", permission="lake.use", cli="features find", on="feature_view")
    def find_features(self, who: Principal, command: FindFeatures) -> OnlineValues:
        """Look up the newest known features of one entity."""
        with self._database.read() as conn:
            row = view_row(conn, command.workspace, command.feature_view)
            self._need_seen(conn, who, row)
            view, texts = view_of(row), command.entity.split(",") if len(row.entity) > 1 else [command.entity]
            if len(texts) != len(view.entity):
                raise Invalid(
                    f"{view.slug!r} is joined by {len(view.entity)} keys, and {len(texts)} were given",
                    field="entity",
                    value=command.entity,
                    allowed=view.entity,
                )
            keys = entity_of(view, dict(zip(view.entity, texts, strict=True)))
            found = find_values(conn, row.id, row.generation, [key_of(keys)])
        return told(view, keys, found.get(key_of(keys)), self._database.clock.now())

    @use_case(f"POST {_ONLINE}", permission="lake.use", cli="features find-many", on="feature_view")
    def find_many_features(self, who: Principal, command: FindManyFeatures) -> list[OnlineValues]:
        """Look up the newest known features of several entities; the answer has their order."""
        with self._database.read() as conn:
            row = view_row(conn, command.workspace, command.feature_view)
            self._need_seen(conn, who, row)
            view = _only(view_of(row), command.features)
            keys = [entity_of(view, entity) for entity in command.entities]
            found = find_values(conn, row.id, row.generation, [key_of(one) for one in keys])
        now = self._database.clock.now()
        return [told(view, one, found.get(key_of(one)), now) for one in keys]

    def follow_source(self, workspace: str, dataset: str) -> int:
        """Renew the online values of the views that follow a dataset, which has a new version; return how many.

        One that cannot be renewed has a failed renewal with the reason, and does not keep the others from theirs.
        """
        with self._database.read() as conn:
            following = [view_of(row) for row in followers(conn, workspace)]
        begun = 0
        for view in following:
            try:
                begun += self._follow(view, dataset)
            except AimassError as reason:
                self._note_refusal(view, reason)
        return begun

    def _follow(self, view: FeatureView, dataset: str) -> bool:
        if view.dataset not in (None, dataset):
            return False
        sources = self._sources(SYSTEM, view.workspace, [definition_of(view)], {})
        if dataset not in {source.dataset for source in sources} or self._is_under_way(view, sources):
            return False
        self._renew_online(SYSTEM, view, sources, full=False)
        return True

    def _note_refusal(self, view: FeatureView, reason: AimassError) -> None:
        """Note a renewal that could not begin, unless the last one failed for the same reason."""
        with self._database.change(SYSTEM, view.workspace) as change:
            last = materialisations_page(change.conn, view.id, None, 1)
            if last and last[0].error and last[0].error.get("detail") == reason.message:
                return
            id_ = new_id()
            values: dict[str, Any] = {"id": id_, "workspace": view.workspace, "view_id": view.id, "view": view.slug}
            values |= {"mode": "incremental", "state": "RUNNING", "generation": 0, "definition": {}, "sources": []}
            values |= {"rows": 0, "removed": 0, "position": -1, "job": "", "created_by": SYSTEM.id}
            add_materialisation(change, {**values, "created_at": change.now})
            row = materialisation_row(change.conn, id_)
            if row is not None:
                self._end(change, row, "FAILED", error=reason.problem())

    def values_computed(self, job: Job) -> None:
        """Note that the values of a renewal are there; the loop stores them."""
        result = dict(job.result or {})
        with self._database.change(_system(job), job.workspace) as change:
            row = materialisation_row(change.conn, job.subject.partition(":")[2])
            if row is not None and row.state == "RUNNING" and row.position < 0:
                definition = {**row.definition, "later": result["later"], "values": result["rows"]}
                values = {"mode": result["mode"], "position": 0, "definition": definition}
                if (
                    result["mode"] != row.mode
                ):  # files went that it was to go on from: it takes the place of all there is
                    values["generation"] = next_generation(change.conn, row.view_id)
                put_materialisation(change, row.id, **values)

    def values_not_computed(self, job: Job) -> None:
        """Note that a renewal failed or was cancelled; the values of before stay."""
        state = "CANCELLED" if job.state == "CANCELLED" else "FAILED"
        with self._database.change(_system(job), job.workspace) as change:
            row = materialisation_row(change.conn, job.subject.partition(":")[2])
            if row is not None and row.state == "RUNNING":
                self._end(change, row, state, error=dict(job.error) if job.error else None)

    def _end(self, change: Change, row: Row[Any], state: str, **values: Any) -> None:
        put_materialisation(change, row.id, state=state, ended_at=change.now, **values)
        event = FEATURES_MATERIALISED if state == "SUCCEEDED" else MATERIALISING_FAILED
        facts = {"renewal": row.id, "state": state, "mode": row.mode}
        tell_view(change, event, row.view, {**facts, **{n: values[n] for n in ("rows", "removed") if n in values}})

    def _is_under_way(self, view: FeatureView, sources: list[SourceVersion]) -> bool:
        """Tell whether these versions are stored, or are about to be."""
        with self._database.read() as conn:
            known = [one for one in materialisations_page(conn, view.id, None, 5) if one.state == "RUNNING"]
        return any(not is_behind(have, sources) for have in (view.online_from, *(one.sources for one in known)) if have)

    def _renew_online(
        self, who: Principal, view: FeatureView, sources: list[SourceVersion], *, full: bool
    ) -> Materialisation:
        plan = self._plan(view, sources)
        with self._database.change(who, view.workspace) as change:
            return self._begin(change, view, plan, by=who.id, full=full)

    def _plan(self, view: FeatureView, sources: list[SourceVersion]) -> Plan:
        """Find the rows that the author of a view sees; that may copy some, so nobody waits for the database meanwhile."""
        author = Principal(id=view.created_by, name=view.created_by, kind="system")
        with self._database.read() as conn:
            seen = self.seen(conn, author, view.workspace, [source.dataset for source in sources])
        tables = dict[str, dict[str, Any]]()
        for source in sources:
            at = self.locate(author, view.workspace, source.dataset, source.number)
            tables[source.dataset] = {"path": at.path, "version": at.delta_version}
        own = {str(self.table_path(view.workspace, source.dataset)) for source in sources}
        is_whole = all(table["path"] in own for table in tables.values())
        return Plan(sources=sources, tables=tables, seen=seen, is_whole=is_whole)

    def _begin(self, change: Change, view: FeatureView, plan: Plan, *, by: str, full: bool) -> Materialisation:
        """Queue the job of a renewal: from what was added since the last one, if that is possible."""
        row, digest = view_row(change.conn, view.workspace, view.slug), digest_of(definition_of(view))
        is_grown = plan.is_whole and (row.online_digest, row.online_seen) == (digest, plan.seen) and view.dataset
        is_grown = is_grown and [one.dataset for one in view.online_from] == [one.dataset for one in plan.sources]
        id_, since = new_id(), view.online_from[0].delta_version if is_grown and not full else None
        mode, generation = ("incremental", row.generation) if since is not None else ("full", None)
        job = self._ground.jobs.enqueue(change, self._order(view, plan.tables, id_, since))
        values: dict[str, Any] = {"id": id_, "workspace": view.workspace, "view_id": view.id, "view": view.slug}
        values |= {"generation": next_generation(change.conn, row.id) if generation is None else generation}
        values |= {"mode": mode, "state": "RUNNING", "definition": {"digest": digest, "seen": plan.seen}}
        values |= {"sources": [asdict(one) for one in plan.sources], "rows": 0, "removed": 0, "position": -1}
        add_materialisation(change, {**values, "job": job.id, "created_by": by, "created_at": change.now})
        tell_view(change, MATERIALISING, view.slug, {"renewal": id_, "mode": mode, "sources": len(plan.sources)})
        made = materialisation_row(change.conn, id_)
        if made is None:
            raise NotFound(f"there is no renewal {id_!r}", field="materialisation", value=id_)
        return materialisation_of(made)

    def _order(self, view: FeatureView, tables: dict[str, dict[str, Any]], id_: str, since: int | None) -> SubmitJob:
        known = {**definition_of(view), "known": list(tables)}
        payload = {"view": known, "tables": tables, "since": since, "now": instant(self._database.clock.now())}
        return SubmitJob(
            workspace=view.workspace,
            kind=MATERIALISE,
            title=f"Renew the online values of {view.slug}",
            payload=payload,
            subject=f"materialisation:{id_}",
        )

    def _need_seen(self, conn: Connection, who: Principal, row: Row[Any]) -> None:
        """Refuse values that were computed from more, or from others, than policies let somebody see of the sources."""
        if not self._is_seen(conn, who, row):
            raise Forbidden(
                f"the online values of {row.slug!r} show something else than policies let {who.name!r} see",
                field="feature_view",
                value=row.slug,
                hint="query its source instead, or ask for an exemption from its policies",
            )

    def _is_seen(self, conn: Connection, who: Principal, row: Row[Any]) -> bool:
        seen = self.seen(conn, who, row.workspace, [one["dataset"] for one in row.online_from])
        return seen in ("", row.online_seen)


def _only(view: FeatureView, wanted: list[str] | None) -> FeatureView:
    """Return a view with some of its features."""
    known = {feature.name: feature for feature in view.features}
    strange = [name for name in wanted or [] if name not in known]
    if strange:
        raise Invalid(
            f"{view.slug!r} has no feature {strange[0]!r}", field="features", value=strange[0], allowed=list(known)
        )
    return view if wanted is None else replace(view, features=[known[name] for name in wanted])


def _system(job: Job) -> Principal:
    return Principal(id=job.created_by, name=job.created_by, kind="system")
