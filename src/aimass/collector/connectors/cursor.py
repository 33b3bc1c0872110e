"""The cursor of an incremental reading: how it is written into a state, and where the next reading begins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from aimass.kernel.errors import Invalid

CURSOR = "cursor"
MOST_DIGITS = 38
KINDS = ("integer", "float", "decimal", "timestamp", "date", "string")


def cursor_of(kind: str, told: Any, *, field: str = "cursor") -> Any:
    """Read a cursor that was written as text, by the type of its column.

    Examples
    --------
    >>> cursor_of("integer", "17"), cursor_of("timestamp", "2026-05-01T10:00:00").isoformat()
    (17, '2026-05-01T10:00:00+00:00')
    """
    if told is None:
        return None
    readers: Mapping[str, Any] = {
        "integer": _whole,
        "float": _finite,
        "decimal": _decimal,
        "timestamp": moment,
        "date": lambda text: date.fromisoformat(str(text)),
        "string": str,
    }
    if kind not in readers:
        raise Invalid(f"a column of type {kind} is no cursor", field=field, value=kind, allowed=list(KINDS))
    try:
        return readers[kind](told)
    except (ValueError, TypeError, ArithmeticError):
        raise Invalid(f"{told!r} is no {kind}", field=field, value=str(told)) from None


def _whole(told: Any) -> int:
    """Read an integer that a table can hold: one beyond would move the cursor past every row that does fit."""
    found = int(told)
    if not -(1 << 63) <= found < 1 << 63:
        raise ValueError(told)
    return found


def _finite(told: Any) -> float:
    """Read a number that others can be compared with: nothing comes after infinity, and NaN is not comparable."""
    found = float(told)
    if not isfinite(found):
        raise ValueError(told)
    return found


def _decimal(told: Any) -> Decimal:
    found = Decimal(told)
    if not found.is_finite() or found.adjusted() >= MOST_DIGITS:
        raise ValueError(told)
    return found


def moment(told: Any) -> datetime:
    """Read a moment; one without a zone is in UTC."""
    found = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def cursor_text(value: Any) -> Any:
    """Write a cursor for a state: numbers stay numbers where JSON keeps them whole.

    Examples
    --------
    >>> cursor_text(17), cursor_text(datetime(2026, 5, 1, tzinfo=UTC))
    (17, '2026-05-01T00:00:00+00:00')
    """
    if isinstance(value, datetime):
        return moment(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int | float | str) else str(value)


def begin_of(kind: str, told: Any, lag: float) -> Any:
    """Return where a reading begins: the last cursor less the lag (seconds of a moment, units of a number).

    Examples
    --------
    >>> begin_of("integer", 17, 5), begin_of("date", "2026-05-03", 86_400)
    (12, datetime.date(2026, 5, 2))
    """
    value = cursor_of(kind, told)
    if value is None or not lag or kind == "string":
        return value
    try:
        if kind == "timestamp":
            return value - timedelta(seconds=lag)
        if kind == "date":
            return value - timedelta(days=-(-lag // 86_400))
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if kind == "timestamp" else date.min
    return value - (Decimal(str(lag)) if kind == "decimal" else type(value)(lag))


class Highest:
    """The highest cursor that was handed over; a moment that lies ahead of the clock does not count.

    A single row dated to next year would otherwise hide every row of the months before.

    Examples
    --------
    >>> seen = Highest("integer", None)
    >>> seen.add(3), seen.add(None), seen.add(2)
    (None, None, None)
    >>> seen.state
    {'cursor': 3}
    """

    def __init__(self, kind: str, told: Any, *, now: datetime | None = None) -> None:
        self.value = cursor_of(kind, told)
        self.kind = kind
        self._limit: Any = None
        if now is not None and kind in ("timestamp", "date"):
            self._limit = now if kind == "timestamp" else now.date()

    def add(self, value: Any) -> None:
        """Take note of the cursor of a row, or of the highest of several."""
        if value is None:
            return
        found = cursor_of(self.kind, value)
        if self._limit is not None and found > self._limit:
            return
        if self.value is None or found > self.value:
            self.value = found

    @property
    def state(self) -> dict[str, Any]:
        """Return what belongs into the state of a part."""
        return {} if self.value is None else {CURSOR: cursor_text(self.value)}
