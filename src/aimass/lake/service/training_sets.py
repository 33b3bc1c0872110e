"""Training sets: the rows of a spine joined with feature views as of their moments, built by a job, and built again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import CreateDataset, NewVersion
from aimass.lake.domain import DatasetVersion
from aimass.lake.events import TRAINING_SET_BUILT, TRAINING_SET_FAILED, TRAINING_SET_STARTED
from aimass.lake.feature_commands import JoinFeatures, ListTrainingSets, OneTrainingSet
from aimass.lake.feature_tables import (
    add_set,
    put_set,
    set_by_key,
    set_of,
    set_of_version,
    set_row,
    sets_page,
    words_of,
)
from aimass.lake.features import (
    SourceVersion,
    Spine,
    TrainingSet,
    check_spine,
    column_names,
    definition_of,
)
from aimass.lake.held_store import hold, holds, let_go
from aimass.lake.service.feature_views import FeatureViews
from aimass.lake.service.ground import LONG_S
from aimass.lake.store import any_dataset_row, dataset_row, version_row

JOIN = "lake.join_features"
SPINE = "aimass spine"
_PATH = "/workspaces/{workspace}/training-sets"


class TrainingSets(FeatureViews):
    """Use cases of training sets."""

    @use_case(
        f"POST {_PATH}", permission="lake.edit", cli="features join", status=201, progress="lake.get_training_set"
    )
    def join_features(self, who: Principal, command: JoinFeatures) -> TrainingSet:
        """Build a training set as a job: each row of the spine with what the views knew at its moment.

        A value is taken only if it was true and written down by then, and is not older than its view allows. The versions that
        were read are noted and kept, so that the same rows can be built again.

        Raises
        ------
        Invalid
            A join key is missing or of another type, or two columns would have one name.
        """
        known = self._asked_before(command.workspace, command.key)
        if known is not None:
            return known
        spine = self._spine(who, command)
        slugs = [slug.strip() for text in command.views for slug in text.split(",") if slug.strip()]
        views = [definition_of(self._view(command.workspace, slug)) for slug in dict.fromkeys(slugs)]
        if not views:
            raise Invalid("a training set joins at least one feature view", field="views", value=command.views)
        about = Spine(dataset=spine.dataset, event_time=command.event_time, label=command.label)
        columns = {column.name: column.type for column in spine.columns}
        for view in views:
            check_spine(about, columns, [view], view["entity_types"])
        names = column_names(list(columns), views, full=command.full_names)
        definition: dict[str, Any] = {"spine": {**asdict(about), "columns": list(columns)}, "views": views}
        definition |= {"names": [[*pair, name] for pair, name in names.items()], "by_created": command.by_created}
        sources = [_source(spine), *self._sources(who, command.workspace, views, command.versions)]
        return self._start(who, command, definition, sources)

    @use_case(f"GET {_PATH}", permission="lake.read", cli="features training-sets")
    def list_training_sets(self, who: Principal, command: ListTrainingSets) -> Page[TrainingSet]:
        """List training sets, newest first."""
        wanted = {"view": command.feature_view, "dataset": command.dataset}
        with self._database.read() as conn:
            found = sets_page(conn, command.workspace, wanted, command.cursor, command.limit)
        return page_of(found, command.limit, lambda one: one.id)

    @use_case(f"GET {_PATH}/{{training_set}}", permission="lake.read", cli="features training-set")
    def get_training_set(self, who: Principal, command: OneTrainingSet) -> TrainingSet:
        """Show a training set: what it was built by, from which versions, its checksum, and what the check for leaks found."""
        with self._database.read() as conn:
            return set_of(set_row(conn, command.workspace, command.training_set))

    @use_case(
        f"POST {_PATH}/{{training_set}}/rebuild",
        permission="lake.edit",
        cli="features rebuild",
        status=201,
        progress="lake.get_training_set",
    )
    def rebuild_training_set(self, who: Principal, command: OneTrainingSet) -> TrainingSet:
        """Build a training set again, by the definition and from the versions that it was built by; the checksum is the same.

        Raises
        ------
        Conflict
            The files of a version that it needs were removed.
        """
        before = self.get_training_set(who, command)
        if before.state != "SUCCEEDED":
            raise Conflict(
                f"the training set is {before.state.lower()}", field="training_set", hint="build it with features join"
            )
        for source in before.sources:
            who.need("lake.use", command.workspace, f"dataset:{source.dataset}")
        with self._database.read() as conn:
            is_held = holds(conn, before.id)
        wish = JoinFeatures(workspace=command.workspace, into=before.dataset, views=[], pin=is_held)
        return self._start(who, wish, before.definition, before.sources, before.rebuild_of or before.id)

    def training_set_of(self, workspace: str, dataset: str, number: int) -> TrainingSet | None:
        """Return the training set that is a version of a dataset, for what other rooms made of it; None when it is none."""
        with self._database.read() as conn:
            return set_of_version(conn, workspace, dataset, number)

    def training_set_built(self, job: Job) -> None:
        """Note the version that a join has committed, with its lineage; the same again changes nothing."""
        told, id_ = dict(job.result or {}), job.subject.partition(":")[2]
        with self._database.read() as conn:
            built = set_of(set_row(conn, job.workspace, id_))
        if built.state != "RUNNING":
            return
        versions = [("dataset_version", source.version_id) for source in built.sources]
        views = [("feature_view", view["view"]) for view in built.definition["views"]]
        new = NewVersion(
            workspace=job.workspace,
            dataset=built.dataset,
            described=told["version"],
            origin=f"training_set:{id_}",
            sources=tuple(dict.fromkeys([*versions, *views])),
            created_by=job.created_by,
        )
        made = self.add_version(new)
        with self._database.change(_system(job), job.workspace) as change:
            values = {"rows": made.rows, "digest": told["digest"], "report": told["report"], "number": made.number}
            put_set(change, id_, state="SUCCEEDED", ended_at=change.now, **values)
            facts = {"dataset": built.dataset, "number": made.number, "rows": made.rows, "digest": told["digest"]}
            _tell(change, TRAINING_SET_BUILT, id_, {**facts, "leaks": len(told["report"]["leaks"])})

    def training_set_failed(self, job: Job) -> None:
        """Note that a join made nothing."""
        id_ = job.subject.partition(":")[2]
        with self._database.change(_system(job), job.workspace) as change:
            if set_row(change.conn, job.workspace, id_).state == "RUNNING":
                state = "CANCELLED" if job.state == "CANCELLED" else "FAILED"
                put_set(change, id_, state=state, error=dict(job.error) if job.error else None, ended_at=change.now)
                let_go(change, [id_])
                _tell(change, TRAINING_SET_FAILED, id_, {"state": state})

    def _asked_before(self, workspace: str, key: str | None) -> TrainingSet | None:
        if key is None:
            return None
        with self._database.read() as conn:
            return set_by_key(conn, workspace, key)

    def _spine(self, who: Principal, command: JoinFeatures) -> DatasetVersion:
        """Return the version with the entities and moments; rows that were sent become one first."""
        if (command.spine is None) == (command.entities is None):
            raise Invalid(
                "a training set has one spine: a dataset, or rows", field="spine", allowed="spine or entities"
            )
        dataset = command.spine or self._entities(who, command)
        self.sources_of(who, command.workspace, dataset, None)
        with self._database.read() as conn:
            return self._row(conn, command.workspace, dataset, command.spine_version if command.spine else None)[1]

    def _entities(self, who: Principal, command: JoinFeatures) -> str:
        """Keep rows that were sent as a version of a dataset of their own."""
        dataset = f"{command.into[:54]}-entities"
        self._make_dataset(who, command.workspace, dataset)
        path = str(self.table_path(command.workspace, dataset))
        wish = {"path": path, "rows": command.entities, "event_time": command.event_time, "app_id": new_id()}
        told = self._call("entities:keep", {**wish, "describe": self.describing(command.workspace, dataset)}, LONG_S)
        new = NewVersion(
            workspace=command.workspace, dataset=dataset, described=told["version"], origin="upload", created_by=who.id
        )
        self.add_version(new)
        return dataset

    def _make_dataset(self, who: Principal, workspace: str, dataset: str) -> None:
        """Make the dataset that a training set goes into, unless it is there."""
        with self._database.read() as conn:
            row = any_dataset_row(conn, workspace, dataset)
        if row is None:
            self.create_dataset(who, CreateDataset(workspace=workspace, name=dataset, slug=dataset))
            return
        who.need("lake.edit", workspace, f"dataset:{dataset}")
        with self._database.read() as conn:
            dataset_row(conn, workspace, dataset)

    def _sources(
        self, who: Principal, workspace: str, views: list[dict[str, Any]], versions: dict[str, int]
    ) -> list[SourceVersion]:
        """Settle on the version of each dataset that the views read."""
        used = {slug: None for view in views for slug in self.sources_of(who, workspace, view["dataset"], view["sql"])}
        strange = sorted(set(versions) - set(used))
        if strange:
            raise Invalid(
                f"no view reads dataset {strange[0]!r}", field="versions", value=strange[0], allowed=sorted(used)
            )
        with self._database.read() as conn:
            found = [self._row(conn, workspace, slug, versions.get(slug))[1] for slug in used]
        return [_source(version) for version in found]

    def _start(
        self,
        who: Principal,
        command: JoinFeatures,
        definition: dict[str, Any],
        sources: list[SourceVersion],
        rebuild_of: str | None = None,
    ) -> TrainingSet:
        """Queue the job and keep what it works by, in one change."""
        self._make_dataset(who, command.workspace, command.into)
        id_ = new_id()
        payload = self._payload(who, command, definition, sources)
        wish = SubmitJob(
            workspace=command.workspace,
            kind=JOIN,
            title=f"Join features into {command.into}",
            payload={**payload, "key": id_},
            subject=f"training_set:{id_}",
        )
        with self._database.change(who, command.workspace) as change:
            job = self._ground.jobs.enqueue(change, wish)
            values = {"id": id_, "workspace": command.workspace, "dataset": command.into, "state": "RUNNING"}
            values |= {"title": wish.title, "definition": definition, "sources": [asdict(one) for one in sources]}
            values |= {"views": words_of([view["view"] for view in definition["views"]]), "rebuild_of": rebuild_of}
            values |= {"key": command.key, "job": job.id, "report": {}, "created_by": who.id, "created_at": change.now}
            add_set(change, values)
            if command.pin:
                hold(change, command.workspace, id_, [source.version_id for source in sources])
            facts = {"dataset": command.into, "views": len(definition["views"]), "sources": len(sources)}
            _tell(change, TRAINING_SET_STARTED, id_, facts)
        return self.get_training_set(who, OneTrainingSet(workspace=command.workspace, training_set=id_))

    def _payload(
        self, who: Principal, command: JoinFeatures, definition: dict[str, Any], sources: list[SourceVersion]
    ) -> dict[str, Any]:
        """Return what the job needs: where the rows lie that its author sees, and what is known of personal data in them."""
        workspace, into = command.workspace, command.into
        tables, private = dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
        columns = {name: name for name in definition["spine"]["columns"]}
        columns |= {feature: name for _, feature, name in definition["names"]}
        with self._database.read() as conn:
            for number, source in enumerate(sources):
                row = dataset_row(conn, workspace, source.dataset)
                version_row(conn, row.id, source.number)
                at = self.locate(who, workspace, source.dataset, source.number)
                tables[SPINE if number == 0 else source.dataset] = {"path": at.path, "version": at.delta_version}
                known = {f["column"]: f for f in row.classification}
                private |= {new: {**known[old], "column": new} for old, new in columns.items() if old in known}
            policies = self.policy_marks(conn, workspace, [source.dataset for source in sources])
        views = [{**view, "known": [source.dataset for source in sources[1:]]} for view in definition["views"]]
        told = {
            "tables": tables,
            "inherited": private,
            "policies": policies,
            "describe": self.describing(workspace, into),
        }
        return {**definition, **told, "views": views, "path": str(self.table_path(workspace, into))}


def _source(version: DatasetVersion) -> SourceVersion:
    return SourceVersion(
        dataset=version.dataset, number=version.number, version_id=version.id, delta_version=version.delta_version
    )


def _system(job: Job) -> Principal:
    return Principal(id=job.created_by, name=job.created_by, kind="system")


def _tell(change: Change, event: str, training_set: str, facts: dict[str, Any]) -> None:
    change.event(event, subject=f"training_set:{training_set}", data=facts)
    change.audit(event, object_=f"training_set:{training_set}", detail=facts)
