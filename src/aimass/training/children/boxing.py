"""Objects in a dataset: a column of pictures, and a column that tells what is where in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from math import isfinite
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Signature
from aimass.training.children.marks import list_of, lists_in, need_some
from aimass.training.children.tensors import is_tensor, length_of, tensor_of, why_no_tensor
from aimass.training.measures.objects import OBJECTS, things_written

DETECTION = "detection"
MAX_LABELS, LONGEST_LABEL = 100, 100
MAX_OBJECTS, MAX_POINTS = 300, 64
_SHOWN = 120
_SIDES = ("x", "y", "width", "height")
_TRIPLE = 3
_FORM = '[{"label": "cat", "x": 3, "y": 7, "width": 20, "height": 12}], pixels from the left upper corner'


def objects(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return what is in each picture, written in one way; null where nobody has looked; or refuse it.

    Examples
    --------
    >>> frame = pl.DataFrame({"boxes": ['[{"label": "cat", "x": 1, "y": 2, "width": 3, "height": 4}]', "[]", None]})
    >>> objects(frame, "boxes").to_list()
    ['[{"label":"cat","x":1.0,"y":2.0,"width":3.0,"height":4.0}]', '[]', None]
    """
    cells = lists_in(
        frame[target], "objects", _FORM, hint="write the objects of each picture as a list, [] where there are none"
    )
    read = [None if one is None else _read(one, target) for one in cells]
    need_some({one["label"] for some in read for one in some or ()}, MAX_LABELS, target, ("labels", "objects"))
    _settle_points(read, target)
    return pl.Series(target, [None if one is None else things_written(one) for one in read], dtype=pl.String)


def _read(raw: Any, target: str) -> list[dict[str, Any]]:
    """Return the objects of one picture as they were checked; key points still as they came."""
    some = list_of(raw)
    if some is None:
        raise _refused(target, raw, "is no list")
    if len(some) > MAX_OBJECTS:
        raise _refused(target, raw, f"has {len(some)} objects, and {MAX_OBJECTS} are allowed")
    return [_object(one, raw, target) for one in some]


def _object(one: Any, raw: Any, target: str) -> dict[str, Any]:
    if not isinstance(one, dict) or not {"label", *_SIDES} <= set(one):
        raise _refused(target, raw, "has an object without label, x, y, width and height")
    label = str(one["label"]) if type(one["label"]) is int else one["label"]
    if not isinstance(label, str) or not 0 < len(label.strip()) <= LONGEST_LABEL or not _is_whole(label):
        raise _refused(target, raw, "has an object whose label is no short text")
    sides = {name: one[name] for name in _SIDES}
    for name, value in sides.items():
        if not _is_number(value):
            raise _refused(target, raw, f"has an object whose {name} is {value!r}, which is no number")
    if sides["width"] <= 0 or sides["height"] <= 0:
        raise _refused(target, raw, "has an object without width or height")
    if sides["x"] < 0 or sides["y"] < 0:
        raise _refused(target, raw, "has an object that begins outside its picture")
    points = _points(one.get("keypoints"), raw, target)
    return {"label": label, **{name: float(value) for name, value in sides.items()}, "keypoints": points}


def _is_whole(text: str) -> bool:
    """Tell whether a text can be written down: half of a character, which JSON can spell, cannot."""
    return text.encode(errors="ignore").decode() == text


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9 and isfinite(value)  # noqa: PLR2004 no picture is as large


def _points(said: Any, raw: Any, target: str) -> list[Any]:
    """Return key points as a list of points, or of numbers where they lie side by side; refuse what is neither."""
    if said is None:
        return []
    if not isinstance(said, list):
        raise _refused(target, raw, "has key points that are no list")
    if said and all(point is None or isinstance(point, list) for point in said):
        return [_point(point, raw, target) for point in said]
    if not all(_is_number(value) for value in said):
        raise _refused(target, raw, "has key points that are no numbers")
    return said


def _point(point: list[Any] | None, raw: Any, target: str) -> list[float] | None:
    """Return one point of x and y; None for one of which a third number says that it is not to be seen."""
    if point is None:
        return None
    if len(point) not in (2, _TRIPLE) or not all(_is_number(value) for value in point):
        raise _refused(target, raw, f"has the key point {point!r}, which is not x and y")
    return None if len(point) == _TRIPLE and point[2] == 0 else [float(point[0]), float(point[1])]


def _settle_points(read: Sequence[list[dict[str, Any]] | None], target: str) -> None:
    """Give all objects equally many points: pairs, or triples of which the third number says whether one is to be seen."""
    things = [one for some in read for one in some or ()]
    flat = [one["keypoints"] for one in things if one["keypoints"] and not _is_nested(one["keypoints"])]
    size = _TRIPLE if flat and all(_are_triples(points) for points in flat) else 2
    for one in things:
        points = one["keypoints"]
        if points and not _is_nested(points):
            if len(points) % size:
                raise _refused(target, [one], "has key points that are neither pairs of x and y nor triples")
            cut = [points[at : at + size] for at in range(0, len(points), size)]
            one["keypoints"] = [_point(point, [one], target) for point in cut]
    counts = {len(one["keypoints"]) for one in things} - {0}
    if len(counts) > 1 or max(counts, default=0) > MAX_POINTS:
        odd = next(one for one in things if len(one["keypoints"]) == max(counts))
        known = f"{min(counts)} and {max(counts)} key points" if len(counts) > 1 else f"{max(counts)} key points"
        raise _refused(target, [odd], f"has objects with {known}: all have equally many, {MAX_POINTS} at most")
    for one in things:
        if not one["keypoints"]:
            one["keypoints"] = [None] * max(counts, default=0)
        if not counts:
            del one["keypoints"]


def _is_nested(points: list[Any]) -> bool:
    return points[0] is None or isinstance(points[0], list)


def _are_triples(points: list[Any]) -> bool:
    return len(points) % _TRIPLE == 0 and all(seen in (0, 1, 2) for seen in points[2::_TRIPLE])


def _refused(target: str, raw: Any, what: str) -> Invalid:
    said = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, default=str)
    return Invalid(
        f"the value of {target!r} {what}",
        field="target",
        value=said[:_SHOWN],
        allowed=_FORM,
        hint="repair the row, or leave it out; the guide tells how annotations of other tools become this form",
    )


def the_picture_column(rows: pl.DataFrame, aside: Collection[str | None], chosen: Sequence[str] | None = None) -> str:
    """Return the one column of pictures: that of lists of numbers; or refuse none, and several."""
    names = [one for one in chosen or rows.columns if one in rows.columns and one not in aside]
    found = [name for name in names if not name.startswith("_") and is_tensor(rows[name].dtype)]
    if len(found) != 1:
        raise Invalid(
            f"objects are found in one column of pictures, and {len(found) or 'none'} may be it",
            field="features" if chosen or found else "dataset",
            value=(found or list(names))[:20],
            hint="a picture is a list of numbers, all equally long; of several columns name one in 'features'",
        )
    why_no_tensor(rows[found[0]], is_chosen=True)
    return found[0]


def pictures_of(column: pl.Series, signature: Signature) -> pl.DataFrame:
    """Return pictures as a package takes them; refuse those of another size."""
    return pl.DataFrame([tensor_of(column, (signature.inputs[0].shape or (-1, 0))[1])])


def signature_of_pictures(pictures: pl.Series) -> Signature:
    """Describe a model that sees one picture and answers what is in it."""
    column = Column(name=pictures.name, type="float", shape=(-1, length_of(pictures)))
    return Signature(inputs=(column,), outputs=(Output(name=OBJECTS, type="string", shape=(-1,)),))
