"""Schedules: cron expressions in a time zone, and what happens to runs that were missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from annotated_types import Ge, Le, MaxLen, doc
from croniter import CroniterError, croniter

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

Missed = Literal["skip", "once", "all"]
_FIELDS = 5
_YEARS = 8
_LOOKS_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 35, 400, 366 * 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """Start a job of a kind that schedules may start."""

    kind: str
    title: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAction:
    """Publish a message."""

    topic: str
    body: Any = None
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Something that happens by the clock.

    Attributes
    ----------
    cron, zone
        Five fields or an ``@daily`` word, read in the IANA time zone: a fixed hour fires once a day, also on the days
        when the clock is changed.
    missed
        What to do about runs that fell into a time when the platform was down: nothing, one for all, or each.
    job, message
        What happens: one of the two.
    next_times
        The next moments at which it fires; empty while it is paused.
    """

    id: str
    workspace: str
    schedule: str
    name: str
    cron: str
    zone: str
    missed: Missed
    job: JobAction | None
    message: MessageAction | None
    is_paused: bool
    next_at: datetime | None
    next_times: list[datetime]
    last_at: datetime | None
    runs: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSchedule:
    """A new schedule with one of the two actions."""

    workspace: str
    name: Annotated[str, doc("name of the schedule, any language")]
    cron: Annotated[str, MaxLen(120), doc("minute hour day month weekday, for example '30 2 * * *'")]
    zone: Annotated[str, MaxLen(64), doc("IANA time zone, for example Europe/Berlin")] = "UTC"
    missed: Annotated[Missed, doc("what to do about runs that were missed")] = "once"
    job: JobAction | None = None
    message: MessageAction | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSchedule:
    """What is to be changed at a schedule; what is left out stays."""

    workspace: str
    schedule: str
    cron: Annotated[str | None, MaxLen(120)] = None
    zone: Annotated[str | None, MaxLen(64)] = None
    missed: Missed | None = None
    job: JobAction | None = None
    message: MessageAction | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSchedules:
    """Which schedules are wanted."""

    workspace: str
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleName:
    """Which schedule is meant."""

    workspace: str
    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewCron:
    """A cron expression whose next moments are wanted."""

    workspace: str
    cron: Annotated[str, MaxLen(120)]
    zone: Annotated[str, MaxLen(64)] = "UTC"
    count: Annotated[int, Ge(1), Le(50)] = 5


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def check_cron(cron: str, zone: str) -> None:
    """Refuse an expression that cannot be read or never comes true, and a zone that does not exist."""
    if zone not in _zones():
        hint = "write it like Europe/Berlin, Asia/Shanghai or UTC"
        raise Invalid(
            f"there is no time zone {zone!r}", field="zone", value=zone, allowed="an IANA time zone", hint=hint
        )
    word = cron.strip()
    if not word.startswith("@") and len(word.split()) != _FIELDS:
        hint = "minute hour day month weekday, for example '30 2 * * *'"
        raise Invalid(
            f"cron {cron!r} has {len(word.split())} fields", field="cron", value=cron, allowed="5 fields", hint=hint
        )
    try:
        next_times(cron, zone, datetime(2026, 1, 1, tzinfo=UTC), 1)
    except (CroniterError, ValueError, AttributeError, KeyError) as reason:
        raise Invalid(f"cron {cron!r} cannot be used: {reason}", field="cron", value=cron) from reason


def next_times(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next moments (UTC) at which an expression fires.

    When the clock goes back, a fixed hour that comes twice fires the first time only; when it goes forward, an hour
    that is left out fires at its end.

    Examples
    --------
    >>> autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    >>> [moment.isoformat() for moment in next_times("30 2 * * *", "Europe/Berlin", autumn, 2)]
    ['2026-10-25T00:30:00+00:00', '2026-10-26T01:30:00+00:00']
    """
    return list(islice(_moments(cron, zone, after), count))


def _moments(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    moments = croniter(cron, after.astimezone(ZoneInfo(zone)), max_years_between_matches=_YEARS)
    is_fixed_hour = not _hours(cron).startswith("*")
    while True:
        moment: datetime = moments.get_next(datetime)
        if not (is_fixed_hour and moment.fold):
            yield moment.astimezone(UTC)


def _hours(cron: str) -> str:
    if cron.strip().startswith("@"):
        return "*" if cron.strip().lower() == "@hourly" else "0"
    return cron.split()[1]


def due_times(schedule: Schedule, now: datetime, *, on_time: timedelta, most: int) -> list[datetime]:
    """Return the moments for which a schedule fires now, by its policy for missed runs; the last ones when too many."""
    if schedule.next_at is None or schedule.next_at > now:
        return []
    due = _between(schedule, schedule.next_at, now, most)
    if schedule.missed == "all":
        return due
    if schedule.missed == "once" or now - due[-1] <= on_time:
        return due[-1:]
    return []


def _between(schedule: Schedule, first: datetime, now: datetime, most: int) -> list[datetime]:
    """Return the last moments from ``first`` to ``now``; looks back further and further, so a long pause costs little."""
    for back in _LOOKS_BACK:
        after = max(first - timedelta(microseconds=1), now - back)
        due = list(takewhile(lambda moment: moment <= now, _moments(schedule.cron, schedule.zone, after)))
        if len(due) >= most or after < first:
            return due[-most:] or [first]
    return [first]
