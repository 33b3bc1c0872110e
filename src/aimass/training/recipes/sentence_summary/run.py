"""Summaries out of sentences: which of them come nearest to what people wrote is learned from what is seen of them.

References
----------
Nallapati, Zhai & Zhou, "SummaRuNNer", AAAI 2017 (the greedy choice by ROUGE as what is learned); Carbonell & Goldstein, "The use of
MMR", SIGIR 1998 (``diversity``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from aimass.models import FilesCandidate, Seen, Taste, idf_of, rouge_n, see, words_of
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.summaries import References
from aimass.training.recipes.protocol import RecipeContext, Table

PLACES = 4
MOST_LOOKED_AT = 100
_TWICE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Summariser:
    """What was learned."""

    taste: Taste
    idf: Any


class SentenceSummary:
    """Chooses sentences."""

    def fit(self, ctx: RecipeContext) -> Summariser:
        """Find for each text the sentences that come nearest to its summary, and learn what they have in common."""
        table, chosen = ctx.data("train"), ctx.params
        truth: References = table.truth
        texts = [text or "" for text in table.features.to_series().to_list()]
        idf = idf_of(texts)
        looks: list[Any] = []
        labels: list[Any] = []
        for number, (text, summary) in enumerate(zip(texts, truth.summaries, strict=True)):
            seen = see(text, idf)
            looks.append(seen.looks)
            labels.append(nearest(seen, summary, chosen.sentences))
            if number % 50 == 0:
                ctx.report(number, len(texts) + 1)
        rows, wanted = np.concatenate(looks), np.concatenate(labels)
        if len(np.unique(wanted)) < _TWICE:
            raise Unlearnable(
                "every sentence of these texts, or none, belongs to its summary: there is nothing to choose",
                field="params.sentences",
                value=chosen.sentences,
                hint="take fewer sentences, or longer texts",
            )
        weights, bias = _learned(rows, wanted, chosen.strength)
        ctx.report(len(texts) + 1, len(texts) + 1)
        taste = Taste(
            weights=weights,
            bias=bias,
            sentences=chosen.sentences,
            characters=chosen.characters,
            diversity=chosen.diversity,
        )
        return Summariser(taste=taste, idf=idf)

    def predict(self, ctx: RecipeContext, model: Summariser, features: pl.DataFrame) -> Any:
        """Return the summary of each text."""
        del ctx
        texts = features.to_series().to_list()
        found = np.empty(len(texts), dtype=object)
        found[:] = [model.taste.sum_up(text or "", model.idf) for text in texts]
        return found

    def evaluate(self, ctx: RecipeContext, model: Summariser, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Summariser) -> None:
        """Say nothing: there is one column."""
        del ctx, model

    def package(self, ctx: RecipeContext, model: Summariser) -> FilesCandidate:
        """Return the weights."""
        taste = model.taste
        told = {
            "weights": taste.weights.tolist(),
            "bias": taste.bias,
            "sentences": taste.sentences,
            "characters": taste.characters,
            "diversity": taste.diversity,
            "idf": model.idf.tolist(),
        }
        return FilesCandidate(
            signature=ctx.signature,
            runtime="sentences",
            files={"sentences.json": json.dumps(told, separators=(",", ":")).encode()},
            libraries=("numpy",),
        )


def nearest(seen: Seen, summary: str, most: int) -> Any:
    """Return which sentences come nearest to a summary: each next one adds most to ROUGE-1 and ROUGE-2, while it adds anything."""
    reference, words = words_of(summary), [words_of(one) for one in seen.sentences[:MOST_LOOKED_AT]]
    taken: list[int] = []
    best = 0.0
    while len(taken) < most:
        gains = [
            (_near([word for at in sorted([*taken, new]) for word in words[at]], reference), -new)
            for new in range(len(words))
            if new not in taken
        ]
        value, place = max(gains, default=(0.0, 0))
        if value <= best:
            break
        best = value
        taken.append(-place)
    found = np.zeros(len(seen.sentences), dtype=bool)
    found[taken] = True
    return found


def _near(words: Sequence[str], reference: Sequence[str]) -> float:
    return rouge_n(words, reference, 1) + rouge_n(words, reference, 2)


def _learned(rows: Any, wanted: Any, strength: float) -> tuple[Any, float]:
    """Return the weights of the looks as they are, and what is added."""
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0
    found: Any = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
    found.fit((rows - middle) / spread, wanted)
    weights = np.round(found.coef_[0] / spread, PLACES)
    return weights, round(float(found.intercept_[0] - (found.coef_[0] / spread) @ middle), PLACES)


RUN = SentenceSummary()
