"""A look at rows, and files to take away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.lake.children.avro_out import write_avro
from aimass.lake.children.query import sample
from aimass.lake.children.quoting import sql_name
from aimass.lake.children.tables import scan
from aimass.lake.children.values import columns_of, plain, type_name
from aimass.lake.children.xlsx_out import write_xlsx

MAX_ROWS = 1_000
MAX_COLUMNS = 200
EXPORTED = 50_000  # rows at a time
FORMATS = ("csv", "parquet", "ndjson", "avro", "xlsx")


def preview(args: dict[str, Any]) -> dict[str, Any]:
    """Show some rows of a version.

    Parameters
    ----------
    args
        ``path, version``; ``offset`` and ``limit`` (at most 1,000 rows); ``columns`` (None: the first 200); ``masked``: columns
        whose values are hidden; ``dataset, policy, key``: what counts for who asks.

    Returns
    -------
    dict
        ``columns``, ``rows`` (lists) and ``total_columns``.
    """
    policy, schema = args.get("policy"), scan(args["path"], args.get("version")).collect_schema()
    hidden = (
        {name.lower() for name, mask in policy["masks"].items() if mask["mask"] == "hide"} if policy else set[str]()
    )
    there = [name for name in schema.names() if name.lower() not in hidden]
    wanted = args.get("columns") or there[:MAX_COLUMNS]
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise Invalid(
            f"column {unknown[0]!r} is not in the dataset", field="columns", value=unknown[0], allowed=there[:50]
        )
    offset, limit = int(args.get("offset") or 0), max(1, min(int(args.get("limit") or 50), MAX_ROWS))
    rows = _guarded(args, wanted, offset, limit) if policy else _plain(args, wanted, offset, limit)
    masked = [rows.columns.index(name) for name in args.get("masked") or [] if name in rows.columns]
    told = [[plain(cell) for cell in row] for row in rows.iter_rows()]
    for row in told:
        for index in masked:
            row[index] = None if row[index] is None else "•••"
    return {"columns": columns_of(dict(rows.schema)), "rows": told, "total_columns": len(there)}


def _plain(args: dict[str, Any], columns: list[str], offset: int, limit: int) -> pl.DataFrame:
    return scan(args["path"], args.get("version")).select(columns).slice(offset, limit).collect()


def _guarded(args: dict[str, Any], columns: list[str], offset: int, limit: int) -> pl.DataFrame:
    chosen, name = ", ".join(map(sql_name, columns)), str(args["dataset"])
    text = f"SELECT {chosen} FROM {sql_name(name)} LIMIT {limit} OFFSET {offset}"  # noqa: S608 quoted
    table = {one: args.get(one) for one in ("path", "version", "policy")}
    return sample(text, {name: table}, limit, key=args.get("key"))


def export(args: dict[str, Any]) -> dict[str, Any]:
    """Write a version to one file, streamed.

    Parameters
    ----------
    args
        ``path, version``; ``format``: csv, parquet, ndjson, avro or xlsx; ``target``: the file to write.
    """
    kind = args["format"]
    if kind not in FORMATS:
        raise Invalid(f"format {kind!r} is unknown", field="format", value=kind, allowed=list(FORMATS))
    frame = scan(args["path"], args.get("version"))
    target = Path(args["target"])
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        frame.sink_parquet(target)
    elif kind == "csv":
        nested = [name for name, dtype in frame.collect_schema().items() if type_name(dtype) == "json"]
        frame.with_columns(pl.col(name).map_elements(lambda v: str(plain(v)), pl.String) for name in nested).sink_csv(
            target
        )
    elif kind == "ndjson":
        frame.sink_ndjson(target)
    else:
        frames = (part for part in frame.collect_batches(chunk_size=EXPORTED, maintain_order=True) if len(part))
        (write_avro if kind == "avro" else write_xlsx)(pl.DataFrame(schema=frame.collect_schema()), frames, target)
    return {"target": str(target), "bytes": target.stat().st_size}
