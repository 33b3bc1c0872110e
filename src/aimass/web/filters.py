"""How the console writes numbers, sizes, durations and times."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from aimass.kernel.clock import Clock, instant
from aimass.web.markdown import markdown

Say = Callable[..., str]
NONE = "–"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WHOLE = 1e6  # of six digits
STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for reading: whole ones in full with separators, others with few significant digits.

    Examples
    --------
    >>> number(7043), number(0.841234), number(12345.678), number(0.00001234), number(None), number(1.0)
    ('7,043', '0.8412', '12,346', '1.234e-05', '–', '1')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NONE
    if float(value).is_integer():
        return f"{int(value):,}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def short(value: float | None) -> str:
    """Write a count in at most five characters.

    Examples
    --------
    >>> short(999), short(4210), short(1_250_000), short(0.25)
    ('999', '4.21k', '1.25M', '0.25')
    """
    if value is None:
        return NONE
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return number(value, 3)


def size(value: float | None) -> str:
    """Write a size in bytes.

    Examples
    --------
    >>> size(512), size(977_501), size(3 * 2**30)
    ('512 B', '955 KB', '3 GB')
    """
    if value is None:
        return NONE
    amount, units = float(value), ["B", "KB", "MB", "GB", "TB", "PB"]
    while abs(amount) >= 1000 and len(units) > 1:  # noqa: PLR2004 four digits are never shown
        amount /= 1024
        units.pop(0)
    return f"{amount:.3g} {units[0]}"


def written(value: object) -> str:
    """Write lists and objects as JSON without spaces, numbers with six digits; a text stays what it is.

    Examples
    --------
    >>> written([{"label": "car", "x": 0.30000001192092896, "points": None}]), written("a"), written([1.0, True])
    ('[{"label":"car","x":0.3,"points":null}]', 'a', '[1,true]')
    """
    if not isinstance(value, list | tuple | Mapping):
        return str(value)
    return json.dumps(_brief(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _brief(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _brief(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_brief(one) for one in value]
    if not isinstance(value, float):
        return value
    brief = float(f"{value:.6g}") if math.isfinite(value) else None
    return int(brief) if brief is not None and brief.is_integer() and abs(brief) < _WHOLE else brief


def percent(value: float | None, digits: int = 3) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.8412), percent(1), percent(0.00021), percent(None)
    ('84.1 %', '100 %', '0.021 %', '–')
    """
    return NONE if value is None else f"{value * 100:.{digits}g} %"


def duration(seconds: float | None) -> str:
    """Write a duration with its two largest units.

    Examples
    --------
    >>> [duration(s) for s in (0.00042, 0.031, 12.44, 72, 4320, 273_600, 86_424)]
    ['420 µs', '31 ms', '12.4 s', '1 m 12 s', '1 h 12 m', '3 d 4 h', '1 d']
    """
    if not seconds:
        return NONE if seconds is None else "0"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return " ".join(f"{amount} {unit}" for amount, unit in _largest(seconds))


def _largest(seconds: float) -> list[tuple[int, str]]:
    """Return the two largest units of a duration and how many there are of each; a second one that is nothing is left out."""
    rest, parts = round(seconds), list[tuple[int, str]]()
    for length, unit in STEPS:
        amount, rest = divmod(rest, length)
        if amount or parts:
            parts.append((amount, unit))
    return [part for part in parts[:2] if part[0]]


def exact(moment: datetime) -> str:
    """Write a moment in full.

    Examples
    --------
    >>> exact(datetime(2026, 5, 1, 12, 0, tzinfo=UTC))
    '2026-05-01 12:00:00 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def relative(seconds: float, say: Say) -> str:
    """Write how long ago (or, negative, how far ahead) something is."""
    amount, unit = next(((abs(seconds) // n, u) for n, u in STEPS if abs(seconds) >= n), (0, "s"))
    if unit == "s" and amount < 5:  # noqa: PLR2004 nobody needs "3 s ago"
        return say("now")
    words = {
        "s": (say("%(n)d s ago", n=amount), say("in %(n)d s", n=amount)),
        "m": (say("%(n)d m ago", n=amount), say("in %(n)d m", n=amount)),
        "h": (say("%(n)d h ago", n=amount), say("in %(n)d h", n=amount)),
        "d": (say("%(n)d d ago", n=amount), say("in %(n)d d", n=amount)),
    }
    return words[unit][seconds < 0]


def _amount(amount: int, unit: str, say: Say) -> str:
    """Write so many of a unit of time in a language."""
    return {
        "s": say("%(n)d s", n=amount),
        "m": say("%(n)d m", n=amount),
        "h": say("%(n)d h", n=amount),
        "d": say("%(n)d d", n=amount),
    }[unit]


def time_filters(clock: Clock, say: Say) -> dict[str, Callable[..., Any]]:
    """Return the filters that need the present time or a language."""

    def ago(moment: datetime | float | None) -> Markup | str:
        if moment is None:
            return NONE
        then = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
        words = relative((clock.now() - then).total_seconds(), say)
        return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(instant(then), exact(then), words)

    def lasting(seconds: float | None) -> str:
        if not seconds or seconds < STEPS[-2][0]:
            return duration(seconds)
        return " ".join(_amount(amount, unit, say) for amount, unit in _largest(seconds))

    def since(moment: datetime | None) -> str:
        return NONE if moment is None else lasting(max(1.0, (clock.now() - moment).total_seconds()))

    def local(moment: datetime, zone: str) -> str:
        there = moment.astimezone(ZoneInfo(zone))
        return f"{say(DAYS[there.weekday()])} {there:%Y-%m-%d %H:%M}"

    return {"ago": ago, "since": since, "local": local, "duration": lasting}


PLAIN = {
    "number": number,
    "short": short,
    "bytes": size,
    "written": written,
    "percent": percent,
    "duration": duration,
    "exact": exact,
    "markdown": markdown,
}
