"""Objects in pictures: what is there or was said to be there, and how alike two of them are.

References
----------
Lin et al., "Microsoft COCO: common objects in context", ECCV 2014: boxes are alike by the share of what they cover together
that they share, key points by how far each is off for the size of the object (object key point similarity).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

OBJECTS = "objects"
KEY_POINT_SPREAD = (
    0.1  # how far a key point may be off, in square roots of the area of its object; what is usual for a hip
)
Point = tuple[float, float]


class Thing(NamedTuple):
    """An object in a picture: pixels from its left upper corner; a key point that is not to be seen is None."""

    label: str
    x: float
    y: float
    width: float
    height: float
    points: tuple[Point | None, ...] = ()
    score: float = 1.0

    @property
    def sees(self) -> bool:
        """Return whether a key point of it is to be seen."""
        return any(point is not None for point in self.points)


def things_of(written: str) -> tuple[Thing, ...]:
    """Read objects as a dataset and an answer have them, the surest first.

    Examples
    --------
    >>> things_of('[{"label":"cat","x":1,"y":2,"width":3,"height":4,"score":0.5,"keypoints":[[1,2],null]}]')
    (Thing(label='cat', x=1.0, y=2.0, width=3.0, height=4.0, points=((1.0, 2.0), None), score=0.5),)
    """
    found = [
        Thing(
            label=str(one["label"]),
            **{name: float(one[name]) for name in ("x", "y", "width", "height")},
            points=tuple(None if at is None else (float(at[0]), float(at[1])) for at in one.get("keypoints") or ()),
            score=float(one.get("score", 1.0)),
        )
        for one in json.loads(written)
    ]
    return tuple(sorted(found, key=lambda one: -one.score))


def things_written(things: Iterable[Mapping[str, Any]]) -> str:
    """Write objects as a dataset and an answer have them.

    Examples
    --------
    >>> things_written([{"label": "cat", "x": 1.5, "y": 2, "width": 3, "height": 4}])
    '[{"label":"cat","x":1.5,"y":2,"width":3,"height":4}]'
    """
    return json.dumps(list(things), ensure_ascii=False, separators=(",", ":"))


def plain(one: Thing) -> dict[str, Any]:
    """Return an object as it is written, without its score.

    Examples
    --------
    >>> plain(Thing("cat", 1.0, 2.0, 3.0, 4.0))
    {'label': 'cat', 'x': 1.0, 'y': 2.0, 'width': 3.0, 'height': 4.0}
    """
    said: dict[str, Any] = {name: getattr(one, name) for name in ("label", "x", "y", "width", "height")}
    return said | ({"keypoints": [None if at is None else list(at) for at in one.points]} if one.points else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """The objects of each picture, which stand where other tasks have the truth."""

    things: Any

    @classmethod
    def of(cls, truths: Iterable[str]) -> Scenes:
        """Read truths as they are written in a dataset."""
        lists = [things_of(truth) for truth in truths]
        found = np.empty(len(lists), dtype=object)
        found[:] = lists
        return cls(things=found)

    def __len__(self) -> int:
        return len(self.things)

    def __getitem__(self, rows: Any) -> Scenes:
        return Scenes(things=self.things[rows])

    def written(self, row: int) -> str:
        """Return what is in one picture as a dataset has it."""
        return things_written(plain(one) for one in self.things[row])

    def labels(self) -> list[str]:
        """Return the labels that occur, sorted."""
        return sorted({one.label for some in self.things for one in some})

    @property
    def points(self) -> int:
        """Return how many key points an object has."""
        return max((len(one.points) for some in self.things for one in some), default=0)


def boxes_of(things: Sequence[Thing]) -> Any:
    """Return left, top, width and height of each object, shape ``(n, 4)``."""
    return np.array([one[1:5] for one in things], dtype=float).reshape(-1, 4)


def overlaps(some: Sequence[Thing], others: Sequence[Thing]) -> Any:
    """Return what each two boxes share of what they cover together (intersection over union), shape ``(some, others)``.

    Examples
    --------
    >>> overlaps([Thing("a", 0, 0, 2, 2)], [Thing("a", 1, 0, 2, 2), Thing("a", 5, 5, 1, 1)]).round(3).tolist()
    [[0.333, 0.0]]
    """
    one, other = boxes_of(some)[:, None], boxes_of(others)[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    whole = one[..., 2:].prod(axis=2) + other[..., 2:].prod(axis=2) - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def likeness(said: Sequence[Thing], true: Sequence[Thing]) -> Any:
    """Return how alike the key points of each two objects are, from 0 to 1, shape ``(said, true)``; those not to be seen count nothing.

    Examples
    --------
    >>> true = [Thing("a", 0, 0, 10, 10, points=((0, 0), None))]
    >>> likeness([Thing("a", 0, 0, 10, 10, points=((0, 1), (9, 9)))], true).round(3).tolist()
    [[0.607]]
    """
    own, wanted = _points_of(said), _points_of(true)
    count = min(own.shape[1], wanted.shape[1])
    away = ((own[:, None, :count] - wanted[None, :, :count]) ** 2).sum(axis=3)
    area = boxes_of(true)[:, 2:].prod(axis=1)[None, :, None]
    near = np.exp(-away / (2 * np.maximum(area, 1e-9) * KEY_POINT_SPREAD**2))
    seen = ~np.isnan(wanted[None, :, :count, 0])
    total = np.where(seen, np.nan_to_num(near), 0.0).sum(axis=2)
    return np.divide(total, seen.sum(axis=2), out=np.zeros_like(total), where=seen.sum(axis=2) > 0)


def _points_of(things: Sequence[Thing]) -> Any:
    count = max((len(one.points) for one in things), default=0)
    found = np.full((len(things), count, 2), np.nan)
    for row, one in enumerate(things):
        for place, point in enumerate(one.points):
            if point is not None:
                found[row, place] = point
    return found


def points_near(said: Thing, true: Thing, share: float) -> tuple[int, int]:
    """Return how many key points to be seen lie within a share of the longer side of their object, and how many are to be seen."""
    reach = share * max(true.width, true.height)
    seen = [(at, own) for at, own in zip(true.points, said.points, strict=False) if at is not None]
    near = sum(own is not None and float(np.hypot(at[0] - own[0], at[1] - own[1])) <= reach for at, own in seen)
    return near, len(seen)
