"""Groups of customers of a telephone company, by k-means."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.zoo.makers.churn import DATA, rows
from tools.zoo.making import Making

KEPT = ("tenure", "MonthlyCharges", "Contract", "InternetService", "PhoneService", "PaymentMethod")


def _rows(data: Path | None) -> pl.DataFrame:
    return rows(data).select(KEPT)


MAKING = Making(
    rows=_rows,
    task="clustering",
    recipe="kmeans",
    params={"clusters": 4},
    target=None,
    about={
        "title": "Groups of customers",
        "summary": "Sorts the customers of a telephone company into four groups by contract, services and bill.",
        "family": "clustering",
        "licence": "Apache-2.0",
        "data": DATA,
        "card": {
            "intended_use": "To try out clusters: to look at a base of customers in a few groups that are alike.",
            "limits": "- The number of groups was chosen for reading, not found.\n- A group is a place among these "
            "customers. It says nothing of a person.",
        },
    },
)
