"""Releases of learners: set, show, go back, end; and the loop that carries them on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, delete, insert

from aimass.cluster import Jobs
from aimass.infra.database import Change, Database
from aimass.kernel.errors import AimassError, Conflict, Invalid, NotFound
from aimass.kernel.names import check_slug
from aimass.kernel.principal import SYSTEM, Principal, policy
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case
from aimass.lake import AboutVersion, Lake, OneDataset, VersionOrder
from aimass.lifecycle.releases import LearnerRelease, OneRelease, SetRelease
from aimass.lifecycle.store import every_release, find_release, put_release, release_of, releases
from aimass.models import CHAMPION, Decide, Models, OneModel, OneVersion, SetAlias
from aimass.monitoring import FeedbackMark, KeyList, LabelledRecords, Monitoring
from aimass.serving import Deployment, DeployModel, OneEndpoint, Serving
from aimass.training import Learner, OneLearner, OneSplit, RegisterRun, Snapshot, Split, Training

_PATH = "/workspaces/{workspace}/learners/{learner}/release"
_KEPT = 50
_TAKING_OVER = ("models.edit", "serving.edit")
_TEXT = 1000
_BACK = "rolled back"
SUPERSEDING = policy("newest-snapshot")
_log = structlog.get_logger("aimass.lifecycle")


class Releases:
    """Use cases of releases."""

    _database: Database
    _registry: Registry

    @use_case(f"PUT {_PATH}", permission="lifecycle.edit", cli="learners release")
    def set_release(self, who: Principal, command: SetRelease) -> LearnerRelease:
        """Let each new snapshot of a learner take over an endpoint when its review approves it, and let feedback become its rows."""
        endpoint = check_slug(command.endpoint, field="endpoint")
        model = check_slug(command.model or endpoint, field="model")
        learner = self._learner(who, command.workspace, command.learner)
        for permission in _TAKING_OVER:
            who.need(permission, command.workspace)
        if command.feeds:
            self._check_feed(who, learner)
        with self._database.change(who, command.workspace) as change:
            known = find_release(change.conn, command.workspace, command.learner)
            values = {"endpoint": endpoint, "model": model, "feeds": command.feeds}
            if known is None:
                change.execute(insert(releases).values(**values, **_new_release(change, command)))
            else:
                put_release(change, known, **values, fed_mark="", fed_since=None)
            detail = {"endpoint": endpoint, "model": model, "feeds": command.feeds}
            self._note_release(change, command.learner, "set", detail)
            return _release_in(change, command.learner)

    def _learner(self, who: Principal, workspace: str, slug: str) -> Learner:
        return self._registry.get(Training).get_learner(who, OneLearner(workspace=workspace, learner=slug))

    def _check_feed(self, who: Principal, learner: Learner) -> None:
        """Refuse a dataset in which an answered request could not be a row with a name of its own."""
        who.need("monitoring.use", learner.workspace)
        lake, training = self._registry.get(Lake), self._registry.get(Training)
        split = training.get_split(who, OneSplit(workspace=learner.workspace, split=learner.split))
        keys = lake.get_dataset(who, OneDataset(workspace=learner.workspace, dataset=learner.dataset)).keys
        version = lake.get_version(who, AboutVersion(workspace=learner.workspace, dataset=learner.dataset))
        texts = {column.name for column in version.columns if column.type == "string"}
        if split.key_column is None or list(keys) != [split.key_column] or split.key_column not in texts:
            raise Invalid(
                f"the rows of {learner.dataset!r} have no name that feedback could bring",
                field="feeds",
                value=split.key_column,
                allowed="a column of text that is the key of the dataset and of the learner's split",
                hint="collect the dataset with a key column and split it by that column, or leave the feedback out",
            )

    @use_case(f"GET {_PATH}", permission="lifecycle.read", cli="learners show-release")
    def get_release(self, who: Principal, command: OneRelease) -> LearnerRelease:
        """Show where the snapshots of a learner go, which one the endpoint answers with, and how many rows feedback brought."""
        del who
        with self._database.read() as conn:
            row = find_release(conn, command.workspace, command.learner)
        if row is None:
            raise _none(command.learner)
        return release_of(row)

    @use_case(
        f"POST {_PATH}/rollback",
        permission="lifecycle.edit",
        cli="learners rollback-release",
        status=202,
        progress="lifecycle.get_release",
    )
    def roll_back_release(self, who: Principal, command: OneRelease) -> LearnerRelease:
        """Let the endpoint answer with the snapshot before the present one; the next new snapshot may take over again.

        The release is ROLLING_BACK until the endpoint answers with that version, and only then ROLLED_BACK.
        """
        for permission in _TAKING_OVER:
            who.need(permission, command.workspace)
        with self._database.change(who, command.workspace) as change:
            row = find_release(change.conn, command.workspace, command.learner)
            if row is None:
                raise _none(command.learner)
            if len(row.released) < 2:  # noqa: PLR2004 the present one, and one before
                raise Conflict(
                    f"learner {command.learner!r} has no earlier snapshot on {row.endpoint!r}",
                    value=list(row.released),
                    hint=f"aimass rollouts or deployments of {row.endpoint} can bring back another version",
                )
            back = row.released[-2]
            values = {"state": "ROLLING_BACK", "model_version": back}
            if not put_release(change, row, **values, verdict=f"goes back to version {back}"):
                raise Conflict("the release is being changed", hint="try again")
            detail = {"model_version": back}
            change.audit("lifecycle.release.rollback", object_=f"learner:{command.learner}", detail=detail)
            told = _release_in(change, command.learner)
        take_over(self._registry, who, told, back, _BACK)
        return told

    @use_case(f"DELETE {_PATH}", permission="lifecycle.edit", cli="learners end-release", status=204)
    def end_release(self, who: Principal, command: OneRelease) -> None:
        """Let snapshots go nowhere any more; what the endpoint answers with stays."""
        with self._database.change(who, command.workspace) as change:
            if find_release(change.conn, command.workspace, command.learner) is None:
                raise _none(command.learner)
            where = (releases.c.workspace == command.workspace, releases.c.learner == command.learner)
            change.execute(delete(releases).where(*where))
            self._note_release(change, command.learner, "end", {})

    def _note_release(self, change: Change, learner: str, verb: str, detail: dict[str, Any]) -> None:
        change.audit(f"lifecycle.release.{verb}", object_=f"learner:{learner}", detail=detail)
        change.event(f"lifecycle.release.{_FACTS[verb]}", subject=f"learner:{learner}", data=detail)


_FACTS = {"set": "set", "end": "ended"}


def take_over(registry: Registry, who: Principal, release: LearnerRelease, number: int, reason: str) -> None:
    """Point the champion at a version and serve it; what ran before answers until the new one does."""
    alias = SetAlias(workspace=release.workspace, model=release.model, alias=CHAMPION, number=number)
    registry.get(Models).set_alias(who, alias)
    wish = DeployModel(
        workspace=release.workspace,
        model=release.model,
        endpoint=release.endpoint,
        alias=CHAMPION,
        reason=f"learner {release.learner}: {reason}",
    )
    registry.get(Serving).deploy_model(who, wish)


@dataclass(frozen=True, slots=True)
class Releaser:
    """Moves each release on by one look."""

    registry: Registry

    def run_once(self, closed: Callable[[], Collection[str]] = tuple) -> None:
        """Look at every release, but for those of workspaces that are ``closed``; a fault of one holds up no other."""
        database = self.registry.get(Database)
        with database.read() as conn:
            found = every_release(conn)
        away = closed() if found else ()
        for row in found:
            if row.workspace in away:
                continue
            for step in (self._publish, self._feed):
                try:
                    step(row)
                except NotFound as reason:
                    self._end_or_fail(row, reason)
                    break
                except AimassError as reason:
                    self._fail(row, reason)
                    break
                with database.read() as conn:
                    fresh = find_release(conn, row.workspace, row.learner)
                if fresh is None:
                    break
                row = fresh  # noqa: PLW2901 as the step left it

    def _end_or_fail(self, row: Row[Any], reason: NotFound) -> None:
        """End the release of a learner that was deleted: another one of its name begins anew."""
        if reason.field != "learner":
            self._fail(row, reason)
            return
        with self.registry.get(Database).change(SYSTEM, row.workspace) as change:
            where = (releases.c.workspace == row.workspace, releases.c.learner == row.learner)
            change.execute(delete(releases).where(*where))
            change.event("lifecycle.release.ended", subject=f"learner:{row.learner}")

    def _fail(self, row: Row[Any], reason: AimassError) -> None:
        _log.warning("a release cannot go on", learner=row.learner, error=reason.message)
        if row.verdict != reason.message:
            state = "FAILED" if row.job is None else row.state
            self._put(row, verdict=reason.message[:_TEXT], state=state)

    def _put(self, row: Row[Any], event: str = "", detail: dict[str, Any] | None = None, **values: Any) -> None:
        with self.registry.get(Database).change(SYSTEM, row.workspace) as change:
            if put_release(change, row, **values) and event:
                change.event(f"lifecycle.release.{event}", subject=f"learner:{row.learner}", data=detail or {})

    def _publish(self, row: Row[Any]) -> None:
        """Take the newest snapshot through its review to the endpoint."""
        who = _author(row)
        if row.state == "REVIEWING":
            self._reviewed(who, row)
        elif row.state == "DEPLOYING":
            self._deployed(who, row)
        elif row.state == "ROLLING_BACK":
            self._rolled_back(who, row)
        else:
            made = self._snapshots(who, row)
            if made and made[0].number > row.snapshot:
                self._register(who, row, made[0])

    def _snapshots(self, who: Principal, row: Row[Any]) -> list[Snapshot]:
        return self.registry.get(Training).list_snapshots(who, OneLearner(workspace=row.workspace, learner=row.learner))

    def _register(
        self, who: Principal, row: Row[Any], snapshot: Snapshot, event: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        text = f"snapshot {snapshot.number} of learner {row.learner} after {snapshot.rows} rows"
        wish = RegisterRun(workspace=row.workspace, run=snapshot.run, model=row.model, description=text)
        version = self.registry.get(Training).register_run(who, wish)
        named = OneVersion(workspace=row.workspace, model=version.model, number=version.number)
        self.registry.get(Models).submit_review(who, named)
        values: dict[str, Any] = {"state": "REVIEWING", "snapshot": snapshot.number, "model_version": version.number}
        self._put(row, event, detail, **values, verdict=f"version {version.number} is being reviewed")

    def _reviewed(self, who: Principal, row: Row[Any]) -> None:
        named = OneVersion(workspace=row.workspace, model=row.model, number=row.model_version)
        review = self.registry.get(Models).get_review(who, named)
        failed = [check for check in review.checks if check.passed is False]
        if review.state == "APPROVED":
            take_over(self.registry, who, release_of(row), row.model_version, f"snapshot {row.snapshot}")
            self._put(
                row, state="DEPLOYING", verdict="; ".join(c.evidence for c in review.checks if c.evidence)[:_TEXT]
            )
        elif review.state == "REJECTED" or (review.is_checked and failed):
            why = failed[0].evidence if failed else review.comment or "rejected by a reviewer"
            detail = {"snapshot": row.snapshot, "model_version": row.model_version}
            self._put(row, "refused", detail, state="REFUSED", verdict=why[:_TEXT])
        elif review.state == "QUARANTINED":
            self._waiting(who, row)

    def _waiting(self, who: Principal, row: Row[Any]) -> None:
        """Let a newer snapshot take the place of one that waits for a person: he decides about the newest alone.

        After a crash in between, the older one is refused with the reason, and the newer one is registered then.
        """
        newest = self._snapshots(who, row)[0]
        if newest.number <= row.snapshot:
            return
        why = f"snapshot {newest.number} of learner {row.learner} took its place"
        wish = Decide(workspace=row.workspace, model=row.model, number=row.model_version, comment=why)
        if self.registry.get(Models).supersede(SUPERSEDING, wish):
            detail = {"snapshot": row.snapshot, "model_version": row.model_version, "by": newest.number}
            self._register(who, row, newest, "superseded", detail)

    def _main(self, who: Principal, row: Row[Any]) -> Deployment:
        wish = OneEndpoint(workspace=row.workspace, endpoint=row.endpoint)
        shown = self.registry.get(Serving).get_endpoint(who, wish)
        return next(one for one in shown.deployments if one.name == shown.main)

    def _rolled_back(self, who: Principal, row: Row[Any]) -> None:
        """Tell of a roll-back when the endpoint answers with the version before; bring it there where a crash left it."""
        named = OneModel(workspace=row.workspace, model=row.model)
        if self.registry.get(Models).get_model(who, named).aliases.get(CHAMPION) != row.model_version:
            take_over(self.registry, who, release_of(row), row.model_version, _BACK)
            return
        main, detail = self._main(who, row), {"model_version": row.model_version}
        if main.state == "READY" and main.served_version == row.model_version:
            verdict = f"rolled back to version {row.model_version}"
            self._put(row, "rolled_back", detail, state="ROLLED_BACK", released=row.released[:-1], verdict=verdict)
        elif main.state in ("FAILED", "DEGRADED"):
            self._put(row, "failed", detail, state="FAILED", verdict=f"version {row.model_version} did not start")

    def _deployed(self, who: Principal, row: Row[Any]) -> None:
        main, detail = self._main(who, row), {"snapshot": row.snapshot, "model_version": row.model_version}
        if main.state == "READY" and main.served_version == row.model_version:
            released = [*row.released, row.model_version][-_KEPT:]
            self._put(row, "released", detail, state="RELEASED", released=released)
        elif main.state in ("FAILED", "DEGRADED"):
            if row.released:
                take_over(self.registry, who, release_of(row), row.released[-1], "the new one did not start")
            self._put(row, "failed", detail, state="FAILED", verdict=f"version {row.model_version} did not start")

    def _feed(self, row: Row[Any]) -> None:
        """Hand new feedback over to the dataset of the learner, one job at a time."""
        if not row.feeds:
            return
        if row.job is not None:
            job = self.registry.get(Jobs).job(row.workspace, row.job)
            if job.has_ended:
                failed: dict[str, Any] = {} if job.state == "SUCCEEDED" else {"fed_mark": "", "fed_since": None}
                self._put(row, job=None, **failed)
            return
        monitoring = self.registry.get(Monitoring)
        mark = monitoring.feedback_mark(row.workspace, row.endpoint)
        if mark.newest is None or not mark.known or _text(mark) == row.fed_mark:
            return
        who = _author(row)
        learner, split = self._learned(who, row)
        wish = LabelledRecords(
            workspace=row.workspace,
            endpoint=row.endpoint,
            target=learner.target,
            key=split.key_column,
            without=KeyList(**asdict(self.registry.get(Training).judges(row.workspace, split.id))),
            name=f"learner-{learner.id}",
            told_since=row.fed_since,
            by_request=True,
            action=split.action_column,
            propensity=split.propensity_column,
        )
        found = monitoring.labelled_records(who, wish)
        values = {"fed_mark": _text(mark), "fed_since": _since(mark), "fed_rows": row.fed_rows + found.rows}
        if found.rows:
            order = VersionOrder(
                workspace=row.workspace,
                dataset=learner.dataset,
                key=f"learner:{learner.id}:{row.version}",
                mode="merge",
                parquet=found.path,
                sources=(("endpoint", row.endpoint),),
                origin=f"learner:{row.learner}",
            )
            values["job"] = self.registry.get(Lake).order_version(who, order).id
        self._put(row, **values)

    def _learned(self, who: Principal, row: Row[Any]) -> tuple[Learner, Split]:
        training = self.registry.get(Training)
        learner = training.get_learner(who, OneLearner(workspace=row.workspace, learner=row.learner))
        return learner, training.get_split(who, OneSplit(workspace=row.workspace, split=learner.split))


def _since(mark: FeedbackMark) -> datetime | None:
    """Return from when feedback is asked for the next time: the oldest whose record is still to come counts."""
    return mark.newest if mark.oldest_open is None else mark.oldest_open


def _text(mark: FeedbackMark) -> str:
    return f"{mark.known} {mark.newest}"


def _author(row: Row[Any]) -> Principal:
    """Return who set the release: his right was checked then."""
    return Principal(id=row.created_by, name=row.created_by_name, kind="system")


def _release_in(change: Change, learner: str) -> LearnerRelease:
    row = find_release(change.conn, change.workspace, learner)
    if row is None:
        raise _none(learner)
    return release_of(row)


def _none(learner: str) -> NotFound:
    hint = f"aimass learners release {learner} --endpoint <endpoint>"
    return NotFound(f"the snapshots of learner {learner!r} go nowhere", field="learner", value=learner, hint=hint)


def _new_release(change: Change, command: SetRelease) -> dict[str, Any]:
    return {
        "workspace": command.workspace,
        "learner": command.learner,
        "state": "WAITING",
        "snapshot": 0,
        "model_version": None,
        "released": [],
        "fed_rows": 0,
        "fed_mark": "",
        "fed_since": None,
        "job": None,
        "verdict": "",
        "created_by": change.who.id,
        "created_by_name": change.who.name,
        "created_at": change.now,
        "version": 1,
    }
