"""Schedules: what happens by the clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal, policy
from aimass.kernel.usecase import use_case
from aimass.messaging.domain.schedules import (
    ChangeSchedule,
    CreateSchedule,
    JobAction,
    ListSchedules,
    MessageAction,
    PreviewCron,
    Schedule,
    ScheduleName,
    check_cron,
    due_times,
    next_times,
)
from aimass.messaging.domain.topics import NewMessage, PublishMessages
from aimass.messaging.service.room import fresh, topic_row
from aimass.messaging.service.topics import Topics
from aimass.messaging.store import schedules

FIRED = "messaging.schedule.fired"
_SHOWN = 5


class Schedules(Topics):
    """Use cases about schedules."""

    @use_case("POST /workspaces/{workspace}/schedules", permission="messaging.edit", cli="schedules create", status=201)
    def create_schedule(self, who: Principal, command: CreateSchedule) -> Schedule:
        """Create a schedule that starts a job or publishes a message."""
        self._check_kind(who, command.workspace, command.job)
        return self.put_schedule(who, command)

    def put_schedule(self, who: Principal, command: CreateSchedule) -> Schedule:
        """Create a schedule for a room, which may start any kind of job."""
        name = clean_name(command.name)
        slug = slug_of(name)
        check_cron(command.cron, command.zone)
        with self._database.change(who, command.workspace) as change:
            _check_action(change.conn, command.workspace, command.job, command.message)
            if _row(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"schedule {slug!r} exists", field="name", value=name, hint="choose another name")
            next_at = None if command.is_paused else next_times(command.cron, command.zone, change.now, 1)[0]
            values = {"cron": command.cron.strip(), "zone": command.zone, "missed": command.missed, "next_at": next_at}
            values |= {"job": _plain(command.job), "message": _plain(command.message), "is_paused": command.is_paused}
            values |= {"created_by": who.id, "created_at": change.now, "last_at": None, "runs": 0, "version": 1}
            key = {"id": new_id(), "workspace": command.workspace, "schedule": slug, "name": name}
            change.execute(insert(schedules).values(**key, **values))
            _note(change, "created", slug)
            return self._found(change.conn, command.workspace, slug)

    @use_case("GET /workspaces/{workspace}/schedules", permission="messaging.read", cli="schedules list")
    def list_schedules(self, who: Principal, command: ListSchedules) -> Page[Schedule]:
        """List schedules by name, each with the next times at which it fires."""
        del who
        query = select(schedules).where(schedules.c.workspace == command.workspace)
        if command.cursor:
            query = query.where(schedules.c.schedule > decode_cursor(command.cursor))
        with self._database.read() as conn:
            rows = conn.execute(query.order_by(schedules.c.schedule).limit(command.limit + 1)).all()
        return page_of([_schedule(row) for row in rows], command.limit, lambda one: one.schedule)

    @use_case("GET /workspaces/{workspace}/schedules/{schedule}", permission="messaging.read", cli="schedules show")
    def get_schedule(self, who: Principal, command: ScheduleName) -> Schedule:
        """Show a schedule and the next times at which it fires."""
        del who
        with self._database.read() as conn:
            return self._found(conn, command.workspace, command.schedule)

    @use_case("PATCH /workspaces/{workspace}/schedules/{schedule}", permission="messaging.edit", cli="schedules change")
    def change_schedule(self, who: Principal, command: ChangeSchedule) -> Schedule:
        """Change when a schedule fires or what it does."""
        self._check_kind(who, command.workspace, command.job)
        with self._database.change(who, command.workspace) as change:
            before = self._found(change.conn, command.workspace, command.schedule)
            fresh(before.version, command.expected_version)
            cron, zone = (command.cron or before.cron).strip(), command.zone or before.zone
            check_cron(cron, zone)
            values: dict[str, Any] = {"cron": cron, "zone": zone, "missed": command.missed or before.missed}
            if command.job is not None or command.message is not None:
                _check_action(change.conn, command.workspace, command.job, command.message)
                values |= {"job": _plain(command.job), "message": _plain(command.message)}
            if not before.is_paused:
                values["next_at"] = next_times(cron, zone, change.now, 1)[0]
            _put(change, before, "changed", values)
            return self._found(change.conn, command.workspace, command.schedule)

    @use_case(
        "DELETE /workspaces/{workspace}/schedules/{schedule}", permission="messaging.edit", cli="schedules delete"
    )
    def delete_schedule(self, who: Principal, command: ScheduleName) -> None:
        """Delete a schedule."""
        with self._database.change(who, command.workspace) as change:
            one = self._found(change.conn, command.workspace, command.schedule)
            change.execute(delete(schedules).where(schedules.c.id == one.id))
            _note(change, "deleted", one.schedule)

    @use_case(
        "POST /workspaces/{workspace}/schedules/{schedule}/pause", permission="messaging.edit", cli="schedules pause"
    )
    def pause_schedule(self, who: Principal, command: ScheduleName) -> Schedule:
        """Let a schedule rest; what it would have done meanwhile is not made up for."""
        with self._database.change(who, command.workspace) as change:
            one = self._found(change.conn, command.workspace, command.schedule)
            _put(change, one, "paused", {"is_paused": True, "next_at": None})
            return self._found(change.conn, command.workspace, command.schedule)

    @use_case(
        "POST /workspaces/{workspace}/schedules/{schedule}/resume", permission="messaging.edit", cli="schedules resume"
    )
    def resume_schedule(self, who: Principal, command: ScheduleName) -> Schedule:
        """Let a schedule fire again."""
        with self._database.change(who, command.workspace) as change:
            one = self._found(change.conn, command.workspace, command.schedule)
            next_at = one.next_at or next_times(one.cron, one.zone, change.now, 1)[0]
            _put(change, one, "resumed", {"is_paused": False, "next_at": next_at})
            return self._found(change.conn, command.workspace, command.schedule)

    @use_case("POST /workspaces/{workspace}/schedules/{schedule}/run", permission="messaging.use", cli="schedules run")
    def run_schedule(self, who: Principal, command: ScheduleName) -> Schedule:
        """Let a schedule fire now, beside its plan."""
        with self._database.change(who, command.workspace) as change:
            one = self._found(change.conn, command.workspace, command.schedule)
            self._fire(change, one, change.now)
            change.audit("messaging.schedule.run", object_=f"schedule:{one.schedule}")
            change.execute(
                update(schedules).where(schedules.c.id == one.id).values(last_at=change.now, runs=one.runs + 1)
            )
            return self._found(change.conn, command.workspace, command.schedule)

    @use_case("GET /workspaces/{workspace}/cron-preview", permission="messaging.read", cli="schedules preview")
    def preview_cron(self, who: Principal, command: PreviewCron) -> list[datetime]:
        """Show the next times at which a cron expression would fire."""
        del who
        check_cron(command.cron, command.zone)
        return next_times(command.cron, command.zone, self._database.clock.now(), command.count)

    def fire_due(self, closed: Collection[str] = ()) -> int:
        """Fire every schedule that is due; return how often. Moving on and firing are one change, so each fires once.

        Schedules of the workspaces that are ``closed`` rest.
        """
        now = self._database.clock.now()
        is_due = ~schedules.c.is_paused & (schedules.c.next_at <= now) & schedules.c.workspace.not_in(sorted(closed))
        with self._database.read() as conn:
            due = [_schedule(row) for row in conn.execute(select(schedules).where(is_due).limit(100))]
        return sum(self._fire_one(one) for one in due)

    def _fire_one(self, seen: Schedule) -> int:
        with self._database.change(policy(f"schedule:{seen.schedule}"), seen.workspace) as change:
            row = _row(change.conn, seen.workspace, seen.schedule)
            if row is None or row.version != seen.version or row.next_at != seen.next_at:
                return 0
            on_time = timedelta(seconds=self._settings.on_time_s)
            due = due_times(seen, change.now, on_time=on_time, most=self._settings.missed_most)
            for moment in due:
                self._fire(change, seen, moment)
            values: dict[str, Any] = {"next_at": next_times(seen.cron, seen.zone, change.now, 1)[0]}
            if due:
                values |= {"last_at": change.now, "runs": seen.runs + len(due)}
            change.execute(update(schedules).where(schedules.c.id == seen.id).values(**values))
            return len(due)

    def _fire(self, change: Change, one: Schedule, due: datetime) -> None:
        """Do what the schedule is for. A job is started by the room that runs jobs, when it hears of this event."""
        key = f"schedule:{one.id}:{instant(due)}"
        data: dict[str, Any] = {"schedule": one.schedule, "due": instant(due), "key": key}
        if one.job is not None:
            data["job"] = {**asdict(one.job), "title": one.job.title or one.name}
        if one.message is not None and _has_topic(change.conn, one):
            message = NewMessage(body=one.message.body, key=one.message.key, id=key, headers={"schedule": one.schedule})
            wish = PublishMessages(workspace=one.workspace, topic=one.message.topic, messages=[message])
            self.publish_in(change, wish)
        change.event(FIRED, subject=f"schedule:{one.schedule}", data=data)

    def _check_kind(self, who: Principal, workspace: str, job: JobAction | None) -> None:
        if job is None:
            return
        if job.kind not in self._ground.kinds:
            raise Invalid(
                f"schedules cannot start a job of kind {job.kind!r}",
                field="job.kind",
                value=job.kind,
                allowed=sorted(self._ground.kinds),
            )
        self._ground.check(who, workspace, job.kind, job.payload)

    def _found(self, conn: Connection, workspace: str, schedule: str) -> Schedule:
        row = _row(conn, workspace, schedule)
        if row is None:
            raise NotFound(f"there is no schedule {schedule!r}", field="schedule", value=schedule)
        return _schedule(row)


def _row(conn: Connection, workspace: str, schedule: str) -> Row[Any] | None:
    is_it = (schedules.c.workspace == workspace) & (schedules.c.schedule == schedule)
    return conn.execute(select(schedules).where(is_it)).first()


def _has_topic(conn: Connection, one: Schedule) -> bool:
    """Tell whether the topic of a schedule is still there; a deleted one must not stop the other schedules."""
    try:
        topic_row(conn, one.workspace, one.message.topic if one.message else "")
    except NotFound:
        return False
    return True


def _check_action(conn: Connection, workspace: str, job: JobAction | None, message: MessageAction | None) -> None:
    if (job is None) == (message is None):
        raise Invalid("a schedule has one action", field="job", allowed="either 'job' or 'message'")
    if message is not None:
        topic_row(conn, workspace, message.topic)


def _plain(action: JobAction | MessageAction | None) -> dict[str, Any] | None:
    return None if action is None else asdict(action)


def _put(change: Change, one: Schedule, verb: str, values: dict[str, Any]) -> None:
    change.execute(update(schedules).where(schedules.c.id == one.id).values(version=one.version + 1, **values))
    _note(change, verb, one.schedule)


def _note(change: Change, verb: str, schedule: str) -> None:
    change.event(f"messaging.schedule.{verb}", subject=f"schedule:{schedule}")
    change.audit(f"messaging.schedule.{verb}", object_=f"schedule:{schedule}")


def _schedule(row: Row[Any]) -> Schedule:
    values = dict(row._mapping)  # noqa: SLF001 the public name of the mapping view of a row
    shown: list[datetime] = []
    if row.next_at is not None:
        shown = [row.next_at, *next_times(row.cron, row.zone, row.next_at, _SHOWN - 1)]
    values["job"] = None if row.job is None else JobAction(**row.job)
    values["message"] = None if row.message is None else MessageAction(**row.message)
    return Schedule(next_times=shown, **values)
