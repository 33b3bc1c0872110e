"""Conditions on runs: ``cv_roc_auc >= 0.8 and params.trees = 200 and tags.team = 'red'``, as SQL on indexed columns."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, select

from aimass.kernel.errors import Invalid
from aimass.training.tables import facts, runs, scores

MAX_CONDITIONS = 20
MAX_TEXT = 255
FEW = 2000
_ONE = re.compile(
    r"""\s*(?:(?P<kind>params|tags|metrics)\.)?(?:"(?P<quoted>[^"]+)"|(?P<name>[\w./-]+))\s*
    (?P<sign><=|>=|!=|=|<|>)\s*
    (?:'(?P<text>[^']*)'|(?P<bare>[^\s']+))\s*(?P<next>\band\b|$)""",
    re.VERBOSE | re.IGNORECASE,
)
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SAYS = "NAME SIGN VALUE, joined by 'and'; NAME is a metric, params.NAME or tags.NAME, SIGN one of = != < <= > >="


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; the name of a parameter or tag carries what it is, ``params.trees``."""

    kind: Literal["metrics", "params", "tags"]
    name: str
    sign: str
    value: str | float

    @property
    def fact(self) -> str:
        """Return the name that the value is kept under."""
        return f"{self.kind}.{self.name}"


def conditions(text: str) -> list[Condition]:
    """Read conditions that somebody wrote.

    Examples
    --------
    >>> [(one.fact, one.sign, one.value) for one in conditions("cv_roc_auc >= 0.8 and tags.team='red team'")]
    [('metrics.cv_roc_auc', '>=', 0.8), ('tags.team', '=', 'red team')]
    """
    found: list[Condition] = []
    place = 0
    while place < len(text):
        match = _ONE.match(text, place)
        if match is None or len(found) == MAX_CONDITIONS:
            raise Invalid(
                f"no condition can be read at {text[place : place + 40]!r}",
                field="where",
                value=text[:200],
                allowed=f"at most {MAX_CONDITIONS} of {_SAYS}",
            )
        found.append(_read(match))
        place = match.end()
        if match["next"] and not text[place:].strip():
            raise Invalid("a condition is missing behind 'and'", field="where", value=text[:200], allowed=_SAYS)
    return found


def _read(match: re.Match[str]) -> Condition:
    kind: Any = (match["kind"] or "metrics").lower()
    value = number_of(match["bare"]) if match["text"] is None else match["text"]
    if kind == "metrics" and not isinstance(value, float):
        raise Invalid(f"a metric is compared with a number, not {value!r}", field="where", value=value)
    if isinstance(value, str) and match["sign"] not in ("=", "!="):
        raise Invalid(f"{match['sign']!r} compares numbers, not {value!r}", field="where", value=value)
    return Condition(kind, match["quoted"] or match["name"], match["sign"], value)


def number_of(text: str) -> float | str:
    """Return a number where a text is a finite one.

    Examples
    --------
    >>> number_of("1e-3"), number_of("red"), number_of("nan")
    (0.001, 'red', 'nan')
    """
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < float("inf") else text


def restricted(conn: Connection, query: Select[Any], text: str) -> tuple[Select[Any], bool]:
    """Return a query for the runs that keep all conditions, and whether few can.

    The condition that fewest runs keep, when these are few, names the candidates; the others are looked up for each
    candidate, or for each run in the order of the page, which is full long before the end where many keep them.
    """
    wanted = [_matching(one) for one in conditions(text)]
    counts = [_counted(conn, one) for one in wanted]
    rarest = min(counts, default=FEW + 1)
    for place, one in enumerate(wanted):
        if rarest <= FEW and place == counts.index(rarest):
            query = query.where(runs.c.id.in_(one))
        else:
            query = query.where(one.where(one.selected_columns[0] == runs.c.id).correlate(runs).exists())
    return query, rarest <= FEW


def are_many(conn: Connection, workspace: str, experiment: str | None) -> bool:
    """Tell whether so many runs are there that a page of the best is found by their scores, and not by sorting them."""
    query = select(runs.c.id).where(runs.c.workspace == workspace)
    query = query if experiment is None else query.where(runs.c.experiment == experiment)
    return _counted(conn, query) > FEW


def _counted(conn: Connection, matching: Select[Any]) -> int:
    """Return how many there are, and one more than few where there are more."""
    return conn.execute(select(func.count()).select_from(matching.limit(FEW + 1).subquery())).scalar_one()


def _matching(condition: Condition) -> Select[Any]:
    holds = _SIGNS[condition.sign]
    if condition.kind == "metrics":
        table = scores.alias()
        return select(table.c.run).where(table.c.name == condition.name, holds(table.c.value, condition.value))
    table = facts.alias()
    is_number = isinstance(condition.value, float)
    column: ColumnElement[Any] = table.c.number if is_number else table.c.text
    wanted = condition.value if is_number else str(condition.value)[:MAX_TEXT]
    return select(table.c.run).where(table.c.name == condition.fact, holds(column, wanted))


def facts_of(params: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, tuple[str, float | None]]:
    """Return what a run is found by: text and, where it is one, number of each parameter and tag.

    Examples
    --------
    >>> facts_of({"trees": 200, "kind": "rbf", "deep": {"a": True}}, {"team": "red"})
    {'params.trees': ('200', 200.0), 'params.kind': ('rbf', None), 'params.deep.a': ('true', None), 'tags.team': ('red', None)}
    """
    found = {f"params.{name}": value for name, value in _flat(params).items()}
    found |= {f"tags.{name}": value for name, value in tags.items()}
    return {name[:MAX_TEXT]: _told(value) for name, value in found.items()}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _told(value: Any) -> tuple[str, float | None]:
    if isinstance(value, bool) or value is None:
        return ("none" if value is None else str(value).lower()), None
    text = str(value)[:MAX_TEXT]
    number = number_of(text)
    return text, number if isinstance(number, float) else None
