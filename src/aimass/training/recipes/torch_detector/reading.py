"""From the maps of a net to objects: peaks, the surest first, with their boxes; and how sure each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.boxes import pairs_of
from aimass.training.measures.objects import Scenes, Thing, things_written
from aimass.training.recipes.torch_detector.net import LARGEST, SIDES, Plan

TENTH, THOUSAND = 10, 1000
NOWHERE = -30.0  # the logit of a place that is no peak
_ROUNDS, _PULL = 50, 1e-3
_STEEPEST, _FLATTEST = 5.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """How a logit becomes the chance that a box is right: Platt's line through what the net said of pictures held out."""

    gain: float = 1.0
    offset: float = 0.0

    def of(self, logits: Any) -> Any:
        """Return chances.

        Examples
        --------
        >>> Sureness(gain=2.0, offset=1.0).of(np.array([-0.5])).tolist()
        [0.5]
        """
        return 1 / (1 + np.exp(-(self.gain * np.asarray(logits, dtype=np.float64) + self.offset)))


PLAIN = Sureness()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The peaks of each picture, the surest first: logits and labels, shape ``(n, most)``; boxes and points in tenths of a pixel."""

    logits: Any
    labels: Any
    boxes: Any
    points: Any


def peaks_of(maps: Any, plan: Plan, most: int) -> Peaks:
    """Return places where a label is more likely than at the eight around it, with what is told there."""
    count, (down, right) = len(maps), plan.grid
    heat, told = maps[:, : plan.labels], maps[:, plan.labels :].reshape(count, plan.outputs, down * right)
    wide = np.pad(heat, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    around = np.max([wide[:, :, y : y + down, x : x + right] for y in range(3) for x in range(3)], axis=0)
    flat = np.where(heat == around, heat, np.float32(NOWHERE)).reshape(count, -1)
    best = np.argsort(-flat, axis=1, kind="stable")[:, : min(most, flat.shape[1])]
    labels, places = np.divmod(best, down * right)
    picked = np.take_along_axis(told, places[:, None, :], axis=2)  # (n, outputs, most)
    across, along = ((places % right) + 0.5) * plan.stride, ((places // right) + 0.5) * plan.stride
    sides = np.exp(np.minimum(picked[:, :SIDES], LARGEST)) * plan.stride
    low = [_tenths(across - sides[:, 0], plan.columns, 1), _tenths(along - sides[:, 1], plan.rows, 1)]
    far = [_tenths(across + sides[:, 2], plan.columns), _tenths(along + sides[:, 3], plan.rows)]
    size = [np.maximum(end - start, 1) for start, end in zip(low, far, strict=True)]
    points = [
        _tenths(start + picked[:, SIDES + place] * plan.stride, end)
        for place in range(2 * plan.points)
        for start, end in [(along, plan.rows) if place % 2 else (across, plan.columns)]
    ]
    return Peaks(
        logits=np.take_along_axis(flat, best, axis=1),
        labels=labels,
        boxes=np.stack([*low, *size], axis=2),
        points=np.stack(points, axis=2) if points else np.zeros((*best.shape, 0), dtype=np.int64),
    )


def _tenths(pixels: Any, end: int, before: int = 0) -> Any:
    """Return places inside a picture in tenths of a pixel; ``before`` its end by so many of them."""
    return np.clip(np.round(pixels * TENTH), 0, end * TENTH - before).astype(np.int64)


def things_in(peaks: Peaks, row: int, labels: Sequence[str], chances: Any) -> list[Thing]:
    """Return the peaks of one picture as objects with these chances."""
    return [
        Thing(
            labels[int(peaks.labels[row, place])],
            *(peaks.boxes[row, place] / TENTH).tolist(),
            points=tuple(map(tuple, (peaks.points[row, place].reshape(-1, 2) / TENTH).tolist())),
            score=float(chances[place]),
        )
        for place in range(len(chances))
    ]


def written(peaks: Peaks, labels: Sequence[str], sureness: Sureness, least: float) -> Any:
    """Return what is told of each picture: objects that are sure enough, written as the graph writes them."""
    found = np.empty(len(peaks.logits), dtype=object)
    thousandths = np.round(sureness.of(peaks.logits) * THOUSAND).astype(int)
    for row, chances in enumerate(thousandths):
        some = things_in(peaks, row, labels, chances[chances >= least_of(least)] / THOUSAND)
        found[row] = things_written(_plain(one) for one in some)
    return found


def least_of(least: float) -> int:
    """Return the smallest score that is told, in thousandths.

    Examples
    --------
    >>> least_of(0.05)
    50
    """
    return max(1, round(least * THOUSAND))


def _plain(one: Thing) -> dict[str, Any]:
    said = {"label": one.label, "x": one.x, "y": one.y, "width": one.width, "height": one.height, "score": one.score}
    return said | ({"keypoints": [list(at) for at in one.points if at is not None]} if one.points else {})


def sureness_of(peaks: Peaks, truth: Scenes, labels: Sequence[str]) -> Sureness:
    """Find the line from logits to chances that says best which boxes were right; the plain one where all or none were."""
    logits: list[float] = []
    rights: list[bool] = []
    for row, things in enumerate(truth.things):
        own = things_in(peaks, row, labels, peaks.logits[row])
        right = {id(one) for one, _ in pairs_of(own, things)}
        logits += [one.score for one in own if one.score > NOWHERE]
        rights += [id(one) in right for one in own if one.score > NOWHERE]
    return _line(np.array(logits), np.array(rights, dtype=float))


def _line(logits: Any, rights: Any) -> Sureness:
    """Return the logistic line by Newton's steps, pulled a little to that of the net itself."""
    if not len(rights) or not 0 < rights.sum() < len(rights):
        return PLAIN
    both, line, pull = np.stack([logits, np.ones_like(logits)], axis=1), np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(both @ line, -40, 40)))
        slope = both.T @ (chance - rights) + _PULL * len(rights) * (line - pull)
        bend = (both * (chance * (1 - chance))[:, None]).T @ both + _PULL * len(rights) * np.eye(2)
        step = np.linalg.solve(bend, slope)
        line = line - step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 rounding
            break
    return Sureness(gain=float(np.clip(line[0], _FLATTEST, _STEEPEST)), offset=float(np.float32(line[1])))
