"""Entities in a dataset: a column of texts, and a column that tells what stands where in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Signature
from aimass.training.children.marks import list_of, lists_in, need_some
from aimass.training.children.texts import is_text
from aimass.training.cutting import placed
from aimass.training.measures.spans import ENTITIES, entities_of, written_of

TAGGING = "tagging"
MAX_TYPES = 50
LONGEST_TYPE = 100
_SHOWN = 120
_FORM = '[{"type": "city", "start": 3, "end": 7}], places counted in characters from 0'


def entities(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return what stands where in each text, written in one way and sorted; null where nobody has looked; or refuse it.

    Examples
    --------
    >>> frame = pl.DataFrame({"marks": ['[{"type": "city", "start": 3, "end": 7}]', "[]", None]})
    >>> entities(frame, "marks").to_list()
    ['[{"type":"city","start":3,"end":7}]', '[]', None]
    """
    cells = lists_in(
        frame[target], "entities", _FORM, hint="write the entities of each text as a JSON list, [] where there are none"
    )
    found = pl.Series(target, [None if one is None else _written(one, target) for one in cells], dtype=pl.String)
    types = {one.type for written in found.drop_nulls() for one in entities_of(written)}
    need_some(types, MAX_TYPES, target, ("types", "entities"))
    return found


def _written(raw: Any, target: str) -> str:
    """Return the entities of one text in the usual form."""
    some = list_of(raw)
    if some is None:
        raise _refused(target, raw, "is no list")
    for one in some:
        _check(one, raw, target)
    ordered = sorted(some, key=lambda one: one["start"])
    for one, other in pairwise(ordered):
        if one["end"] > other["start"]:
            raise _refused(target, raw, f"has two entities that share characters, at {other['start']}")
    return written_of(
        {name: one[name] for name in ("type", "start", "end", "text") if one.get(name) is not None} for one in ordered
    )


def _check(one: Any, raw: Any, target: str) -> None:
    if not isinstance(one, dict) or not {"type", "start", "end"} <= set(one):
        raise _refused(target, raw, "has an entity without type, start and end")
    kind, start, end = one["type"], one["start"], one["end"]
    if not isinstance(kind, str) or not 0 < len(kind.strip()) <= LONGEST_TYPE:
        raise _refused(target, raw, "has an entity whose type is no short text")
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise _refused(target, raw, "has an entity that does not begin before it ends")


def _refused(target: str, raw: Any, what: str, text: str = "") -> Invalid:
    said = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    where = f" of the text {text[:_SHOWN]!r}" if text else ""
    return Invalid(
        f"the value of {target!r}{where} {what}",
        field="target",
        value=said[:_SHOWN],
        allowed=_FORM,
        hint="repair the row, or leave it out; the guide tells how marks of other tools and of CoNLL files become this form",
    )


def text_columns(rows: pl.DataFrame, aside: Collection[str | None], chosen: Sequence[str] | None = None) -> list[str]:
    """Return the columns that may be the texts: the only one of strings, or those of free text; refuse rows without any.

    Parameters
    ----------
    aside
        Columns that play another part.
    chosen
        Columns that somebody named, if anybody did.
    """
    names = [one for one in chosen or rows.columns if one in rows.columns and one not in aside]
    strings = [name for name in names if rows[name].dtype == pl.String and not name.startswith("_")]
    if not strings:
        raise Invalid(
            "the task reads a column of texts, and there is none",
            field="features" if chosen else "dataset",
            value=list(names)[:20],
            hint="the texts stand in a column of strings, beside that of what is told of them",
        )
    return [name for name in strings if len(strings) == 1 or is_text(rows[name])] or strings


def the_text_column(rows: pl.DataFrame, aside: Collection[str | None], chosen: Sequence[str] | None) -> str:
    """Return the one column of texts, or refuse several."""
    found = text_columns(rows, aside, chosen)
    if len(found) > 1:
        raise Invalid(
            f"the task reads one column of texts, and {len(found)} may be it",
            field="features",
            value=found[:20],
            hint="name it in 'features', and no other",
        )
    return found[0]


def check_places(texts: Sequence[str | None], found: pl.Series, target: str) -> list[str]:
    """Refuse entities that lie outside their text, or say another text than stands there; return what is odd about the rest."""
    inside = 0
    for text, written in zip(texts, found, strict=True):
        if written is None or written == "[]":
            continue
        inside += _check_text(text or "", written, target)
    return (
        [f"{inside} entities begin or end inside a word: they are learned as whole words, and never found exactly"]
        if inside
        else []
    )


def _check_text(text: str, written: str, target: str) -> int:
    """Return how many entities of one text begin or end inside a word."""
    words = placed(text)
    starts, ends = {word.start for word in words}, {word.end for word in words}
    cut = 0
    for one in json.loads(written):
        stands = text[one["start"] : one["end"]]
        if one["end"] > len(text):
            raise _refused(
                target, written, f"has an entity that ends at {one['end']}, behind the {len(text)} characters", text
            )
        if one.get("text", stands) != stands:
            raise _refused(
                target,
                written,
                f"says {one['text']!r} where {stands!r} stands; places count characters, not bytes",
                text,
            )
        if not stands.strip():
            raise _refused(target, written, "has an entity of white space", text)
        cut += one["start"] not in starts or one["end"] not in ends
    return cut


def signature_of_texts(texts: pl.Series) -> Signature:
    """Describe a model that reads one text and answers its entities."""
    column = Column(name=texts.name, type="string", nullable=texts.null_count() > 0)
    return Signature(inputs=(column,), outputs=(Output(name=ENTITIES, type="string", shape=(-1,)),))
