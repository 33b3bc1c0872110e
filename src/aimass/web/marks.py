"""Texts with what stands where in them, as pages show them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A part of a text; ``type`` is empty where it has none."""

    text: str
    type: str = ""
    score: float | None = None


def marks_of(text: str | None, written: Any) -> list[Mark]:
    """Cut a text where a JSON list of entities (type, start, end) says so; what is no such list marks nothing.

    Examples
    --------
    >>> found = marks_of("to Oslo!", '[{"type": "city", "start": 3, "end": 7, "score": 0.9}]')
    >>> [(part.text, part.type) for part in found]
    [('to ', ''), ('Oslo', 'city'), ('!', '')]
    """
    whole, end = text or "", 0
    found: list[Mark] = []
    for one in entities_of(written) or []:
        found.append(Mark(text=whole[end : one["start"]]))
        found.append(Mark(text=whole[one["start"] : one["end"]], type=str(one["type"]), score=one.get("score")))
        end = one["end"]
    return [part for part in [*found, Mark(text=whole[end:])] if part.text]


def entities_of(written: Any) -> list[dict[str, Any]] | None:
    """Return the entities of an answer; None for what is no list of them.

    Examples
    --------
    >>> entities_of("[]"), entities_of("yes") is None, entities_of(0.5) is None
    ([], True, True)
    """
    try:
        found = json.loads(written)
    except (TypeError, ValueError):
        return None
    is_list = isinstance(found, list) and all(
        isinstance(one, dict) and {"type", "start", "end"} <= set(one) for one in found
    )
    return found if is_list else None
