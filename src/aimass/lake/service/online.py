"""Online values: renewed by a job, stored in parts, looked up by entity."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.events import FEATURES_MATERIALISED, MATERIALISING, MATERIALISING_FAILED
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

    @use_case(f"GET {_ONLINE}", permission="lake.use", cli="features find", on="feature_view")
    def find_features(self, who: Principal, command: FindFeatures) -> OnlineValues:
        """Look up the newest known features of one entity."""
        with self._database.read() as conn:
            row = view_row(conn, command.workspace, command.feature_view)
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
            view = _only(view_of(row), command.features)
            keys = [entity_of(view, entity) for entity in command.entities]
            found = find_values(conn, row.id, row.generation, [key_of(one) for one in keys])
        now = self._database.clock.now()
        return [told(view, one, found.get(key_of(one)), now) for one in keys]

    def follow_source(self, workspace: str, dataset: str) -> int:
        """Renew the online values of the views that follow a dataset, which has a new version; return how many."""
        with self._database.read() as conn:
            following = [view_of(row) for row in followers(conn, workspace)]
        begun = 0
        for view in following:
            definition = definition_of(view)
            sources = self._sources(SYSTEM, workspace, [definition], {})
            if dataset in {source.dataset for source in sources} and not self._is_under_way(view, sources):
                self._renew_online(SYSTEM, view, sources, full=False)
                begun += 1
        return begun

    def values_computed(self, job: Job) -> None:
        """Note that the values of a renewal are there; the loop stores them."""
        result = dict(job.result or {})
        with self._database.change(_system(job), job.workspace) as change:
            row = materialisation_row(change.conn, job.subject.partition(":")[2])
            if row is not None and row.state == "RUNNING" and row.position < 0:
                definition = {**row.definition, "later": result["later"], "values": result["rows"]}
                put_materialisation(change, row.id, mode=result["mode"], position=0, definition=definition)

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
        definition = definition_of(view)
        with self._database.change(who, view.workspace) as change:
            row = view_row(change.conn, view.workspace, view.slug)
            is_whole = full or view.dataset is None or row.online_digest != digest_of(definition)
            is_whole = is_whole or [one.dataset for one in view.online_from] != [one.dataset for one in sources]
            id_, since = new_id(), None if is_whole else view.online_from[0].delta_version
            generation = next_generation(change.conn, row.id) if is_whole else row.generation
            job = self._ground.jobs.enqueue(change, self._order(view, sources, id_, since))
            values: dict[str, Any] = {"id": id_, "workspace": view.workspace, "view_id": view.id, "view": view.slug}
            values |= {"mode": "full" if is_whole else "incremental", "state": "RUNNING", "generation": generation}
            values |= {"definition": {"digest": digest_of(definition)}, "sources": [asdict(one) for one in sources]}
            values |= {"rows": 0, "removed": 0, "position": -1, "job": job.id}
            add_materialisation(change, {**values, "created_by": who.id, "created_at": change.now})
            facts = {"renewal": id_, "mode": values["mode"], "sources": len(sources)}
            tell_view(change, MATERIALISING, view.slug, facts)
            row = materialisation_row(change.conn, id_)
            if row is None:
                raise NotFound(f"there is no renewal {id_!r}", field="materialisation", value=id_)
            return materialisation_of(row)

    def _order(self, view: FeatureView, sources: list[SourceVersion], id_: str, since: int | None) -> SubmitJob:
        tables = dict[str, dict[str, Any]]()
        author = Principal(id=view.created_by, name=view.created_by, kind="system")
        for source in sources:
            at = self.locate(author, view.workspace, source.dataset, source.number)
            tables[source.dataset] = {"path": at.path, "version": at.delta_version}
            if at.path != str(self.table_path(view.workspace, source.dataset)):
                since = None  # a copy of what the author sees has no history to go on from
        known = {**definition_of(view), "known": list(tables)}
        payload = {"view": known, "tables": tables, "since": since, "now": instant(self._database.clock.now())}
        return SubmitJob(
            workspace=view.workspace,
            kind=MATERIALISE,
            title=f"Renew the online values of {view.slug}",
            payload=payload,
            subject=f"materialisation:{id_}",
        )


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
