"""Feedback in the lake: the truth beside the records, joined by request id and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.monitoring.children.numbers import VALUE
from aimass.monitoring.children.records import select
from aimass.monitoring.children.rows import INPUT, OUTPUT
from aimass.monitoring.children.sets import told_sets
from aimass.monitoring.children.tables import Order, append, exists, last_batch, lease, scan

_APP = "feedback"
_KEYS = ["request_id", "row"]
_SCHEMA = {
    "seq": pl.Int64,
    "request_id": pl.String,
    "row": pl.Int32,
    "label": pl.String,
    "t": pl.Datetime("us", "UTC"),
    "key": pl.String,
}


def push(args: dict[str, Any]) -> dict[str, Any]:
    """Append feedback to its table; what an earlier call has appended is left out.

    Parameters
    ----------
    args
        ``feedback`` (table), ``rows``: lists ``[seq, request_id, row, label, microseconds, key]`` by growing ``seq``.
    """
    with lease(args["feedback"]):
        last = last_batch(args["feedback"], _APP)
        rows = [row for row in args["rows"] if row[0] > last]
        if rows:
            append(
                args["feedback"],
                pl.DataFrame(rows, schema=_SCHEMA, orient="row"),
                Order(app_id=_APP, batch=rows[-1][0]),
            )
    return {"rows": len(rows)}


def newest(path: str | Path) -> pl.LazyFrame:
    """Return the last label of each request and row, and the key that came with it."""
    ranked = scan(path).sort("seq").unique(_KEYS, keep="last", maintain_order=True)
    names = {"label": "truth", "t": "told_at", "key": "told_key"}
    return ranked.select("request_id", "row", *[pl.col(name).alias(new) for name, new in names.items()])


def match(args: dict[str, Any]) -> dict[str, Any]:
    """Tell which of the asked ``[request_id, row]`` have a record.

    Parameters
    ----------
    args
        ``records`` (table), ``asked``: pairs of request id and row.

    Returns
    -------
    dict
        ``found``: those pairs that have one.
    """
    if not exists(args["records"]) or not args["asked"]:
        return {"found": []}
    asked = pl.DataFrame(args["asked"], schema={"id": pl.String, "row": pl.Int32}, orient="row")
    low, high = asked["id"].min(), asked["id"].max()
    known = scan(args["records"]).select("id", "row").filter(pl.col("id").is_between(pl.lit(low), pl.lit(high)))
    found = asked.lazy().join(known, on=["id", "row"], how="semi").collect()
    return {"found": [list(pair) for pair in found.iter_rows()]}


def joined(args: dict[str, Any]) -> pl.LazyFrame | None:
    """Return answered rows with their ``truth``; None when there is no record or no feedback yet."""
    if not exists(args["records"]) or not exists(args["feedback"]):
        return None
    truth = newest(args["feedback"])
    if args.get("told_since"):
        truth = truth.filter(
            pl.col("told_at") >= pl.lit(args["told_since"]).str.to_datetime(time_unit="us", time_zone="UTC")
        )
    answered = select(args).filter(pl.col("status") < 400)  # noqa: PLR2004 answered
    return answered.join(truth, left_on=["id", "row"], right_on=_KEYS, how="inner")


def labelled(args: dict[str, Any]) -> dict[str, Any]:
    """Write inputs with their true label as Parquet, for training: no request ids, times or predictions.

    Parameters
    ----------
    args
        ``records``, ``feedback`` (tables), ``out`` (file), ``target`` (name of the label's column), ``key`` (name of the column
        for the key that came with the feedback), ``without``: a file with keys that are not wanted (``path``, ``column``,
        ``by``, ``chosen``), ``by_request`` (the key is the request and row, for all), ``action`` and ``propensity`` (names of the
        columns for what was decided, where the truth is what came of it), ``joined_by`` (what stands between several labels;
        empty: lists of them), filters as in ``select``.

    Returns
    -------
    dict
        ``rows``, ``columns`` (name, type), ``path``, ``without_inputs``, ``without_key``, ``left_out`` (rows), ``labels`` (count by
        label) and ``until`` (time of the newest feedback in it).
    """
    frame = joined(args)
    rows = (
        pl.DataFrame() if frame is None else frame.unique(["id", "row"], keep="first").sort("t", "id", "row").collect()
    )
    inputs = [name for name in rows.columns if name.startswith(INPUT)]
    whole = rows.filter(pl.any_horizontal(pl.col(inputs).is_not_null())) if inputs else rows.clear()
    kept = _without(whole, args.get("without")) if inputs else whole
    kept = _as_trained(kept, args)
    if args.get("by_request"):
        kept = kept.with_columns(told_key=pl.format("{}#{}", "id", "row"))
    decisions = {args[name]: OUTPUT + name for name in ("action", "propensity") if args.get(name)}
    table = kept.select(_named(inputs, str(args["target"]), args.get("key"), decisions) if inputs else [])
    out = Path(args["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_suffix(".tmp")
    table.write_parquet(draft)
    draft.rename(out)
    is_counted = bool(inputs) and not kept["truth"].dtype.is_numeric()
    counted = _singly(kept["truth"]).value_counts().sort("truth") if is_counted else pl.DataFrame()
    return {
        "path": str(out),
        "rows": table.height,
        "columns": [{"name": name, "type": _type(dtype)} for name, dtype in table.schema.items()],
        "without_inputs": rows.height - whole.height,
        "without_key": kept["told_key"].null_count() if args.get("key") and inputs else 0,
        "left_out": whole.height - kept.height,
        "labels": dict(counted.drop_nulls().iter_rows()),
        "until": None if not kept.height else kept["told_at"].max().isoformat(),  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    }


def _singly(truth: pl.Series) -> pl.Series:
    """Return each label of lists of them."""
    return truth.explode() if truth.dtype.is_nested() else truth


def _as_trained(rows: pl.DataFrame, args: dict[str, Any]) -> pl.DataFrame:
    """Return the truth in the form that the dataset has."""
    if args.get("action"):
        return _decided(rows)
    if args.get("joined_by") is None or "truth" not in rows.columns:
        return _typed(rows)
    return rows.with_columns(pl.Series("truth", told_sets(rows["truth"], args["joined_by"])))


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the truth as numbers where the model predicted numbers; what is none becomes null."""
    if VALUE not in rows.columns or rows["label"].null_count() < rows.height:
        return rows
    return rows.with_columns(pl.col("truth").cast(pl.Float64, strict=False))


def _decided(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that a policy answered, with their truth as a number: what came of it."""
    if not {f"{OUTPUT}action", f"{OUTPUT}propensity"} <= set(rows.columns):
        return rows.clear().with_columns(
            pl.lit(None, pl.String).alias(f"{OUTPUT}{name}") for name in ("action", "propensity")
        )
    found = rows.with_columns(pl.col("truth").cast(pl.Float64, strict=False))
    return found.filter(pl.col("truth").is_finite() & pl.col(f"{OUTPUT}action").is_not_null())


def _named(inputs: list[str], target: str, key: str | None, decisions: dict[str, str]) -> list[pl.Expr]:
    """Return the columns of a labelled row: what names it, what was asked, what was decided, what was true."""
    taken = {INPUT + name for name in (target, key or "", *decisions)}
    names = [pl.col(name).alias(name.removeprefix(INPUT)) for name in inputs if name not in taken]
    names += [pl.col(column).alias(name) for name, column in decisions.items()]
    return [*([pl.col("told_key").alias(key)] if key else []), *names, pl.col("truth").alias(target)]


def _without(rows: pl.DataFrame, without: dict[str, Any] | None) -> pl.DataFrame:
    if without is None:
        return rows
    listed = pl.read_parquet(without["path"], columns=[without["column"], without["by"]])
    unwanted = listed.filter(pl.col(without["by"]).is_in(without["chosen"]))[without["column"]].cast(pl.String)
    return rows.filter(~pl.col("told_key").is_in(unwanted.to_list()).fill_null(value=False))


def _type(dtype: Any) -> str:
    return {pl.Float64: "float", pl.Boolean: "boolean"}.get(type(dtype), "string")
