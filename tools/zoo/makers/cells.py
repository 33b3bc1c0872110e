"""Odd cells under the microscope, by an isolation forest that was never told which are odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from sklearn.datasets import load_breast_cancer

from tools.zoo.making import Making


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    cancer: Any = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in cancer.feature_names]
    odd = [bool(one == 0) for one in cancer.target]
    return pl.DataFrame(cancer.data, schema=names).with_columns(pl.Series("odd", odd))


MAKING = Making(
    rows=_rows,
    task="anomaly",
    recipe="isolation_forest",
    target="odd",
    about={
        "title": "Odd cells",
        "summary": "Scores how unusual the nuclei of cells in a picture of a sample are.",
        "family": "anomaly",
        "licence": "Apache-2.0",
        "data": {
            "title": "Breast Cancer Wisconsin (Diagnostic), 569 samples, as scikit-learn brings it",
            "source": "W. Wolberg, O. Mangasarian, N. Street, W. Street, UCI Machine Learning Repository, doi:10.24432/C5DW2B",
            "licence": "CC BY 4.0",
        },
        "card": {
            "intended_use": "To try out the search for anomalies: the labels were used to measure it, not to train it.",
            "limits": "- It is no medical device, and a model that learns from the labels is far better at telling the "
            "two kinds apart.\n- More than a third of the samples are odd here. Where anomalies are rare, choose "
            "the threshold anew.",
        },
    },
)
