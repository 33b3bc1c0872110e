"""How well entities are found in texts: exact match of type, start and end, as CoNLL-2003 counts them.

References
----------
Tjong Kim Sang & De Meulder, "Introduction to the CoNLL-2003 shared task: language-independent named entity recognition",
CoNLL 2003, 142-147: an entity counts as found only if it is the same in every respect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from aimass.training.cutting import placed
from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

ENTITIES = "entities"
OUTSIDE = "O"


class Entity(NamedTuple):
    """A part of a text that has a type; places are counted in characters, the end is the first one behind it."""

    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """Texts and the entities in them, which stand where other tasks have the truth."""

    texts: Any
    entities: Any

    @classmethod
    def of(cls, texts: Iterable[str | None], truths: Iterable[str]) -> Sentences:
        """Read truths as they are written in a dataset."""
        lists = [entities_of(truth) for truth in truths]
        found = np.empty(len(lists), dtype=object)
        found[:] = lists
        return cls(texts=np.array([text or "" for text in texts], dtype=object), entities=found)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Any) -> Sentences:
        return Sentences(texts=self.texts[rows], entities=self.entities[rows])

    def types(self) -> list[str]:
        """Return the types that occur, sorted."""
        return sorted({one.type for some in self.entities for one in some})


def entities_of(written: str) -> tuple[Entity, ...]:
    """Read entities as they are written in a dataset and in an answer, in the order of their places.

    Examples
    --------
    >>> entities_of('[{"type":"city","text":"Oslo","start":3,"end":7,"score":0.98}]')
    (Entity(type='city', start=3, end=7),)
    """
    return tuple(sorted((Entity(*(one[name] for name in Entity._fields)) for one in json.loads(written)), key=_place))


def _place(one: Entity) -> tuple[int, int, str]:
    return one.start, one.end, one.type


def _counted(truth: Sentences, said: Any, kind: str | None = None) -> Any:
    """Return by row how many entities are right, how many were said and how many there are: shape ``(n, 3)``."""
    rows: list[tuple[int, int, int]] = []
    for written, wanted in zip(said, truth.entities, strict=True):
        own = {one for one in entities_of(written) if kind in (None, one.type)}
        true = {one for one in wanted if kind in (None, one.type)}
        rows.append((len(own & true), len(own), len(true)))
    return np.array(rows, dtype=float).reshape(-1, 3)


def _shares(counts: Any) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of counts, shape ``(..., 3)``; 0 where nothing was said, or nothing is there."""
    right, own, true = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return _share(right, own), _share(right, true), _share(2 * right, own + true)


def _share(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.zeros_like(np.asarray(whole)), where=np.asarray(whole) > 0)


def f1(truth: Sentences, said: Any) -> float:
    """Return the F1 over all entities."""
    return float(_shares(_counted(truth, said).sum(axis=0))[2])


def by_type(truth: Sentences, said: Any) -> list[dict[str, Any]]:
    """Return the numbers of each type that is true or said somewhere, in the order of their names."""
    names = sorted({*truth.types(), *(one.type for written in said for one in entities_of(written))})
    found: list[dict[str, Any]] = []
    for name in names:
        counts = _counted(truth, said, name).sum(axis=0)
        precision, recall, both = (float(one) for one in _shares(counts))
        right, own, true = (int(one) for one in counts)
        found.append(
            {
                "name": name,
                "precision": precision,
                "recall": recall,
                "f1": both,
                "right": right,
                "said": own,
                "true": true,
            }
        )
    return found


def span_scores(truth: Sentences, said: Any) -> dict[str, float]:
    """Return every number of entities that were found.

    Parameters
    ----------
    truth
        The texts with their entities.
    said
        Shape ``(n,)``: the entities of each text, written as an answer.

    Returns
    -------
    dict
        ``f1``, ``precision`` and ``recall`` over all entities; ``macro_f1``, the mean over types; ``token_accuracy``, the share
        of words and signs whose tag is right, of which most are no entity; ``entities`` and ``found``, how many there are and
        how many were said.

    Examples
    --------
    >>> truth = Sentences.of(["to Oslo", "Oslo, Rome"], ['[{"type":"city","start":3,"end":7}]', '[{"type":"city","start":0,"end":4}]'])
    >>> scores = span_scores(truth, ['[{"type":"city","start":3,"end":7}]', '[{"type":"city","start":6,"end":10}]'])
    >>> scores["f1"], scores["token_accuracy"]
    (0.5, 0.6)
    """
    counts = _counted(truth, said).sum(axis=0)
    precision, recall, both = (float(one) for one in _shares(counts))
    types = by_type(truth, said)
    return {
        "f1": both,
        "precision": precision,
        "recall": recall,
        "macro_f1": float(np.mean([one["f1"] for one in types])) if types else 0.0,
        "token_accuracy": _accuracy(truth, said),
        "entities": float(counts[2]),
        "found": float(counts[1]),
    }


def _accuracy(truth: Sentences, said: Any) -> float:
    right = total = 0
    for text, wanted, written in zip(truth.texts, truth.entities, said, strict=True):
        spans = [(word.start, word.end) for word in placed(text)]
        pairs = zip(tags_of(spans, wanted), tags_of(spans, entities_of(written)), strict=True)
        right += sum(one == other for one, other in pairs)
        total += len(spans)
    return right / total if total else 0.0


def tags_of(words: Sequence[tuple[int, int]], entities: Iterable[Entity]) -> list[str]:
    """Return the BIO tag of each word: a word is of an entity that it shares a character with.

    Examples
    --------
    >>> tags_of([(0, 2), (3, 6), (7, 11), (11, 12)], [Entity("city", 3, 11)])
    ['O', 'B-city', 'I-city', 'O']
    """
    tags = [OUTSIDE] * len(words)
    for entity in entities:
        mine = [at for at, (start, end) in enumerate(words) if start < entity.end and end > entity.start]
        for number, at in enumerate(mine):
            tags[at] = f"{'I' if number else 'B'}-{entity.type}"
    return tags


def f1_interval(truth: Sentences, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the F1 with its interval: a bootstrap of texts, whose entities stay together."""
    counts = _counted(truth, said)
    low, high = np.quantile(_drawn(counts, seed), [(1 - level) / 2, (1 + level) / 2])
    value = float(_shares(counts.sum(axis=0))[2])
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap of texts")


def compare_f1(truth: Sentences, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same texts by the same draws: candidate minus champion."""
    own, other = _counted(truth, candidate), _counted(truth, champion)
    value, champions = (float(_shares(one.sum(axis=0))[2]) for one in (own, other))
    draws = _drawn(own, seed) - _drawn(other, seed)
    return paired(value, champions, draws, level=level, method="paired bootstrap of texts")


def _drawn(counts: Any, seed: int) -> Any:
    """Return the F1 of every draw of as many texts."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=REPEATS)
    return _shares(times @ counts)[2]


def span_curves(truth: Sentences, said: Any) -> dict[str, Any]:
    """Return what a page about entities shows: ``types`` with their numbers, and ``confused``: what a type is taken for.

    No text is kept: what people wrote stays in the dataset.
    """
    return {"types": by_type(truth, said), "confused": _confused(truth, said)}


def _confused(truth: Sentences, said: Any) -> dict[str, int]:
    """Return how entities went: right, other type at the same place, other ends, missed, and said where none is."""
    kinds: dict[str, int] = dict.fromkeys(("right", "other_type", "other_ends", "missed", "invented"), 0)
    for written, wanted in zip(said, truth.entities, strict=True):
        own = entities_of(written)
        for one in wanted:
            kinds[_how(one, own)] += 1
        kinds["invented"] += sum(not any(_touch(one, other) for other in wanted) for one in own)
    return kinds


def _how(true: Entity, said: Sequence[Entity]) -> str:
    if true in said:
        return "right"
    if any((one.start, one.end) == (true.start, true.end) for one in said):
        return "other_type"
    return "other_ends" if any(_touch(true, one) for one in said) else "missed"


def _touch(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def bare(written: str) -> str:
    """Return entities without the texts that stand there; objects of a picture, which say none, as they are.

    Examples
    --------
    >>> bare('[{"type":"city","text":"Oslo","start":3,"end":7,"score":0.98}]')
    '[{"type":"city","start":3,"end":7}]'
    """
    found: list[dict[str, Any]] = json.loads(written)
    if any("start" not in one for one in found):
        return written
    return written_of(one._asdict() for one in entities_of(written))


def written_of(entities: Iterable[Mapping[str, Any]]) -> str:
    """Write entities as a dataset and an answer have them.

    Examples
    --------
    >>> written_of([{"type": "city", "start": 3, "end": 7}])
    '[{"type":"city","start":3,"end":7}]'
    """
    return json.dumps(list(entities), ensure_ascii=False, separators=(",", ":"))
