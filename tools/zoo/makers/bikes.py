"""Rented bicycles of the next hours, from those of the last."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.zoo.making import Making


def _rows(data: Path | None) -> pl.DataFrame:
    if data is None:
        raise SystemExit("bikes wants --data: a folder with bike-sharing/hour.csv of doi:10.24432/C5W894")
    rows = pl.read_csv(data / "bike-sharing" / "hour.csv")
    days = (
        pl.col("dteday")
        .cast(pl.String)
        .str.replace_all("-", "")
        .str.to_datetime("%Y%m%d", time_zone="UTC", time_unit="us")
    )
    moment = days + pl.duration(hours="hr")
    return rows.select(moment.alias("at"), pl.col("cnt").cast(pl.Float64).alias("rented"))


MAKING = Making(
    rows=_rows,
    task="forecasting",
    recipe="lag_regression",
    target="rented",
    more={"time": "at", "horizon": 24},
    about={
        "title": "Bicycles of the next day",
        "summary": "Tells the next 24 hours of a count by the hour from its last hours, with the range of nine in ten.",
        "family": "forecasting",
        "licence": "Apache-2.0",
        "data": {
            "title": "Bike Sharing, 17,379 hours of 2011 and 2012 in Washington",
            "source": "H. Fanaee-T, UCI Machine Learning Repository, doi:10.24432/C5W894",
            "licence": "CC BY 4.0",
        },
        "card": {
            "intended_use": "To try out forecasts. It counts from the mean of what it is given, so it also answers for other "
            "counts by the hour that have a day and a week.",
            "limits": "- It knows neither weather nor holidays.\n- It saw two years that grew; after a break it needs to "
            "learn again.",
        },
    },
)
