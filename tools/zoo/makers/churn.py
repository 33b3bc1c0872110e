"""Customers who leave a telephone company, by boosted trees."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.zoo.making import Making

TELCO = Path(__file__).parents[3] / "src" / "aimass" / "bootstrap" / "data" / "telco-churn.csv"
DATA = {
    "title": "Telco customer churn, 7,043 customers",
    "source": "IBM, github.com/IBM/telco-customer-churn-on-icp4d, commit d5371f5d",
    "licence": "Apache-2.0",
}


def rows(data: Path | None) -> pl.DataFrame:
    """Return the customers; blank totals are null."""
    del data
    telco = pl.read_csv(TELCO, schema_overrides={"TotalCharges": pl.String}).drop("customerID")
    return telco.with_columns(pl.col("TotalCharges").str.strip_chars().cast(pl.Float64, strict=False))


MAKING = Making(
    rows=rows,
    task="classification",
    recipe="gradient_boosting",
    target="Churn",
    about={
        "title": "Customers who leave",
        "summary": "Tells from contract, services and bills of a customer how likely it is that they leave.",
        "family": "tabular",
        "licence": "Apache-2.0",
        "data": DATA,
        "card": {
            "intended_use": "To try out tables as inputs, thresholds, explanations and monitors. For a company of one's own "
            "it has to be trained again on its own customers.",
            "limits": "- One company, one moment: prices, contracts and services are those of the data.\n"
            "- `gender` and `SeniorCitizen` are among the inputs. Look at the slices before anything is decided by it.",
        },
    },
)
