"""The job ``lake.materialise``: the newest value of each entity, as lines that control puts into the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import polars as pl
from arro3.core import RecordBatchReader

from aimass.kernel.errors import NotFound
from aimass.lake.children.engines import engine
from aimass.lake.children.join import LONGEST_S, MEMORY_MB, quiet, rows_of
from aimass.lake.children.query import select, time_limit
from aimass.lake.children.quoting import sql_literal
from aimass.lake.children.rewrite import attach
from aimass.lake.children.tables import files, names, open_table, path_of
from aimass.lake.children.values import plain
from aimass.lake.online import NEVER, key_of

VALUES = "values.ndjson"
NEW = '"aimass new"'


def materialise(ctx: Any) -> dict[str, Any]:
    """Write the newest values to ``values.ndjson``: per line key, moments and content.

    Parameters
    ----------
    ctx
        Its ``params``: ``view``: a definition; ``tables``: name in SQL to ``{path, version}``; ``since``: Delta version up to
        which the values are known (None: all anew); ``now``.

    Returns
    -------
    dict
        ``mode``, ``rows``, and ``later``: rows of the source that speak of a moment that has not come yet.
    """
    order = ctx.params
    ctx.report(0.1, "read")
    added = added_files(order) if order.get("since") is not None else None
    rows = 0
    with (ctx.out / VALUES).open("wb") as file:
        for line in lines(order, added, spill=str(ctx.work)):
            file.write(line)
            rows += 1
            if rows % 10_000 == 0:
                ctx.report(None, "write", rows=rows)
    mode = "full" if added is None else "incremental"
    return {"mode": mode, "rows": rows, "later": later(order)}


def added_files(order: Mapping[str, Any]) -> list[str] | None:
    """Return the files that a table got since a version; None when it lost some: then every row has to be read."""
    (at,) = order["tables"].values()
    try:
        earlier = open_table(at["path"], order["since"])
    except NotFound:
        return None  # upkeep took what the log knew of that version
    before = {f"{path_of(earlier)}/{name}" for name in names(earlier)}
    now = set(files(open_table(at["path"], at["version"])))
    return sorted(now - before) if before <= now else None


def lines(order: Mapping[str, Any], added: Sequence[str] | None, spill: str | None = None) -> Iterator[bytes]:
    """Yield each entity as a line: key, moment and writing of the row in microseconds, content."""
    view = order["view"]
    if added is not None and not added:
        return
    with engine(MEMORY_MB, spill=spill) as con, time_limit(con, LONGEST_S):
        quiet(con)
        attach(con, order["tables"])
        if added is not None:
            listed = ", ".join(map(sql_literal, added))
            con.execute(f"CREATE TEMP VIEW {NEW} AS SELECT * FROM read_parquet([{listed}], union_by_name = true)")  # noqa: S608 quoted
            view = {**view, "dataset": NEW.strip('"'), "sql": None}
        yield from _written(select(con, newest(view, order["now"])), order["view"])


def newest(view: Mapping[str, Any], now: str) -> str:
    """Write the SELECT of the newest row of each entity that is known at a moment."""
    keys = ", ".join(f"k{n}" for n in range(len(view["entity"])))
    ties = ", ".join(f"f{n} DESC NULLS LAST" for n in range(len(view["features"])))
    moment = f"CAST({sql_literal(now)} AS TIMESTAMPTZ)"
    return (
        f"SELECT *, epoch_us(ev) AS ev_us, coalesce(epoch_us(cr), {NEVER}) AS cr_us FROM ({rows_of(view)}) "  # noqa: S608 quoted
        f"WHERE ev <= {moment} AND coalesce(cr, ev) <= {moment} "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY ev DESC, cr DESC NULLS LAST, {ties}) = 1"
    )


def _written(reader: RecordBatchReader, view: Mapping[str, Any]) -> Iterator[bytes]:
    count, names = len(view["entity"]), [feature["name"] for feature in view["features"]]
    wanted = [*(f"k{n}" for n in range(count)), "ev_us", "cr_us", *(f"f{n}" for n in range(len(names)))]
    for batch in reader:
        for row in pl.DataFrame(batch).select(wanted).iter_rows():
            keys = [plain(key) for key in row[:count]]
            values = dict(zip(names, map(plain, row[count + 2 :]), strict=True))
            content = orjson.dumps({"keys": keys, "values": values}).decode()
            yield orjson.dumps([key_of(keys), row[count], row[count + 1], content]) + b"\n"


def later(order: Mapping[str, Any]) -> int:
    """Count the rows that cannot be used yet: they are found when everything is computed anew."""
    moment = f"CAST({sql_literal(order['now'])} AS TIMESTAMPTZ)"
    with engine(MEMORY_MB) as con, time_limit(con, LONGEST_S):
        quiet(con)
        attach(con, order["tables"])
        counted = f"SELECT count(*) FROM ({rows_of(order['view'])}) WHERE greatest(ev, coalesce(cr, ev)) > {moment}"  # noqa: S608 quoted
        return int(con.execute(counted).fetchall()[0][0])
