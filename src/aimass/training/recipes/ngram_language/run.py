"""A language model that counts: pairs of bytes become pieces, and pieces that followed each other chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from aimass.models import Counted, FilesCandidate, Pieces
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.languages.bytepairs import learn_pairs
from aimass.training.recipes.languages.packing import TABLES, candidate_of, packed_tables, read_by, texts_of
from aimass.training.recipes.ngram_language.counting import tables_of
from aimass.training.recipes.protocol import RecipeContext, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What was learned."""

    pieces: Pieces
    tables: Mapping[str, Any]
    brain: Counted


class NgramLanguage:
    """Counts what follows what."""

    def fit(self, ctx: RecipeContext) -> Language:
        """Learn the pieces, count them, and find in which directions texts differ; all of the training texts alone."""
        texts, chosen = texts_of(ctx.data("train").features), ctx.params
        steps = chosen.order + 1
        pieces = Pieces(learn_pairs(texts, chosen.vocabulary))
        ctx.report(1, steps, vocabulary=pieces.size)
        cut = [pieces.cut(text) for text in texts]
        tables = tables_of(cut, pieces.size, chosen.order, chosen.least_count, lambda step: ctx.report(step, steps))
        tables |= directions_of(cut, pieces.size, chosen.dimensions, ctx.seed)
        ctx.report(steps, steps, grams=float(sum(len(tables[f"grams_{k}"]) for k in range(1, chosen.order))))
        return Language(pieces=pieces, tables=tables, brain=Counted(tables))

    def predict(self, ctx: RecipeContext, model: Language, features: pl.DataFrame) -> Any:
        """Return bits, pieces and vector of each text."""
        del ctx
        return read_by(model.pieces, model.brain, features)

    def evaluate(self, ctx: RecipeContext, model: Language, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Language) -> None:
        """Say nothing: there is one column."""
        del ctx, model

    def package(self, ctx: RecipeContext, model: Language) -> FilesCandidate:
        """Return the code that looks up, and the tables."""
        files = {TABLES: packed_tables(model.tables)}
        return candidate_of(ctx, model.pieces, ctx.params.dimensions, files)


def directions_of(texts: Sequence[Sequence[int]], size: int, dimensions: int, seed: int) -> dict[str, Any]:
    """Return by how much each piece counts, and in which directions texts differ most by the pieces that they consist of.

    References
    ----------
    Deerwester et al., "Indexing by latent semantic analysis", JASIS 41 (1990).
    """
    lengths = [len(one) for one in texts]
    rows = np.repeat(np.arange(len(texts)), lengths)
    columns = np.fromiter((piece for one in texts for piece in one), dtype=np.int64, count=sum(lengths))
    counts: Any = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), size))
    counts.sum_duplicates()
    seen = np.bincount(counts.indices, minlength=size)
    idf = (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)
    counts.data = np.log1p(counts.data) * idf[counts.indices]
    found = np.zeros((size, dimensions), dtype=np.float32)
    most = min(dimensions, size - 1, len(texts))
    if counts.nnz:
        axes: Any = TruncatedSVD(most, random_state=seed).fit(counts).components_
        found[:, : len(axes)] = axes.T
    return {"idf": idf, "directions": found}


RUN = NgramLanguage()
