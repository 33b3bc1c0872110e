"""How well objects are found in pictures: average precision as COCO counts it, and what a person who is told of them sees.

References
----------
Lin et al., "Microsoft COCO: common objects in context", ECCV 2014: boxes are matched in the order of their scores, each with
the box that it overlaps most and that is still free; precision is read at 101 recalls, and averaged over ten overlaps from
0.5 to 0.95 and over labels.
Yang & Ramanan, "Articulated human detection with flexible mixtures of parts", TPAMI 35 (2013): key points within a share of
the longer side of their object (PCK).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, Comparison, Interval, paired
from aimass.training.measures.objects import Scenes, Thing, likeness, overlaps, points_near, things_of

MOST = 100  # boxes of a picture that count, the surest first
TOLD = 0.5  # the score from which a box counts as said to be there
FROM = 0.5  # the overlap from which a box is at its object
STRICT = 0.75
REACH = 0.1  # of the longer side: how far a key point may be off and still be right
DRAWS = 200
OVERLAPS = np.round(np.linspace(0.5, 0.95, 10), 2)
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Everything that was said of one label, the surest first.

    Attributes
    ----------
    picture
        The picture of each box, shape ``(n,)``.
    is_right
        Whether it is at an object that no surer one is at, shape ``(overlaps, n)``.
    there
        How many objects of the label each picture holds.
    """

    picture: Any
    is_right: Any
    there: Any

    def precision(self, weights: Any) -> Any:
        """Return the average precision at each overlap for each weighting of the pictures, shape ``(draws, overlaps)``."""
        hits = np.flatnonzero(self.is_right.any(axis=0))
        last = int(hits[-1]) + 1 if len(hits) else 0  # what follows the last right one changes nothing
        drawn, there = weights[:, self.picture[:last]], weights @ self.there
        found = np.zeros((len(weights), len(self.is_right)))
        for place, right in enumerate(self.is_right[:, :last] if last else ()):
            true, said = np.cumsum(drawn * right, axis=1), np.cumsum(drawn, axis=1)
            share = np.divide(true, said, out=np.zeros_like(true), where=said > 0)
            best = np.maximum.accumulate(share[:, ::-1], axis=1)[:, ::-1]
            for draw, row in enumerate(true):
                at = np.searchsorted(row / there[draw] if there[draw] else row, RECALLS)
                found[draw, place] = best[draw, at[at < last]].sum() / len(RECALLS)
        return np.where((there > 0)[:, None], found, np.nan)

    @property
    def recall(self) -> Any:
        """Return the share of the objects that a box is at, for each overlap."""
        return self.is_right.sum(axis=1) / max(self.there.sum(), 1)


def read(said: Any) -> list[tuple[Thing, ...]]:
    """Return what was said of each picture, at most as many boxes as count."""
    return [things_of(written)[:MOST] for written in said]


def rank(truth: Scenes, said: Any, alike: Callable[..., Any] = overlaps) -> dict[str, Ranked]:
    """Return what was said of each label that is there; labels that are nowhere have no precision, as with COCO."""
    answers = read(said)
    return {label: _ranked(truth, answers, label, alike) for label in truth.labels()}


def _ranked(truth: Scenes, answers: Sequence[Sequence[Thing]], label: str, alike: Callable[..., Any]) -> Ranked:
    pictures: list[int] = []
    scores: list[float] = []
    rights: list[Any] = [np.zeros((len(OVERLAPS), 0), dtype=bool)]
    there = np.zeros(len(truth))
    for number, (things, answer) in enumerate(zip(truth.things, answers, strict=True)):
        wanted = [one for one in things if one.label == label]
        own = [one for one in answer if one.label == label]
        if alike is likeness:  # where no key point is to be seen, none can be judged, nor what was said there
            blind = [one for one in wanted if not one.sees]
            wanted = [one for one in wanted if one.sees]
            own = [one for one in own if not (overlaps([one], blind) >= FROM).any()]
        there[number] = len(wanted)
        pictures += [number] * len(own)
        scores += [one.score for one in own]
        rights.append(_matched(alike(own, wanted)))
    order = np.argsort(-np.array(scores), kind="stable")
    return Ranked(
        picture=np.array(pictures, dtype=np.int64)[order],
        is_right=np.concatenate(rights, axis=1)[:, order],
        there=there,
    )


def _matched(near: Any, least: Any = OVERLAPS) -> Any:
    """Return which boxes are right at each overlap: each in its turn takes the free object that it overlaps most."""
    said, true = near.shape
    right, free = np.zeros((len(least), said), dtype=bool), np.ones((len(least), true), dtype=bool)
    for row in range(said if true else 0):
        open_to = np.where(free, near[row], -1.0)
        best = open_to.argmax(axis=1)
        right[:, row] = open_to[np.arange(len(least)), best] >= least
        free[right[:, row], best[right[:, row]]] = False
    return right


def ap(truth: Scenes, said: Any) -> float:
    """Return the mean average precision over labels and overlaps.

    Examples
    --------
    >>> truth = Scenes.of(['[{"label":"cat","x":0,"y":0,"width":10,"height":10}]'])
    >>> round(ap(truth, ['[{"label":"cat","x":0,"y":0,"width":10,"height":8,"score":0.9}]']), 2)  # 0.8 of it: 7 overlaps of 10
    0.7
    """
    return float(_by_label(list(rank(truth, said).values()), np.ones((1, len(truth))))[0].mean())


def _by_label(ranked: Sequence[Ranked], weights: Any) -> Any:
    """Return the mean over labels of the average precision, shape ``(draws, overlaps)``; a draw without a label passes over it."""
    if not ranked:
        return np.zeros((len(weights), len(OVERLAPS)))
    parts = np.stack([one.precision(weights) for one in ranked])
    known = ~np.isnan(parts)
    return np.where(known, parts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def box_scores(truth: Scenes, said: Any) -> dict[str, float]:
    """Return every number of objects that were found.

    Parameters
    ----------
    truth
        The objects of each picture.
    said
        Shape ``(n,)``: what was found in each picture, written as an answer.

    Returns
    -------
    dict
        ``ap``, the mean average precision over overlaps from 0.5 to 0.95; ``ap_50`` and ``ap_75`` at one overlap; ``ar``, the mean
        share of objects that a box is at. Of boxes with a score of 0.5 or more, at an overlap of 0.5: ``precision``, ``recall``,
        ``f1``; ``objects`` and ``found``, how many there are and how many were said. Where objects have key points: ``pck``, the
        share of those of found objects that are within a tenth of the longer side, and ``ap_points``, as ``ap`` by key points.

    Examples
    --------
    >>> truth = Scenes.of(['[{"label":"cat","x":0,"y":0,"width":10,"height":10}]', "[]"])
    >>> found = box_scores(truth, ['[{"label":"cat","x":1,"y":0,"width":10,"height":10,"score":0.9}]', "[]"])
    >>> round(found["ap"], 2), found["ap_50"], found["recall"], "pck" in found
    (0.7, 1.0, 1.0, False)
    """
    ranked = list(rank(truth, said).values())
    by_overlap = _by_label(ranked, np.ones((1, len(truth))))[0]
    right, own, true = _counted(truth, said).sum(axis=0)
    found = {
        "ap": float(by_overlap.mean()),
        "ap_50": float(by_overlap[0]),
        "ap_75": float(by_overlap[list(OVERLAPS).index(STRICT)]),
        "ar": float(np.mean([one.recall for one in ranked])) if ranked else 0.0,
        "precision": _share(right, own),
        "recall": _share(right, true),
        "f1": _share(2 * right, own + true),
        "objects": float(true),
        "found": float(own),
    }
    if truth.points:
        pointed = list(rank(truth, said, likeness).values())
        found |= {"pck": pck(truth, said), "ap_points": float(_by_label(pointed, np.ones((1, len(truth))))[0].mean())}
    return found


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def told(answer: Sequence[Thing]) -> list[Thing]:
    """Return what is sure enough to be said to be there."""
    return [one for one in answer if one.score >= TOLD]


def pairs_of(said: Sequence[Thing], true: Sequence[Thing]) -> list[tuple[Thing, Thing]]:
    """Return which object each box is at, by label; every object has one box at most, the surest."""
    found: list[tuple[Thing, Thing]] = []
    free = list(true)
    for one in said:
        mine = [other for other in free if other.label == one.label]
        near = overlaps([one], mine)[0]
        if mine and near.max() >= FROM:
            found.append((one, mine[int(near.argmax())]))
            free.remove(mine[int(near.argmax())])
    return found


def _counted(truth: Scenes, said: Any, label: str | None = None) -> Any:
    """Return by picture how many boxes are right, how many were said and how many objects there are: shape ``(n, 3)``."""
    rows: list[tuple[int, int, int]] = []
    for things, answer in zip(truth.things, read(said), strict=True):
        own = [one for one in told(answer) if label in (None, one.label)]
        true = [one for one in things if label in (None, one.label)]
        rows.append((len(pairs_of(own, true)), len(own), len(true)))
    return np.array(rows, dtype=float).reshape(-1, 3)


def pck(truth: Scenes, said: Any) -> float:
    """Return the share of the key points of found objects that are right; 0 where nothing was found."""
    near = seen = 0
    for things, answer in zip(truth.things, read(said), strict=True):
        for own, true in pairs_of(told(answer), things):
            right, all_of_it = points_near(own, true, REACH)
            near, seen = near + right, seen + all_of_it
    return _share(near, seen)


def ap_interval(truth: Scenes, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the mean average precision with its interval: a bootstrap of pictures, whose objects stay together."""
    draws, value = _drawn(truth, said, seed)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap of pictures")


def compare_ap(truth: Scenes, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same pictures by the same draws: candidate minus champion."""
    (own, value), (other, champions) = _drawn(truth, candidate, seed), _drawn(truth, champion, seed)
    return paired(value, champions, own - other, level=level, method="paired bootstrap of pictures")


def _drawn(truth: Scenes, said: Any, seed: int) -> tuple[Any, float]:
    """Return the mean average precision of every draw of as many pictures, and that of all."""
    ranked, count = list(rank(truth, said).values()), len(truth)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(float)
    found = _by_label(ranked, np.concatenate([times, np.ones((1, count))])).mean(axis=1)
    return found[:-1], float(found[-1])


def box_curves(truth: Scenes, said: Any) -> dict[str, Any]:
    """Return what a page about objects shows: ``labels`` with their numbers, ``reached`` by overlap, and ``went``: how it went with each.

    No picture is kept: what was photographed stays in the dataset.
    """
    ranked = rank(truth, said)
    by_overlap = _by_label(list(ranked.values()), np.ones((1, len(truth))))[0]
    reached = [[float(least), float(value)] for least, value in zip(OVERLAPS, by_overlap, strict=True)]
    return {"labels": by_label(truth, said, ranked), "reached": reached, "went": _went(truth, said)}


def by_label(truth: Scenes, said: Any, ranked: dict[str, Ranked]) -> list[dict[str, Any]]:
    """Return the numbers of each label that is there or was said, in the order of their names; one that is nowhere has no AP."""
    names = sorted({*truth.labels(), *(one.label for answer in read(said) for one in told(answer))})
    found: list[dict[str, Any]] = []
    for name in names:
        right, own, true = (int(one) for one in _counted(truth, said, name).sum(axis=0))
        values = ranked[name].precision(np.ones((1, len(truth))))[0] if name in ranked else None
        found.append(
            {
                "name": name,
                "ap": None if values is None else float(values.mean()),
                "ap_50": None if values is None else float(values[0]),
                "precision": _share(right, own),
                "recall": _share(right, true),
                "right": right,
                "said": own,
                "true": true,
            }
        )
    return found


def _went(truth: Scenes, said: Any) -> dict[str, int]:
    """Return how objects went: right, another label at the same place, a box too far off, missed, and said where none is."""
    kinds: dict[str, int] = dict.fromkeys(("right", "other_label", "far_off", "missed", "invented"), 0)
    for things, answer in zip(truth.things, read(said), strict=True):
        own = told(answer)
        right = pairs_of(own, things)
        kinds["right"] += len(right)
        left = [one for one in things if not any(one is true for _, true in right)]
        near = overlaps(left, own)
        for row, one in enumerate(left):
            kinds[_how(one, own, near[row])] += 1
        touched = overlaps(own, things)
        kinds["invented"] += int((touched.max(axis=1, initial=0.0) < REACH).sum())
    return kinds


def _how(true: Thing, said: Sequence[Thing], near: Any) -> str:
    if any(one.label != true.label and share >= FROM for one, share in zip(said, near, strict=True)):
        return "other_label"
    return "far_off" if (near >= REACH).any() else "missed"
