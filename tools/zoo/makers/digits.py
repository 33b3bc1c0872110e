"""Handwritten digits, by a convolutional net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from sklearn.datasets import load_digits

from tools.zoo.making import Making


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    digits: Any = load_digits()
    pixels = (digits.data / 16).astype("float32").tolist()
    return pl.DataFrame({"pixels": pixels, "digit": [str(one) for one in digits.target]}).with_columns(
        pl.col("pixels").cast(pl.List(pl.Float32))
    )


MAKING = Making(
    rows=_rows,
    task="classification",
    recipe="torch_cnn",
    target="digit",
    about={
        "title": "Handwritten digits",
        "summary": "Reads one handwritten digit from a grey picture of 8 by 8 points.",
        "family": "image-classification",
        "licence": "Apache-2.0",
        "data": {
            "title": "Optical Recognition of Handwritten Digits, the 1,797 pictures that scikit-learn brings",
            "source": "E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, doi:10.24432/C50P49",
            "licence": "CC BY 4.0",
        },
        "card": {
            "intended_use": "To try out pictures as inputs: one list of 64 values from 0 (paper) to 1 (ink), row by row. "
            "And as a start for nets that read other small pictures.",
            "limits": "- It knows one digit in the middle of 8 by 8 points. Other sizes are refused, and anything that is no "
            "digit is still called one.\n- The pictures were written by 13 people, and people are not kept apart "
            "between the parts: on the writing of others it errs more often.",
        },
    },
)
