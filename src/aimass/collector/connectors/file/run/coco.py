"""Annotations of pictures in the form of COCO: what is where in each picture, in pixels of its file."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import orjson

from aimass.collector.connectors.file.run.folder import Folder
from aimass.collector.connectors.file.run.picture import Place
from aimass.kernel.errors import Invalid
from aimass.kernel.unpacking import UNREADABLE

_NAMED = re.compile(r"(annotations|instances|person_keypoints|_annotations\.coco)[^/]*\.json", re.IGNORECASE)
_MOST_BYTES = 256 * 1024 * 1024
_FOUR, _TRIPLE = 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing in a picture: its class, its box, and its key points as x, y and whether they are seen; None without any."""

    label: str
    box: tuple[float, float, float, float]
    points: tuple[float, ...] | None = None


@dataclass(slots=True, kw_only=True)
class Noted:
    """What is noted of a picture: how large it is said to be, what is seen in it, and what is wrong with the notes."""

    size: tuple[int, int] | None = None
    seen: list[Seen] = field(default_factory=list[Seen])
    wrong: str = ""


def tables_of(folder: Folder) -> list[str]:
    """Return the names of the files of annotations in an archive."""
    return [name for name in folder.all_names if _NAMED.fullmatch(PurePosixPath(name).name)]


def notes_of(folder: Folder) -> dict[str, Noted]:
    """Return what is noted of the pictures of an archive, by their names in it; pictures that are missing are in it too."""
    found: dict[str, Noted] = {}
    for name in tables_of(folder):
        told = _notes(folder, name)
        twice = sorted(set(found) & set(told))
        if twice:
            raise Invalid(
                f"{twice[0]!r} is noted in two files of annotations"[:300],
                field="file",
                hint="note each picture in one file of annotations alone",
            )
        found |= told
    return found


def _notes(folder: Folder, name: str) -> dict[str, Noted]:
    told = _read(folder, name)
    pictures, labels, points = _images(told, name), _labels(told, name), _parts(told, name, "annotations")
    noted = {number: _noted(one) for number, (_, one) in pictures.items()}
    for one in points:
        number = one.get("image_id")
        if number not in noted:
            raise _broken(name, f"an annotation is of the picture {str(number)[:50]!r}, which is not there")
        _add(noted[number], one, labels)
    paths = _paths(folder, name)
    return {paths(file): noted[number] for number, (file, _) in pictures.items()}


def _read(folder: Folder, name: str) -> Mapping[str, Any]:
    try:
        told = orjson.loads(folder.read(name, _MOST_BYTES))
    except (ValueError, *UNREADABLE) as reason:  # orjson tells what is no JSON by a ValueError
        raise _broken(name, str(reason)[:200]) from reason
    if not isinstance(told, dict):
        raise _broken(name, "it is no object")
    return told


def _parts(told: Mapping[str, Any], name: str, key: str) -> list[Mapping[str, Any]]:
    parts = told.get(key)
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        raise _broken(name, f"it has no list {key!r}")
    return parts


def _images(told: Mapping[str, Any], name: str) -> dict[Any, tuple[str, Mapping[str, Any]]]:
    found: dict[Any, tuple[str, Mapping[str, Any]]] = {}
    for one in _parts(told, name, "images"):
        number, file = one.get("id"), one.get("file_name")
        if not isinstance(number, int | str) or not isinstance(file, str) or number in found:
            raise _broken(name, "a picture has no id of its own, or no file_name")
        found[number] = file, one
    return found


def _labels(told: Mapping[str, Any], name: str) -> dict[Any, str]:
    found = {
        one.get("id"): one.get("name")
        for one in _parts(told, name, "categories")
        if isinstance(one.get("id"), int | str)
    }
    if not all(isinstance(one, str) and one and "\0" not in one for one in found.values()):
        raise _broken(name, "a category has no name")
    return {number: str(one) for number, one in found.items()}


def _noted(one: Mapping[str, Any]) -> Noted:
    width, height = one.get("width"), one.get("height")
    is_said = isinstance(width, int) and isinstance(height, int)
    return Noted(size=(width, height) if is_said else None)  # pyright: ignore[reportArgumentType] both are whole


def _add(noted: Noted, one: Mapping[str, Any], labels: Mapping[Any, str]) -> None:
    """Take one annotation; crowds are areas, not things, and are left out."""
    if one.get("iscrowd"):
        return
    label = labels.get(one.get("category_id"))
    box: Any = one.get("bbox")
    points: Any = one.get("keypoints")
    if label is None:
        noted.wrong = f"an annotation has the category {str(one.get('category_id'))[:50]!r}, which is not there"
    elif not _are_numbers(box) or len(box) != _FOUR or min(box[2:]) <= 0:
        noted.wrong = f"a {label[:50]!r} has no bbox of x, y, width and height"
    elif points is not None and (not _are_numbers(points) or len(points) % _TRIPLE):
        noted.wrong = f"a {label[:50]!r} has keypoints that are no triples of x, y and visibility"
    else:
        x, y, width, height = map(float, box)
        drawn = tuple(map(float, points or ()))
        noted.seen.append(
            Seen(label=label, box=(x, y, width, height), points=drawn if any(drawn[2::_TRIPLE]) else None)
        )


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in values
    )


def _paths(folder: Folder, table: str) -> Any:
    """Return what finds a picture in the archive: where its file_name says from the table on, or by its name alone."""
    here, beside = set(folder.names), PurePosixPath(table).parent
    alike: dict[str, list[str]] = defaultdict(list)
    for name in folder.names:
        alike[PurePosixPath(name).name].append(name)

    def find(file: str) -> str:
        for place in (str(beside / file), str(beside.parent / file), file):
            if place in here:
                return place
        named = alike[PurePosixPath(file).name]
        split = PurePosixPath(table).stem.rpartition("_")[2]  # instances_val2017.json tells of val2017/
        inside = [name for name in named if split in PurePosixPath(name).parts]
        best = inside if len(named) > 1 else named
        return best[0] if len(best) == 1 else str(beside / file)

    return find


def boxes_in(noted: Noted, place: Place, *, with_points: bool) -> list[dict[str, Any]]:
    """Return what is seen in a picture as rows, in pixels of the frame; key points that nobody noted are at 0, as in COCO."""
    return [_row(one, place, with_points=with_points) for one in noted.seen]


def _row(seen: Seen, place: Place, *, with_points: bool) -> dict[str, Any]:
    x, y, width, height = seen.box
    left, top = place.point(x, y)
    right, bottom = place.point(x + width, y + height)
    row: dict[str, Any] = {"label": seen.label, "x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**row, "keypoints": _moved(seen.points, place)} if with_points else row


def _moved(points: Sequence[float] | None, place: Place) -> list[float] | None:
    if points is None:
        return None
    found: list[float] = []
    for start in range(0, len(points), _TRIPLE):
        x, y, seen = points[start : start + _TRIPLE]
        found += [*(place.point(x, y) if seen else (0.0, 0.0)), seen]
    return found


def _broken(name: str, why: str) -> Invalid:
    return Invalid(
        f"{PurePosixPath(name).name[:100]} holds no annotations of the form of COCO: {why}",
        field="file",
        hint="it wants the lists images, annotations and categories",
    )
