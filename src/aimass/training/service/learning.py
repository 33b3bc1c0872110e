"""How learners go on: a job when there are new rows, and what it leaves in one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import AimassError, Conflict, TooMany
from aimass.kernel.principal import SYSTEM, Principal
from aimass.training.domain.learners import LEARN, LEARNER
from aimass.training.domain.runs import RunPackage, StartRun
from aimass.training.domain.splits import Split
from aimass.training.events import (
    LEARNER_DRIFTED,
    LEARNER_FAILED,
    LEARNER_PAUSED,
    RUN_FINISHED,
    SNAPSHOT_CREATED,
    tell_learner,
)
from aimass.training.learnstore import (
    add_snapshot,
    idle_learners,
    learner_by_id,
    learner_of,
    put_learner,
    put_points,
    state_hashes,
)
from aimass.training.service.forgetting import WINDOW
from aimass.training.service.ground import author_of, need_split
from aimass.training.service.learners import Learners
from aimass.training.service.results import REPORT, Results, files_of, history_of
from aimass.training.service.runs import row_of
from aimass.training.store import add_run, put, put_artifacts, put_results
from aimass.training.tables import runs

STATE = "learner.state"
RECIPE, VERSION = "learner", "1.0"
MOST_ROWS = 20_000
MOST_KEPT = 20
_TOLD = ("rows", "classes", "counted", "metrics", "drifts", "notes")
_log = structlog.get_logger("aimass.training")


class Learning(Learners, Results):
    """What carries learners on."""

    def follow_learners(self) -> None:
        """Begin a job for each learner that has something to learn, or to package."""
        with self._database.read() as conn:
            idle = idle_learners(conn)
        for row in idle:
            try:
                self._step_learner(row)
            except TooMany:
                _log.info("a learner waits: the workspace has too many waiting jobs", learner=row.slug)
            except AimassError as error:
                self._fail_learner(
                    row, {"code": error.code, "detail": error.message, "hint": error.hint, "field": error.field}
                )

    def _step_learner(self, row: Row[Any]) -> None:
        author = author_of(learner_of(row))
        at = self._goal_of(author, row)
        if at is None and row.wanted != "snapshot":
            if row.wanted is not None:
                with self._database.change(SYSTEM, row.workspace) as change:
                    put_learner(change, row.id, wanted=None)
            return
        with self._database.read() as conn:
            split = need_split(conn, row.workspace, row.split)
        cursor = at or {**row.cursor, "to": row.cursor["number"], "to_delta": row.cursor["delta"]}
        payload = self._learn_payload(author, row, split, cursor)
        with self._database.change(SYSTEM, row.workspace) as change:
            fresh = learner_by_id(change.conn, row.id)
            if fresh is None or fresh.job is not None or fresh.seq != row.seq:
                return
            wish = SubmitJob(
                workspace=row.workspace,
                kind=LEARN,
                title=f"Learn {row.name}",
                payload=payload,
                subject=f"{LEARNER}:{row.id}",
                key=f"{row.id}:{row.seq}:{row.version}",
            )
            job = self._ground.jobs.enqueue(change, wish)
            put_learner(change, row.id, job=job.id, cursor=cursor, wanted="learn" if row.wanted == "learn" else None)

    def _goal_of(self, author: Principal, row: Row[Any]) -> dict[str, Any] | None:
        """Return the cursor with the version that is to be learned up to; None when there is nothing new."""
        self._ground.need_whole(author, row.workspace, row.dataset, "a model that learns from every row")
        cursor = dict(row.cursor)
        if cursor["to"] is not None:  # a version that is not learned to its end
            return cursor
        if cursor["number"] is None:
            with self._database.read() as conn:
                number = need_split(conn, row.workspace, row.split).dataset_version
            at = self._ground.locate(author, row.workspace, row.dataset, number)
        else:
            at = self._ground.locate(author, row.workspace, row.dataset, None)
            if at.number <= cursor["number"]:
                return None
        return {**cursor, "to": at.number, "to_delta": at.delta_version}

    def _learn_payload(
        self, author: Principal, row: Row[Any], split: Split, cursor: Mapping[str, Any]
    ) -> dict[str, Any]:
        location = self._ground.locate(author, row.workspace, row.dataset, cursor["to"])
        base = self._ground.locate(author, row.workspace, row.dataset, split.dataset_version)
        is_first = cursor["number"] is None
        state = None
        if row.sha256 is not None:
            state = {"file": str(self._ground.blobs.path(row.sha256)), "sha256": row.sha256}
        return {
            **self.data_of(split, location),
            "time": row.time_column,
            "base": {"path": base.path, "version": base.delta_version},
            "before": None if is_first else {"path": location.path, "version": cursor["delta"]},
            "spec": {
                name: getattr(row, name)
                for name in ("model", "params", "detector", "replay", "replay_times", "window", "seed", "memory_mb")
            },
            "state": state,
            "start": None if row.seq or row.start_from is None else {"from": row.start_from, "transfer": row.transfer},
            "seq": row.seq,
            "position": cursor["position"],
            "most": MOST_ROWS,
            "version_id": location.version_id,
            "snapshot": {
                "asked": row.wanted == "snapshot",
                "every": row.snapshot_every,
                "on_drift": row.snapshot_on_drift,
                "rows": row.snapshot_rows,
                "drift": row.snapshot_drift,
            },
        }

    def learn_done(self, workspace: str, learner: str, result: Mapping[str, Any], outputs: Path) -> None:
        """Commit what a job learned: what is known, the place in the data, measures and snapshot, all or nothing."""
        state = (outputs / STATE).read_bytes()
        blob = self._ground.blobs.put(state)
        if blob.sha256 != result["sha256"]:
            raise Conflict("what was learned was changed on its way", field="state", value=blob.sha256)
        made = result["snapshot"]
        kept = None if made is None else self._ground.models.keep_package(outputs / made["package"]["folder"])
        files = [] if kept is None else self._snapshot_files(outputs, kept)
        report = {} if made is None else json.loads((outputs / REPORT).read_bytes())
        with self._database.change(SYSTEM, workspace) as change:
            row = learner_by_id(change.conn, learner)
            if row is None or row.seq != result["seq"]:
                return
            cursor = _moved(row.cursor, result)
            values = {name: result[name] for name in _TOLD} | {"cursor": cursor, "seq": row.seq + 1, "job": None}
            values |= {"sha256": blob.sha256, "size": blob.size, "learned_at": change.now, "error": None}
            if made is not None:
                values |= {"snapshots": row.snapshots + 1, "snapshot_rows": result["rows"]}
                values |= {"snapshot_drift": max(row.snapshot_drift, made["drift"])}
                self._add_snapshot(change, row, result, files, report)
            put_learner(change, row.id, **values)
            put_points(change, row.id, result["points"])
            for at in result["drifts"][len(row.drifts) :]:
                change.event(LEARNER_DRIFTED, subject=f"{LEARNER}:{row.slug}", data={"rows": at})
            if result["is_whole"]:
                change.edge(src=("dataset_version", result["version_id"]), dst=(LEARNER, row.slug), via=LEARN)
            told = learner_by_id(change.conn, row.id)
        if told is not None:
            tell_learner(self._ground.live, learner_of(told))

    def _snapshot_files(self, outputs: Path, kept: Any) -> list[Any]:
        names = [name for name in (REPORT, WINDOW) if (outputs / name).exists()]
        return [*(one for name in names for one in self.kept_file(outputs, name)), *files_of(outputs, kept)]

    def _add_snapshot(
        self, change: Change, row: Row[Any], result: Mapping[str, Any], files: list[Any], report: Mapping[str, Any]
    ) -> None:
        """Write a snapshot as a run that has finished."""
        made, number = result["snapshot"], row.snapshots + 1
        split = need_split(change.conn, row.workspace, row.split)
        wish = StartRun(
            workspace=row.workspace,
            recipe=RECIPE,
            split=split.id,
            experiment=row.experiment,
            name=f"{row.name} #{number}"[-255:],
            seed=row.seed,
            tags={LEARNER: row.slug},
            key=f"{LEARNER}:{row.id}:{number}",
        )
        package = {name: made["package"][name] for name in ("digest", "runtime", "size", "parity", "why_python")}
        version = row.cursor["to"] or row.cursor["number"]
        values = {**row_of(change, wish, split), "recipe_version": VERSION}
        values |= {
            "params": {"model": row.model, **row.params, "rows": result["rows"], "version": version},
            "job": row.job,
        }
        values |= {"state": "FINISHED", "started_at": change.now, "ended_at": change.now, "notes": result["notes"]}
        values |= {"metrics": made["metrics"], "package": asdict(RunPackage(**package)), "sampled": made["sampled"]}
        add_run(change, values)
        run = values["id"]
        put(change, runs, run, created_by=row.created_by, created_by_name=row.created_by_name)
        put_results(change, run, made["metrics"], history_of(report))
        put_artifacts(change, run, files)
        add_snapshot(
            change,
            {
                "learner": row.id,
                "number": number,
                "run": run,
                "rows": result["rows"],
                "cause": made["cause"],
                "sha256": result["sha256"],
                "metrics": result["metrics"],
                "created_at": change.now,
            },
            most=MOST_KEPT,
        )
        data = {"number": number, "run": run, "rows": result["rows"], "cause": made["cause"]}
        change.event(SNAPSHOT_CREATED, subject=f"{LEARNER}:{row.slug}", data=data)
        change.event(RUN_FINISHED, subject=f"run:{run}", data={"recipe": RECIPE, "digest": package["digest"]})
        change.edge(src=(LEARNER, row.slug), dst=("run", run), via=LEARN)

    def learn_failed(
        self, workspace: str, learner: str, error: Mapping[str, Any] | None, *, is_cancelled: bool
    ) -> None:
        """Note that a job failed: the learner stands where its last commit is. Whoever cancels a job pauses its learner."""
        with self._database.change(SYSTEM, workspace) as change:
            row = learner_by_id(change.conn, learner)
            if row is None:
                return
            if is_cancelled:
                put_learner(change, row.id, job=None, state="PAUSED", wanted=None)
                change.event(LEARNER_PAUSED, subject=f"{LEARNER}:{row.slug}")
            else:
                self._note_learner_failure(change, row, dict(error or {}))
            told = learner_by_id(change.conn, row.id)
        if told is not None:
            tell_learner(self._ground.live, learner_of(told))

    def _fail_learner(self, row: Row[Any], error: dict[str, Any]) -> None:
        _log.warning("a learner cannot go on", learner=row.slug, code=error["code"])
        with self._database.change(SYSTEM, row.workspace) as change:
            fresh = learner_by_id(change.conn, row.id)
            if fresh is not None and fresh.job is None:
                self._note_learner_failure(change, fresh, error)

    def _note_learner_failure(self, change: Change, row: Row[Any], error: dict[str, Any]) -> None:
        put_learner(change, row.id, job=None, state="FAILED", wanted=None, error=error)
        change.event(LEARNER_FAILED, subject=f"{LEARNER}:{row.slug}", data={"code": error.get("code")})

    def learner_blobs(self) -> list[str]:
        """Return the hashes of what learners know."""
        with self._database.read() as conn:
            return state_hashes(conn)


def _moved(cursor: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cursor after a job: in the middle of a version, or behind it.

    Examples
    --------
    >>> at = {"number": 1, "delta": 0, "position": 0, "to": 2, "to_delta": 1}
    >>> _moved(at, {"is_whole": True, "position": 0})
    {'number': 2, 'delta': 1, 'position': 0, 'to': None, 'to_delta': None}
    >>> _moved(at, {"is_whole": False, "position": 500})["position"]
    500
    """
    if not result["is_whole"]:
        return {**cursor, "position": result["position"]}
    return {"number": cursor["to"], "delta": cursor["to_delta"], "position": 0, "to": None, "to_delta": None}
