from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aimass.infra.database import events_log
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.messaging import (
    ChangeSchedule,
    CreateSchedule,
    JobAction,
    ListMessages,
    ListSchedules,
    MessageAction,
    PreviewCron,
    Schedule,
    ScheduleName,
    TopicName,
)
from aimass.messaging.domain.schedules import check_cron, due_times, next_times

NIGHTLY = ScheduleName(workspace="demo", schedule="nightly")


def create(desk, **options: object) -> Schedule:
    wish = {"cron": "0 * * * *", "message": MessageAction(topic="orders", body={"tick": 1}), **options}
    return desk.service.create_schedule(desk.who, CreateSchedule(workspace="demo", name="Nightly", **wish))


def ticks(desk) -> list[str]:
    return [
        m.id.split(":", 2)[2]
        for m in desk.service.list_messages(desk.who, ListMessages(workspace="demo", topic="orders")).items
    ]


@pytest.fixture(autouse=True)
def orders(desk) -> None:
    desk.topic()


def test_a_schedule_fires_once_for_each_due_time(desk, clock) -> None:
    assert create(desk).next_times[0] == datetime(2026, 5, 1, 13, tzinfo=UTC)
    assert desk.service.fire_due() == 0
    clock.move(hours=1)
    assert (desk.service.fire_due(), desk.service.fire_due()) == (1, 0)
    clock.move(hours=1)
    desk.service.fire_due()
    assert ticks(desk) == ["2026-05-01T13:00:00.000Z", "2026-05-01T14:00:00.000Z"]
    assert desk.service.get_schedule(desk.who, NIGHTLY).runs == 2


@pytest.mark.parametrize(("missed", "fired"), [("skip", []), ("once", ["16"]), ("all", ["13", "14", "15", "16"])])
def test_missed_runs_follow_their_policy(desk, clock, missed: str, fired: list[str]) -> None:
    create(desk, missed=missed)
    clock.move(hours=4, minutes=30)
    desk.service.fire_due()
    assert [tick[11:13] for tick in ticks(desk)] == fired
    assert desk.service.get_schedule(desk.who, NIGHTLY).next_at == datetime(2026, 5, 1, 17, tzinfo=UTC)


def test_a_run_a_few_seconds_late_is_not_missed(desk, clock) -> None:
    create(desk, missed="skip")
    clock.move(hours=1, seconds=20)
    assert desk.service.fire_due() == 1


def test_a_job_is_asked_for_by_an_event_with_a_key_of_its_own(desk, clock) -> None:
    job = JobAction(kind="lifecycle.pipeline", payload={"pipeline": "retrain"})
    create(desk, message=None, job=job)
    clock.move(hours=1)
    desk.service.fire_due()
    with desk.service._database.read() as conn:
        event = conn.execute(select(events_log).where(events_log.c.type == "messaging.schedule.fired")).one()
    assert event.actor == "policy:schedule:nightly"
    assert event.data["job"] == {"kind": "lifecycle.pipeline", "title": "Nightly", "payload": {"pipeline": "retrain"}}
    assert event.data["key"].endswith("2026-05-01T13:00:00.000Z")


def test_a_kind_that_schedules_may_not_start_is_refused(desk) -> None:
    with pytest.raises(Invalid) as refusal:
        create(desk, message=None, job=JobAction(kind="training.fit"))
    assert refusal.value.allowed == ["lifecycle.pipeline"]


def test_a_schedule_has_one_action_on_a_topic_that_exists(desk) -> None:
    with pytest.raises(Invalid, match="one action"):
        create(desk, message=None)
    with pytest.raises(NotFound):
        create(desk, message=MessageAction(topic="absent"))


def test_a_paused_schedule_rests_and_makes_up_for_nothing(desk, clock) -> None:
    create(desk, missed="all")
    assert desk.service.pause_schedule(desk.who, NIGHTLY).next_times == []
    clock.move(hours=5)
    assert desk.service.fire_due() == 0
    assert desk.service.resume_schedule(desk.who, NIGHTLY).next_at == datetime(2026, 5, 1, 18, tzinfo=UTC)
    assert desk.service.fire_due() == 0


def test_run_now_fires_beside_the_plan(desk) -> None:
    create(desk)
    assert desk.service.run_schedule(desk.who, NIGHTLY).runs == 1
    assert ticks(desk) == ["2026-05-01T12:00:00.000Z"]


def test_a_schedule_is_changed_listed_and_deleted(desk) -> None:
    create(desk)
    wish = ChangeSchedule(
        workspace="demo", schedule="nightly", cron="30 2 * * *", zone="Asia/Shanghai", expected_version=1
    )
    assert desk.service.change_schedule(desk.who, wish).next_at == datetime(2026, 5, 1, 18, 30, tzinfo=UTC)
    with pytest.raises(Stale):
        desk.service.change_schedule(desk.who, wish)
    with pytest.raises(Conflict):
        create(desk)
    assert [s.schedule for s in desk.service.list_schedules(desk.who, ListSchedules(workspace="demo")).items] == [
        "nightly"
    ]
    desk.service.delete_schedule(desk.who, NIGHTLY)
    with pytest.raises(NotFound):
        desk.service.get_schedule(desk.who, NIGHTLY)


def test_a_deleted_topic_does_not_stop_other_schedules(desk, clock) -> None:
    desk.topic("gone")
    create(desk)
    wish = CreateSchedule(workspace="demo", name="Orphan", cron="0 * * * *", message=MessageAction(topic="gone"))
    desk.service.create_schedule(desk.who, wish)
    desk.service.delete_topic(desk.who, TopicName(workspace="demo", topic="gone"))
    clock.move(hours=1)
    assert desk.service.fire_due() == 2
    assert len(ticks(desk)) == 1


def test_a_fixed_hour_fires_once_on_the_days_the_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        times = next_times("30 2 * * *", "Europe/Berlin", day, 3)
        assert len({moment.astimezone(berlin).date() for moment in times}) == 3


def test_a_wildcard_hour_fires_every_hour_of_real_time() -> None:
    times = next_times("0 * * * *", "Europe/Berlin", datetime(2026, 10, 24, 20, tzinfo=UTC), 8)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(hours=1)}


@pytest.mark.parametrize("cron", ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "@never", "a b c d e"])
def test_an_expression_that_cannot_be_used_is_refused(cron: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_cron(cron, "UTC")
    assert refusal.value.field == "cron"


def test_an_unknown_zone_is_refused_and_a_word_is_welcome(desk) -> None:
    with pytest.raises(Invalid, match="Mars"):
        check_cron("@daily", "Mars/Olympus")
    times = desk.service.preview_cron(desk.who, PreviewCron(workspace="demo", cron="@daily", zone="Asia/Shanghai"))
    assert times[0] == datetime(2026, 5, 1, 16, tzinfo=UTC)
    assert len(times) == 5


@settings(max_examples=40, deadline=None)
@given(
    minutes=st.integers(1, 60 * 24 * 500), cron=st.sampled_from(["* * * * *", "*/7 3 * * *", "0 0 1 * *", "15 2 * * 0"])
)
def test_all_missed_runs_are_the_last_ones_up_to_the_limit(minutes: int, cron: str) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = Schedule(
        id="", workspace="demo", schedule="s", name="s", cron=cron, zone="Europe/Berlin", missed="all", job=None, message=None,
        is_paused=False, next_at=next_times(cron, "Europe/Berlin", begin, 1)[0], next_times=[], last_at=None, runs=0,
        created_by="", created_at=begin, version=1,
    )  # fmt: skip
    now = begin + timedelta(minutes=minutes)
    due = due_times(schedule, now, on_time=timedelta(seconds=60), most=20)
    following = next_times(cron, "Europe/Berlin", now, 1)[0]
    assert due == sorted(set(due))
    assert all(schedule.next_at <= moment <= now for moment in due)
    assert len(due) <= 20
    if due:
        assert next_times(cron, "Europe/Berlin", due[-1], 1)[0] == following
    else:
        assert schedule.next_at > now
