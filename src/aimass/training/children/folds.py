"""Out-of-fold predictions: what a run says of the rows that each of its folds left out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

FOLDS_FILE = "folds.parquet"


def out_of_fold(fold: int, rows: Any, predicted: Any) -> pl.DataFrame:
    """Return what a fold says of the rows that it left out.

    Parameters
    ----------
    fold
        Number of the fold, from 1.
    rows
        Positions of its rows in the canonical order of the dataset version.
    predicted
        Shape ``(n,)`` or ``(n, columns)``.

    Returns
    -------
    polars.DataFrame
        ``row`` (``UInt32``), ``fold`` (``UInt8``) and ``p0`` to ``pk`` (``Float32``): a column per class in the order of
        the signature's classes, or ``p0`` alone for a number.

    Examples
    --------
    >>> out_of_fold(2, np.array([7, 3]), np.array([0.5, 1.5])).rows()
    [(7, 2, 0.5), (3, 2, 1.5)]
    """
    columns = np.asarray(predicted, dtype=np.float32).reshape(len(rows), -1)
    said = {f"p{place}": columns[:, place] for place in range(columns.shape[1])}
    frame = pl.DataFrame({"row": np.asarray(rows, dtype=np.uint32)})
    return frame.with_columns(pl.lit(fold, dtype=pl.UInt8).alias("fold"), **{n: pl.Series(v) for n, v in said.items()})


def packed(frame: pl.DataFrame) -> bytes:
    """Return the predictions of a fold as the bytes of a checkpoint."""
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="zstd", statistics=False)
    return stream.getvalue()


def unpacked(state: bytes) -> pl.DataFrame:
    """Return the predictions of a fold from a checkpoint."""
    return pl.read_parquet(io.BytesIO(state))
