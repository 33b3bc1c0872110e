"""A language model on its way into a package."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from aimass.models import FilesCandidate, Pieces, language_outputs, read_texts
from aimass.training.recipes.protocol import RecipeContext

RUNTIME, ABOUT, TABLES, GRAPH = "language", "language.json", "language.npz", "language.onnx"


def read_by(pieces: Pieces, brain: Any, features: pl.DataFrame) -> Any:
    """Return bits, pieces and vector of each text side by side, shape ``(n, 2 + dimensions)``."""
    found = read_texts(pieces, brain, texts_of(features))
    return np.column_stack([found["bits"], found["tokens"], found["embedding"]])


def texts_of(features: pl.DataFrame) -> list[str]:
    """Return the texts of a table, which has one column."""
    return [text or "" for text in features.to_series().to_list()]


def candidate_of(
    ctx: RecipeContext, pieces: Pieces, dimensions: int, files: Mapping[str, bytes], **about: Any
) -> FilesCandidate:
    """Return what is packed: the pairs that make pieces, and the files of the model."""
    told = {"merges": [list(pair) for pair in pieces.merges], **about}
    return FilesCandidate(
        signature=replace(ctx.signature, outputs=language_outputs(dimensions), streams=True),
        runtime=RUNTIME,
        files={ABOUT: json.dumps(told, separators=(",", ":")).encode(), **files},
        libraries=("numpy", "onnxruntime"),
    )


def packed_tables(tables: Mapping[str, Any]) -> bytes:
    """Return tables as one file; the same tables are the same bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **tables)
    return stream.getvalue()
