"""Entities in texts: a linear chain of tags over what is seen of the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed
from aimass.models import Candidate
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.spans import Sentences, tags_of, written_of
from aimass.training.recipes.linear_tagger.chain import Chain, Rows, best_path, learn, tags_for
from aimass.training.recipes.linear_tagger.graph import graph_of
from aimass.training.recipes.linear_tagger.reading import END, Eye, Texts
from aimass.training.recipes.protocol import RecipeContext, Table

SHOWN = 25
PLACES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagger:
    """What was learned."""

    eye: Eye
    chain: Chain
    tags: tuple[str, ...]


class LinearTagger:
    """A linear chain that reads."""

    def fit(self, ctx: RecipeContext) -> Tagger:
        """Find the words that occur, and learn what speaks for each tag."""
        table = ctx.data("train")
        truth: Sentences = table.truth
        texts = Texts.of(_texts(table.features))
        chosen = ctx.params
        eye = Eye(
            window=chosen.window, letters=chosen.letters, min_words=chosen.min_words, max_features=chosen.max_features
        )
        eye.learn(texts.forms())
        tags = tags_for(truth.types())
        most = chosen.max_iterations
        chain = learn(
            Rows(matrix=eye.read(texts), truth=_numbered(texts, truth, tags), starts=texts.starts),
            tags,
            strength=chosen.strength,
            iterations=most,
            report=lambda step, loss: ctx.report(min(step, most), most, loss=loss),
        )
        rounded = Chain(weights=chain.weights.astype(np.float32), steps=chain.steps.astype(np.float32))
        return Tagger(eye=eye, chain=rounded, tags=tags)

    def predict(self, ctx: RecipeContext, model: Tagger, features: pl.DataFrame) -> Any:
        """Return the entities of each text, written as a package answers them."""
        del ctx
        said = _texts(features)
        texts = Texts.of(said)
        scores = np.asarray(model.eye.read(texts) @ model.chain.weights.astype(float))
        tags, likely = best_path(scores, model.chain.steps.astype(float), texts.starts)
        found = np.empty(len(said), dtype=object)
        for row, (text, words) in enumerate(zip(said, texts.words, strict=True)):
            begin = texts.starts[row]
            mine = slice(begin, begin + len(words))
            found[row] = _entities(text, words, [model.tags[tag] for tag in tags[mine]], likely[mine])
        return found

    def evaluate(self, ctx: RecipeContext, model: Tagger, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Tagger) -> None:
        """Say nothing: there is one column."""
        del ctx, model

    def terms(self, ctx: RecipeContext, model: Tagger) -> Mapping[str, list[dict[str, Any]]]:
        """Return, by type, the words and the ends of words with the largest weights for its first word."""
        name, begin, blocks = ctx.signature.inputs[0].name, 0, []
        for offset, look in model.eye.blocks():
            if offset == 0 and look.take in ("case", "end"):
                terms = {number: text for text, number in reversed(look.table.items())}
                blocks += [
                    (begin + number, f"…{text}" if look.take == "end" else text.lower())
                    for number, text in terms.items()
                    if text != END
                ]
            begin += model.eye.size_of(look)
        at = [column for column, _ in blocks]
        return {
            tag[2:]: _strongest(name, blocks, model.chain.weights[at, place])
            for place, tag in enumerate(model.tags)
            if tag[0] == "B"
        }

    def package(self, ctx: RecipeContext, model: Tagger) -> Candidate:
        """Return the one way to write it down: a graph that reads as the model does."""
        return Candidate(
            signature=ctx.signature,
            to_python=_no_python,
            to_onnx=lambda: graph_of(model.eye, model.chain, model.tags, ctx.signature),
        )


def _no_python() -> bytes:
    raise Failed("a tagger is written as ONNX alone")


def _strongest(column: str, blocks: Sequence[tuple[int, str]], weights: Any) -> list[dict[str, Any]]:
    best = np.argsort(-weights, kind="stable")[:SHOWN]
    return [{"column": column, "term": blocks[at][1], "weight": float(weights[at])} for at in best if weights[at] > 0]


def _texts(features: pl.DataFrame) -> list[str]:
    return [text or "" for text in features.to_series().to_list()]


def _numbered(texts: Texts, truth: Sentences, tags: Sequence[str]) -> Any:
    """Return the number of the true tag of each word; the end of a text is outside."""
    numbers = {tag: number for number, tag in enumerate(tags)}
    found: list[int] = []
    for words, entities in zip(texts.words, truth.entities, strict=True):
        spans = [(word.start, word.end) for word in words]
        found += [*(numbers[tag] for tag in tags_of(spans, entities)), 0]
    return np.array(found, dtype=np.int64)


def _entities(text: str, words: Sequence[Any], tags: Sequence[str], likely: Any) -> str:
    """Write down the entities that the tags of a text are."""
    found: list[dict[str, Any]] = []
    least: list[float] = []
    for word, tag, chance in zip(words, tags, likely, strict=True):
        if tag[0] == "B":
            found.append({"type": tag[2:], "start": word.start, "end": word.end})
            least.append(chance)
        elif tag[0] == "I":
            found[-1]["end"] = word.end
            least[-1] = min(least[-1], chance)
    return written_of(
        {
            "type": one["type"],
            "text": text[one["start"] : one["end"]],
            "start": one["start"],
            "end": one["end"],
            "score": round(float(score), PLACES),
        }
        for one, score in zip(found, least, strict=True)
    )


RUN = LinearTagger()
