"""How well texts are summed up, against what people wrote: ROUGE, beside the first sentences of the text and a draw of sentences.

References
----------
Lin, "ROUGE: a package for automatic evaluation of summaries", 2004; that the first sentences are hard to beat on news: See, Liu &
Manning, "Get to the point", ACL 2017, table 1 (lead-3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.models import put_together, rouge_l, rouge_n, sentences_of, words_of
from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

SUMMARY_OUTPUT = "summary"
BINS = 10  # a chart of bars shows fifteen at most


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Texts and the summaries that people wrote of them, which stand where other tasks have the truth."""

    texts: Any
    summaries: Any

    @classmethod
    def of(cls, texts: Iterable[str | None], summaries: Iterable[str | None]) -> References:
        """Put texts and summaries beside each other."""
        return cls(texts=_objects(texts), summaries=_objects(summaries))

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Any) -> References:
        return References(texts=self.texts[rows], summaries=self.summaries[rows])


def _objects(texts: Iterable[str | None]) -> Any:
    known = [text or "" for text in texts]
    found = np.empty(len(known), dtype=object)
    found[:] = known
    return found


def rouge(truth: References, said: Iterable[str]) -> Any:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L (F1) of each text, shape ``(n, 3)``.

    Examples
    --------
    >>> rouge(References.of([""], ["the cat sat"]), ["the cat"]).round(2).tolist()
    [[0.8, 0.67, 0.8]]
    """
    rows: list[tuple[float, float, float]] = []
    for written, found in zip(truth.summaries, said, strict=True):
        own, other = words_of(found or ""), words_of(written)
        rows.append((rouge_n(own, other, 1), rouge_n(own, other, 2), rouge_l(own, other)))
    return np.array(rows, dtype=float).reshape(-1, 3)


def rouge_of(truth: References, said: Any) -> float:
    """Return the mean ROUGE-L."""
    return float(rouge(truth, said)[:, 2].mean())


def summary_scores(truth: References, said: Any) -> dict[str, float]:
    """Return every number of summaries.

    Returns
    -------
    dict
        ``rouge_l``, ``rouge_1`` and ``rouge_2``; ``lead_rouge_l``, what as many sentences from the beginning of each text reach, and
        ``over_lead``, how much more the summaries do; ``over_draw``, the same against as many sentences drawn by chance;
        ``sentences`` of a summary, and ``share`` of the text that it is, by characters.
    """
    found = rouge(truth, said)
    cut = [sentences_of(text) for text in truth.texts]
    counts = [max(1, len(sentences_of(one))) for one in said]
    lead = rouge_of(truth, [put_together(some[:count]) for some, count in zip(cut, counts, strict=True)])
    one, two, longest = (float(mean) for mean in found.mean(axis=0))
    return {
        "rouge_l": longest,
        "rouge_1": one,
        "rouge_2": two,
        "lead_rouge_l": lead,
        "over_lead": longest - lead,
        "over_draw": longest - rouge_of(truth, _drawn(cut, counts)),
        "sentences": float(np.mean(counts)),
        "share": float(sum(map(len, said)) / max(1, sum(map(len, truth.texts)))),
    }


def _drawn(cut: list[list[str]], counts: list[int]) -> list[str]:
    """Return as many sentences of each text, drawn by chance and in their order."""
    rng = np.random.default_rng(0)
    chosen = [np.sort(rng.permutation(len(some))[:count]) for some, count in zip(cut, counts, strict=True)]
    return [put_together([some[at] for at in places]) for some, places in zip(cut, chosen, strict=True)]


def summary_interval(truth: References, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the mean ROUGE-L with its interval: a bootstrap of texts."""
    each = rouge(truth, said)[:, 2]
    low, high = np.quantile(_means(each, seed), [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        value=float(each.mean()), low=float(low), high=float(high), level=level, method="bootstrap of texts"
    )


def compare_summaries(
    truth: References, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two models on the same texts by the same draws: candidate minus champion."""
    own, other = rouge(truth, candidate)[:, 2], rouge(truth, champion)[:, 2]
    draws = _means(own, seed) - _means(other, seed)
    return paired(float(own.mean()), float(other.mean()), draws, level=level, method="paired bootstrap of texts")


def _means(each: Any, seed: int) -> Any:
    times = np.random.default_rng(seed).multinomial(len(each), np.full(len(each), 1 / len(each)), size=REPEATS)
    return times @ each / len(each)


def summary_curves(truth: References, said: Any) -> dict[str, Any]:
    """Return what a page about summaries shows; no text is kept.

    ``overlap`` has the texts by their ROUGE-L; ``measures`` each measure of the summaries beside that of the first sentences; and
    ``chosen`` from which tenth of their text sentences come.
    """
    found = rouge(truth, said)
    cut = [sentences_of(text) for text in truth.texts]
    counts = [max(1, len(sentences_of(one))) for one in said]
    lead = rouge(truth, [put_together(some[:count]) for some, count in zip(cut, counts, strict=True)])
    counted, edges = np.histogram(found[:, 2], bins=BINS, range=(0.0, 1.0))
    return {
        "overlap": {"edges": [float(one) for one in edges], "counts": [int(one) for one in counted]},
        "measures": [
            {"name": name, "value": float(found[:, at].mean()), "lead": float(lead[:, at].mean())}
            for at, name in enumerate(("ROUGE-1", "ROUGE-2", "ROUGE-L"))
        ],
        "chosen": _places(cut, said),
    }


def _places(cut: list[list[str]], said: Any) -> list[int]:
    """Return how many chosen sentences come from each tenth of their text."""
    tenths = [0] * 10
    for some, summary in zip(cut, said, strict=True):
        taken = set(sentences_of(summary))
        for at, sentence in enumerate(some):
            if sentence in taken:
                tenths[min(9, 10 * at // len(some))] += 1
    return tenths
