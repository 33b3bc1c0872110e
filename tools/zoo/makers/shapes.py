"""Circles, squares and triangles in noisy grey pictures, with the corners of what has some."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tools.zoo.making import Making

SIDE = 32
_COUNT, _MOST, _FINE = 1200, 3, 4
_DIGITS = 2  # decimals of a pixel: the package holds some of the pictures
_CORNERS = {"square": (-135.0, -45.0, 45.0, 135.0), "triangle": (-90.0, 30.0, 150.0)}  # degrees, clockwise
_POINTS = 4
LABELS = ("circle", "square", "triangle")


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    rng = np.random.default_rng(0)
    found = [_picture(rng) for _ in range(_COUNT)]
    return pl.DataFrame(
        {"picture": [pixels for pixels, _ in found], "boxes": [json.dumps(things) for _, things in found]},
        schema_overrides={"picture": pl.List(pl.Float32)},
    )


def _picture(rng: np.random.Generator) -> tuple[list[float], list[dict[str, Any]]]:
    """Draw up to three shapes that do not touch, brighter or darker than what is behind them."""
    places = (np.arange(SIDE * _FINE) + 0.5) / _FINE
    behind = rng.uniform(0.3, 0.7) + (places / SIDE - 0.5) * rng.uniform(-0.3, 0.3)  # it grows lighter to one side
    canvas = np.tile(behind, (SIDE * _FINE, 1))
    things: list[dict[str, Any]] = []
    for _ in range(int(rng.integers(0, _MOST + 1))):
        label, radius = str(rng.choice(LABELS)), float(rng.uniform(4.5, 8))
        middle = rng.uniform(radius + 1, SIDE - radius - 1, 2)
        corners = _corners(label, middle, radius, float(rng.uniform(-20, 20)))
        box = _box(corners, middle, radius)
        if any(_touch(box, one) for one in things):
            continue
        inside = _inside(places, corners, middle, radius)
        canvas = np.where(inside, canvas + rng.choice([-1, 1]) * rng.uniform(0.2, 0.3), canvas)
        points = [*([round(x, 1), round(y, 1)] for x, y in corners), *[None] * (_POINTS - len(corners))]
        things.append({"label": label, **box, "keypoints": points})
    pixels = canvas.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3)) + rng.normal(0, 0.03, (SIDE, SIDE))
    return np.clip(pixels, 0, 1).round(_DIGITS).ravel().tolist(), things


def _corners(label: str, middle: Any, radius: float, turn: float) -> list[tuple[float, float]]:
    """Return the corners, from the upper left or the top, clockwise; a circle has none."""
    angles = [math.radians(one + turn) for one in _CORNERS.get(label, ())]
    return [(middle[0] + radius * math.cos(one), middle[1] + radius * math.sin(one)) for one in angles]


def _box(corners: list[tuple[float, float]], middle: Any, radius: float) -> dict[str, float]:
    ends = np.array(corners) if corners else np.array([middle - radius, middle + radius])
    low, far = ends.min(axis=0), ends.max(axis=0)
    (x, y), (width, height) = low.round(1).tolist(), (far - low).round(1).tolist()
    return {"x": x, "y": y, "width": width, "height": height}


def _touch(one: dict[str, float], other: dict[str, Any]) -> bool:
    gaps = (
        max(one[at], other[at]) - min(one[at] + one[size], other[at] + other[size])
        for at, size in (("x", "width"), ("y", "height"))
    )
    return all(gap < 1 for gap in gaps)


def _inside(places: Any, corners: list[tuple[float, float]], middle: Any, radius: float) -> Any:
    """Tell which places are of a shape: within the radius, or on the right of every edge."""
    x, y = places[None, :], places[:, None]
    if not corners:
        return (x - middle[0]) ** 2 + (y - middle[1]) ** 2 <= radius**2
    found = np.ones((len(places), len(places)), dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        found &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    return found


MAKING = Making(
    rows=_rows,
    task="detection",
    recipe="torch_detector",
    params={"filters": 12, "epochs": 40, "learning_rate": 0.008, "shift": 2},
    folds=2,
    target="boxes",
    about={
        "title": "Shapes and their corners",
        "summary": "Finds circles, squares and triangles in a grey picture of 32 by 32 points: boxes, and the corners of what has "
        "some.",
        "family": "object-detection",
        "licence": "Apache-2.0",
        "data": {
            "title": "1,200 pictures with up to three shapes, drawn by a program",
            "source": "Made by tools/zoo/makers/shapes.py of this project",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out pictures with objects: a list of 1,024 values from 0 (black) to 1 (white), row by row. The "
            "answer is a JSON list of label, x, y, width, height, score and four key points; a score of 0.5 or more counts as found.",
            "limits": "- Drawn shapes on a plain ground are easier than photographs. It knows sides of about 7 to 16 points, "
            "turned by 20 degrees at most, that do not touch.\n- It says four corners of everything: the fourth of a triangle, "
            "and those of a circle, mean nothing.",
        },
    },
)
