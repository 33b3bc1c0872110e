"""What a scoring needs: the version that scores, the columns that feed it, and the job that does the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM, Principal
from aimass.lake import AboutVersion, CreateDataset, DatasetVersion, OneDataset
from aimass.models import Package, read_package
from aimass.serving.domain.placing import Options, options_of
from aimass.serving.domain.scoring import (
    SCORE,
    ScoringPlan,
    StartScoring,
    about_columns,
    check_chosen,
    check_keep,
    every_nth,
    map_inputs,
    output_problems,
    prediction_columns,
)
from aimass.serving.domain.things import Resources
from aimass.serving.events import SCORING_STARTED, scoring_subject
from aimass.serving.library import Target
from aimass.serving.service.ground import need_endpoint, target_of
from aimass.serving.service.trials import Trials
from aimass.serving.store import scorings as store


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What scores: a version with its package, and the endpoint that lends it."""

    target: Target
    folder: Path
    endpoint: Row[Any] | None = None
    revision: Row[Any] | None = None

    @property
    def unseen(self) -> str | None:
        """What the endpoint says about unseen categories, when it says something."""
        said = self.endpoint.unseen if self.endpoint is not None else "model"
        return None if said == "model" else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A scoring that was found to be possible."""

    command: StartScoring
    plan: ScoringPlan
    means: Means
    version: DatasetVersion


class ScoringOrders(Trials):
    """The steps from a wish to a job."""

    def _order(self, who: Principal, command: StartScoring) -> Order:
        """Find everything that a scoring needs, or say what is missing."""
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        if command.to == command.dataset:
            raise Invalid(
                "predictions need a dataset of their own", field="to", value=command.to, hint="name another dataset"
            )
        means = self._means(command)
        lake = self._ground.lake
        wanted = AboutVersion(workspace=command.workspace, dataset=command.dataset, number=command.dataset_version)
        version = lake.get_version(SYSTEM, wanted)
        nulls = lake.count_nulls(SYSTEM, replace(wanted, number=version.number))
        return Order(command=command, plan=_plan(command, means, version, nulls), means=means, version=version)

    def _means(self, command: StartScoring) -> Means:
        if (command.endpoint is None) == (command.model is None):
            raise Invalid("name what scores", field="endpoint", allowed="either 'endpoint', or 'model'")
        if command.endpoint is not None:
            if command.model_version is not None or command.alias is not None:
                raise Invalid(
                    "an endpoint scores with what it runs",
                    field="model_version",
                    value=command.model_version or command.alias,
                    hint="name the model instead of the endpoint",
                )
            revision = self._main(command.workspace, command.endpoint)
            with self._database.read() as conn:
                endpoint = need_endpoint(conn, command.workspace, command.endpoint)
            return Means(
                target=target_of(revision), folder=Path(revision.package), endpoint=endpoint, revision=revision
            )
        if command.model_version is not None and command.alias is not None:
            raise Invalid("an alias and a version were given", field="alias", value=command.alias, hint="give one")
        wanted = command.model_version or command.alias or "champion"
        target = self._library.find(command.workspace, str(command.model), wanted)
        return Means(target=target, folder=self._library.lay_out(target))

    def _make_target(self, who: Principal, order: Order) -> None:
        """Make sure that there is a dataset for the predictions."""
        command, lake = order.command, self._ground.lake
        try:
            lake.get_dataset(SYSTEM, OneDataset(workspace=command.workspace, dataset=command.to))
        except NotFound:
            source = lake.get_dataset(SYSTEM, OneDataset(workspace=command.workspace, dataset=command.dataset))
            keys = source.keys if set(source.keys) <= set(order.plan.keep) else []
            lake.create_dataset(
                who,
                CreateDataset(
                    workspace=command.workspace,
                    name=command.to,
                    slug=command.to,
                    description=f"Predictions of {order.plan.model} for {command.dataset}",
                    keys=keys,
                ),
            )

    def _begin_scoring(self, change: Change, order: Order) -> str:
        command, means, version = order.command, order.means, order.version
        id_ = new_id()
        plan, revision = order.plan, means.revision
        wish = SubmitJob(
            workspace=command.workspace,
            kind=SCORE,
            title=f"Score {version.dataset} version {version.number} with {plan.model} version {plan.model_version}",
            payload=self._payload(id_, change.who, order),
            key=f"{SCORE}:{id_}",
            subject=scoring_subject(id_),
            slots=command.slots,
        )
        job = self._ground.jobs.enqueue(change, wish)
        values = {
            "id": id_,
            "workspace": command.workspace,
            "key": command.key or id_,
            "wish": wish_of(command),
            "title": wish.title,
            "state": "QUEUED",
            "dataset": version.dataset,
            "dataset_version": version.number,
            "dataset_version_id": version.id,
            "target": command.to,
            "target_version": None,
            "endpoint": command.endpoint,
            "deployment": revision.name if revision is not None else None,
            "revision": revision.id if revision is not None else None,
            "model": plan.model,
            "model_version": plan.model_version,
            "columns": {one.input: one.column for one in plan.inputs},
            "keep": plan.keep,
            "mode": command.mode,
            "total": version.rows,
            "rows": 0,
            "rows_per_s": None,
            "job": job.id,
            "error": None,
            "created_by": change.who.name,
            "created_at": change.now,
            "ended_at": None,
        }
        store.add(change, values)
        detail = {name: values[name] for name in ("dataset", "dataset_version", "model", "model_version", "endpoint")}
        detail |= {"to": command.to}
        change.audit("serving.scoring.start", object_=scoring_subject(id_), detail=detail)
        change.event(SCORING_STARTED, subject=scoring_subject(id_), data=detail)
        return id_

    def _payload(self, id_: str, who: Principal, order: Order) -> dict[str, Any]:
        """Return everything that the job needs; it asks nobody."""
        command, plan, means = order.command, order.plan, order.means
        lake, workspace = self._ground.lake, command.workspace
        at = lake.locate(who, workspace, command.dataset, plan.dataset_version)
        known = lake.get_classification(SYSTEM, OneDataset(workspace=workspace, dataset=command.dataset))
        findings = [asdict(one) for one in known if one.column in plan.keep]
        labels = {"workspace": workspace, "model": plan.model, "version": str(plan.model_version)}
        return {
            "workspace": workspace,
            "scoring": id_,
            "source": {"path": at.path, "version": at.delta_version, "rows": at.rows},
            "package": str(means.folder),
            "unseen": means.unseen,
            "inputs": {one.input: one.column for one in plan.inputs},
            "keep": plan.keep,
            "prefix": command.prefix,
            "to": {
                "path": str(lake.table_path(workspace, command.to)),
                "mode": command.mode,
                "private": [one["column"] for one in findings if one["private"]],
            },
            "describe": {"classification": findings, **lake.describing(workspace, command.to)},
            "data": str(self._ground.layout.root),
            "record": _record(who, order),
            "worker": _worker(means.revision),
            "labels": labels | ({"endpoint": command.endpoint} if command.endpoint else {}),
        }


def wish_of(command: StartScoring) -> dict[str, Any]:
    """Return what was wished for, in the form in which it is kept."""
    wish = asdict(command)
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in wish.items()}


def _plan(command: StartScoring, means: Means, version: DatasetVersion, nulls: Mapping[str, int]) -> ScoringPlan:
    package: Package = read_package(means.folder)
    signature = package.manifest.signature
    check_chosen(command.columns, signature.inputs)
    types = {column.name: column.type for column in version.columns}
    inputs = map_inputs(signature.inputs, types, nulls, command.columns)
    made = [name for name, _, _ in prediction_columns(signature.outputs, command.prefix)]
    made += about_columns(command.prefix)
    problems = [one.problem for one in inputs if one.problem] + output_problems(signature.outputs)
    if not version.rows:
        problems.append(f"version {version.number} of {version.dataset!r} has no rows")
    return ScoringPlan(
        dataset=version.dataset,
        dataset_version=version.number,
        rows=version.rows,
        model=means.target.model,
        model_version=means.target.number,
        endpoint=command.endpoint,
        inputs=inputs,
        keep=check_keep(command.keep, list(types), made),
        predictions=made,
        problems=problems,
    )


def _worker(revision: Row[Any] | None) -> dict[str, Any]:
    """Return what a model worker of the job may use, and how it is kept: as its deployment, else as one by default."""
    options = options_of(revision.options) if revision is not None else Options()
    resources = Resources(**revision.resources) if revision is not None else Resources()
    kept = {"isolation": options.isolation, "network": options.network, "device": options.device}
    return {**asdict(resources), **kept}


def _record(who: Principal, order: Order) -> dict[str, Any] | None:
    """Return which rows are recorded, and what every record says; None where no endpoint keeps records."""
    endpoint, revision = order.means.endpoint, order.means.revision
    if endpoint is None or revision is None:
        return None
    wanted = min(order.command.record, int(endpoint.record["sample"] * order.plan.rows))
    head = {
        "workspace": endpoint.workspace,
        "endpoint": endpoint.slug,
        "deployment": revision.name,
        "revision": revision.id,
        "model": revision.model,
        "version": str(revision.model_version),
        "consumer": who.name,
    }
    return {"every": every_nth(order.plan.rows, wanted), "payload": endpoint.record["payload"], "head": head}
