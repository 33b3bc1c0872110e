"""Targets that hold a list for each row: what stands in a text, or what is seen in a picture."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import polars as pl

from aimass.training.errors import Unlearnable


def lists_in(column: pl.Series, what: str, form: str, hint: str) -> list[Any]:
    """Return the cells of a target of lists, or of lists as JSON; or refuse one of another type.

    Examples
    --------
    >>> lists_in(pl.Series("marks", ["[]", None]), "entities", '[{"type": "city"}]', "write [] where there are none")
    ['[]', None]
    """
    is_list = isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct)
    if column.dtype == pl.String or is_list:
        return column.to_list()
    raise Unlearnable(
        f"target {column.name!r} holds {column.dtype}, and no {what}",
        field="target",
        value=column.name,
        allowed=form,
        hint=hint,
    )


def list_of(raw: Any) -> list[Any] | None:
    """Return the list of one cell; None for what is none.

    Examples
    --------
    >>> list_of("[1]"), list_of("{}"), list_of("[")
    ([1], None, None)
    """
    try:
        some = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return None
    return some if isinstance(some, list) else None


def need_some(names: Collection[str], most: int, target: str, words: tuple[str, str]) -> None:
    """Refuse a target that names nothing, or too much; ``words`` are what is named, and what it is of."""
    if names and len(names) <= most:
        return
    kinds, things = words
    raise Unlearnable(
        f"target {target!r} names {len(names) or 'no'} {kinds} of {things}",
        field="target",
        value=sorted(names)[:5],
        allowed=f"1 to {most} {kinds}",
        hint=f"mark some {things} first" if not names else f"put {kinds} together",
    )
