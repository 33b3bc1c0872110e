"""Blending: several finished runs on one split become one more run, without learning again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from aimass.cluster import SubmitJob
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.autos import MAX_BLENDED, MIN_BLENDED, BlendRuns
from aimass.training.domain.beside import BESIDE
from aimass.training.domain.compression import RECIPE as COMPRESSED
from aimass.training.domain.runs import Run, StartRun
from aimass.training.domain.words import BLEND
from aimass.training.events import RUN_CREATED, tell
from aimass.training.recipes import beside_of
from aimass.training.service.ground import need_run, need_split
from aimass.training.service.results import REPORT, Results
from aimass.training.service.runs import row_of
from aimass.training.store import add_run, artifacts_of, put, run_by_key
from aimass.training.tables import runs
from aimass.training.tasks import find_task

RECIPE, VERSION = "blend", "1.0"
_FOLDS = "folds.parquet"
_ALIKE = ("split", "features", "unseen", "seed", "folds")


class Blending(Results):
    """One model out of several runs."""

    @use_case(
        "POST /workspaces/{workspace}/runs/blend",
        permission="training.edit",
        cli="train blend",
        status=202,
        progress="training.get_run",
    )
    def blend_runs(self, who: Principal, command: BlendRuns) -> Run:
        """Blend finished runs on one split into one model: a weighted mean, or a stack, of their answers."""
        with self._database.read() as conn:
            known = run_by_key(conn, command.workspace, command.key) if command.key else None
            if known is not None:
                return known
            members = _members(conn, command)
            split = need_split(conn, command.workspace, members[0].split)
        if not find_task(members[0].task).is_blendable:
            raise Invalid(
                f"runs for {members[0].task} cannot be blended",
                field="runs",
                value=members[0].task,
                hint="take the best of them as it is",
            )
        location = self._ground.locate(who, command.workspace, split.dataset, split.dataset_version)
        payload = {**self.data_of(split, location), **self._told(members), "method": command.method}
        with self._database.change(who, command.workspace) as change:
            known = run_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:  # two asked at once
                return known
            params = {"members": [one.id for one in members], "method": command.method}
            values = {**row_of(change, _like(command, members[0]), split), "recipe_version": VERSION, "params": params}
            add_run(change, values)
            subject = f"run:{values['id']}"
            title = f"Blend {len(members)} runs on {split.dataset} version {split.dataset_version}"
            wish = SubmitJob(workspace=command.workspace, kind=BLEND, title=title, payload=payload, subject=subject)
            job = self._ground.jobs.enqueue(change, replace(wish, key=values["id"]))
            put(change, runs, values["id"], job=job.id)
            detail = {"recipe": RECIPE, "split": split.id, "dataset": split.dataset, "members": params["members"]}
            change.audit("training.run.blend", object_=subject, detail=detail)
            change.event(RUN_CREATED, subject=subject, data=detail)
            for one in members:
                change.edge(src=("run", one.id), dst=("run", values["id"]), via=BLEND)
            change.edge(src=("split", split.id), dst=("run", values["id"]), via=BLEND)
            change.edge(src=("dataset_version", location.version_id), dst=("run", values["id"]), via=BLEND)
            run = need_run(change.conn, command.workspace, values["id"])
        tell(self._ground.live, run)
        return run

    def _told(self, members: Sequence[Run]) -> dict[str, Any]:
        """Return what the job is told of the members, and what names the columns that they read."""
        first = members[0]
        told = [
            {
                "run": one.id,
                "name": one.name,
                "package": str(self._ground.models.package_folder(one.package.digest)),
                "folds": self._path(one, _FOLDS),
                "report": self._path(one, REPORT),
            }
            for one in members
            if one.package is not None
        ]
        return {
            "members": told,
            "features": None if first.features is None else list(first.features),
            BESIDE: _left_out(first),
            "unseen": dict(first.unseen),
            "seed": first.seed,
            "folds": first.folds,
        }

    def _path(self, run: Run, name: str) -> str:
        with self._database.read() as conn:
            found = [one for one in artifacts_of(conn, run.id) if one.name == name]
        if not found:
            raise Conflict(
                f"run {run.id!r} kept no answers of its folds",
                field="runs",
                value=run.id,
                hint="it was trained before they were kept: train it again",
            )
        return str(self._ground.blobs.path(found[0].sha256))


def _members(conn: Connection, command: BlendRuns) -> list[Run]:
    """Return the runs that are to be blended, or refuse what has no answer to the same question."""
    if not MIN_BLENDED <= len(set(command.runs)) <= MAX_BLENDED or len(set(command.runs)) != len(command.runs):
        raise Invalid(
            f"{len(set(command.runs))} different runs cannot be blended",
            field="runs",
            value=list(command.runs),
            allowed=f"{MIN_BLENDED} to {MAX_BLENDED} different runs",
        )
    found = [need_run(conn, command.workspace, run) for run in command.runs]
    for one in found:
        if one.package is None:
            raise Conflict(f"run {one.id!r} is {one.state}", field="runs", value=one.state, allowed="FINISHED")
        if one.recipe == RECIPE:
            raise Invalid(f"run {one.id!r} is a blend itself", field="runs", value=one.id, hint="name its members")
        if one.recipe == COMPRESSED:
            raise Invalid(
                f"run {one.id!r} is a compressed one and kept no answers of its folds",
                field="runs",
                value=one.id,
                hint="name the run that it was made from",
            )
        odd = [name for name in _ALIKE if getattr(one, name) != getattr(found[0], name)]
        if odd:
            raise Invalid(
                f"the runs differ in {odd[0]}",
                field="runs",
                value=getattr(one, odd[0]),
                allowed=getattr(found[0], odd[0]),
                hint="blend runs on the same split, columns, seed and folds",
            )
        if _left_out(one) != _left_out(found[0]):
            raise Invalid(
                "the runs differ in the targets beside the main one, and so in the columns that they read",
                field="runs",
                value=_left_out(one),
                allowed=_left_out(found[0]),
                hint="name the same features for all of them, or the same further targets",
            )
    if found[0].folds == 1:
        raise Invalid(
            "runs with one fold cannot be blended: nothing tells how much each of them counts",
            field="runs",
            value=1,
            allowed="2 folds or more",
        )
    return found


def _left_out(run: Run) -> list[str]:
    """Return the columns that a run does not read because it learns them; none where it names what it reads."""
    return [] if run.features is not None else sorted(beside_of(run.recipe, run.params))


def _like(command: BlendRuns, first: Run) -> StartRun:
    """Return the order of a run that reads what its members read."""
    return StartRun(
        workspace=command.workspace,
        recipe=RECIPE,
        split=first.split,
        experiment=command.experiment or first.experiment,
        name=command.name or RECIPE,
        features=None if first.features is None else list(first.features),
        unseen={name: "refuse" if value == "refuse" else "serve" for name, value in first.unseen.items()},
        seed=first.seed,
        folds=first.folds,
        tags=command.tags,
        key=command.key,
    )
