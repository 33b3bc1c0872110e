"""A sample of rows that traffic is compared with: one kind of value per column, so that it is a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aimass.kernel.errors import Invalid

_MOST = 2**63
_KINDS = "text, a number, true or false, or null, and the same kind in every row"


def check_sample(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse rows that make no table, at the first value that does not fit.

    Parameters
    ----------
    rows
        JSON objects; a name may be missing.

    Raises
    ------
    Invalid
        A value is nested, too large, or of another kind than those above it.

    Examples
    --------
    >>> check_sample([{"plan": "basic", "paid": 21.5}, {"plan": None, "paid": 3}])
    >>> check_sample([{"paid": 21.5}, {"paid": "much"}])
    Traceback (most recent call last):
    ...
    aimass.kernel.errors.Invalid: 'paid' of row 2 is text, but the rows before it have numbers
    """
    kinds: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        for name, value in row.items():
            kind = _kind_of(value)
            if kind is None:
                raise Invalid(
                    f"{name!r} of row {number} is no value of a table",
                    field="rows",
                    value=str(value)[:200],
                    allowed=_KINDS,
                )
            if kind and kinds.setdefault(name, kind) != kind:
                raise Invalid(
                    f"{name!r} of row {number} is {kind}, but the rows before it have {kinds[name]}",
                    field="rows",
                    value=value,
                    allowed=_KINDS,
                )


def _kind_of(value: Any) -> str | None:
    """Return the kind of a value; empty for null, None for what no column holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "numbers" if -_MOST <= value < _MOST else None
    if isinstance(value, float):
        return "numbers"
    return "text" if isinstance(value, str) else None
