"""Further targets that a net learns beside the main one: which columns may be named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.kernel.errors import Invalid

BESIDE = "beside"
_FIELD = f"params.{BESIDE}"
_TAKEN = {
    "target": "the target of the split",
    "key": "the key of the split",
    "group": "the column that the split keeps together",
    "time": "the time of the split",
}


def check_beside(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of the further targets that the payload of a fit names; refuse those that are something else.

    Examples
    --------
    >>> check_beside({"target": "digit", "beside": ["loop"]})
    ('loop',)
    >>> check_beside({"target": "digit", "beside": ["digit"]})
    Traceback (most recent call last):
    aimass.kernel.errors.Invalid: column 'digit' is the target of the split
    """
    names = tuple(payload.get(BESIDE) or ())
    taken = {payload.get(field): told for field, told in _TAKEN.items() if payload.get(field)}
    taken |= dict.fromkeys(payload.get("features") or (), "an input of the run")
    for place, name in enumerate(names):
        told = "named twice" if name in names[:place] else taken.get(name)
        if told:
            raise Invalid(
                f"column {name!r} is {told}",
                field=_FIELD,
                value=name,
                allowed="each column once, none of them the target, key, group, time or a feature",
                hint="what is learned beside the target is not known when a model is asked, so it cannot be an input",
            )
    return names
