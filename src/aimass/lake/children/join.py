"""The job ``lake.join_features``: the rows of a spine, each with what feature views knew at its moment.

A row of a view can be used from the later of its two moments on: when it became true, and when it was written down. Of the
rows of one entity, those that are older than one that could be used before are left out; what stays grows in both moments,
so one as-of join finds the newest row that was known. Rows with equal moments are ordered by their values: whatever the
order of rows and files, the same one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import duckdb
import polars as pl
from arro3.core import Table

from aimass.lake.children.append import order_of
from aimass.lake.children.classify import SAMPLE, classify_frame
from aimass.lake.children.describe import describe_version
from aimass.lake.children.engines import engine
from aimass.lake.children.guard import check_select
from aimass.lake.children.query import select, time_limit
from aimass.lake.children.quoting import sql_literal, sql_name
from aimass.lake.children.rewrite import attach
from aimass.lake.children.tables import Commit, Stream, commit, committed_before
from aimass.lake.children.watching import leaks

MEMORY_MB = 256
LONGEST_S = 3_600.0
SPINE = "aimass spine"
RESULT = '"aimass result"'
SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
}


def join(ctx: Any) -> dict[str, Any]:
    """Build a training set: join, look for leaks, commit once, describe.

    Parameters
    ----------
    ctx
        Its ``params``: ``path`` of the target, ``key`` of the transaction; ``spine`` (``columns, event_time, label``); ``tables``:
        name in SQL to ``{path, version}``, the spine under :data:`SPINE`; ``views``: definitions; ``names``: view, feature and column;
        ``by_created``; ``inherited``: what is known of personal data; ``describe``: arguments of ``describe_version``.
    """
    order = ctx.params
    target = order_of({"app_id": f"features:{order['key']}", "batch": 1, "mode": "overwrite"})
    done = committed_before(order["path"], target)
    with engine(MEMORY_MB, spill=str(ctx.work)) as con, time_limit(con, LONGEST_S):
        ctx.report(0.05, "join")
        quiet(con)
        attach(con, order["tables"])
        con.execute(f"CREATE TEMP TABLE {RESULT} AS {joined(order)}")
        ctx.report(0.6, "check")
        told = {"digest": digest(con, columns_of(order)), "report": report(con, order)}
        findings = _findings(con, order)
        ctx.report(0.75, "write")
        version = done.version if done else _write(con, order, target, findings)
    ctx.report(0.85, "describe")
    describe = {**order["describe"], "classification": findings}
    return {**told, "version": describe_version({**describe, "path": order["path"], "version": version})}


def quiet(con: duckdb.DuckDBPyConnection) -> None:
    """Draw no progress bar into the log of the job."""
    con.execute("SET enable_progress_bar = false")


def joined(order: Mapping[str, Any]) -> str:
    """Write the SELECT that gives each row of the spine its features, and the moments they are of."""
    views, names = order["views"], {(view, feature): name for view, feature, name in order["names"]}
    parts = [f'"aimass s" AS ({_spine(order["spine"])})']
    parts += [f'"aimass v{i}" AS ({usable(view, by_created=order["by_created"])})' for i, view in enumerate(views)]
    wanted, joins = ["s.*"], list[str]()
    for i, view in enumerate(views):
        keys = " AND ".join(f"s.{sql_name(key)} = v{i}.k{n}" for n, key in enumerate(view["entity"]))
        joins.append(f'ASOF LEFT JOIN "aimass v{i}" v{i} ON {keys} AND s."aimass at" >= v{i}.usable')
        wanted += [f'v{i}.ev AS "aimass ev{i}", v{i}.cr AS "aimass cr{i}"']
        wanted += [
            f"{_value(i, n, view)} AS {sql_name(names[view['view'], feature['name']])}"
            for n, feature in enumerate(view["features"])
        ]
    return f'WITH {", ".join(parts)} SELECT {", ".join(wanted)} FROM "aimass s" s {" ".join(joins)}'  # noqa: S608 quoted


def _spine(spine: Mapping[str, Any]) -> str:
    columns = ", ".join(sql_name(name) for name in spine["columns"])
    moment = sql_name(spine["event_time"])
    return f'SELECT {columns}, CAST({moment} AS TIMESTAMPTZ) AS "aimass at" FROM {sql_name(SPINE)}'  # noqa: S608 quoted


def usable(view: Mapping[str, Any], *, by_created: bool) -> str:
    """Write the SELECT of the rows of a view that are ever the newest known ones of their entity.

    Parameters
    ----------
    view
        Its definition.
    by_created
        Whether a row can be used only once it was written down; else from its event on.
    """
    keys = ", ".join(f"k{n}" for n in range(len(view["entity"])))
    ties = ", ".join(f"f{n} NULLS FIRST" for n in range(len(view["features"])))
    moment = "greatest(ev, coalesce(cr, ev))" if by_created and view["created_time"] else "ev"
    rising = "ev = max(ev) OVER (w ROWS UNBOUNDED PRECEDING) AND " if moment != "ev" else ""
    return (
        f"SELECT *, {moment} AS usable FROM ({rows_of(view)}) "  # noqa: S608 quoted
        f"WINDOW w AS (PARTITION BY {keys} ORDER BY {moment}, ev, cr NULLS FIRST, {ties}) "
        f"QUALIFY {rising}(lead({moment}) OVER w) IS DISTINCT FROM {moment}"
    )


def rows_of(view: Mapping[str, Any]) -> str:
    """Write the SELECT of the rows of a view that name an entity and a moment: ``k0.., ev, cr, f0..``."""
    keys = [f"{sql_name(key)} AS k{n}" for n, key in enumerate(view["entity"])]
    created = f"CAST({sql_name(view['created_time'])} AS TIMESTAMPTZ)" if view["created_time"] else "NULL::TIMESTAMPTZ"
    moments = [f"CAST({sql_name(view['event_time'])} AS TIMESTAMPTZ) AS ev", f"{created} AS cr"]
    features = [f"{_cast(feature)} AS f{n}" for n, feature in enumerate(view["features"])]
    there = " AND ".join(f"{sql_name(name)} IS NOT NULL" for name in (*view["entity"], view["event_time"]))
    return f"SELECT {', '.join([*keys, *moments, *features])} FROM {source_of(view)} WHERE {there}"  # noqa: S608 quoted


def source_of(view: Mapping[str, Any]) -> str:
    """Return what a view reads, to stand behind FROM."""
    if view["dataset"]:
        return sql_name(view["dataset"])
    return f"({check_select(view['sql'], view['known'])})"


def _cast(feature: Mapping[str, Any]) -> str:
    kind = SQL_TYPES.get(feature["type"])
    return f"CAST({sql_name(feature['name'])} AS {kind})" if kind else sql_name(feature["name"])


def _value(i: int, n: int, view: Mapping[str, Any]) -> str:
    """Write the value of a feature: none when it is too old, and its default where there is none."""
    value, default = f"v{i}.f{n}", view["features"][n]["default"]
    if view["ttl_s"]:
        value = f'CASE WHEN v{i}.ev >= s."aimass at" - to_seconds({int(view["ttl_s"])}) THEN {value} END'
    return value if default is None else f"coalesce({value}, {literal(default)})"


def literal(value: str | float | bool) -> str:
    """Write a default for DuckDB.

    Examples
    --------
    >>> literal("it's"), literal(False), literal(1.5)
    ("'it''s'", 'false', '1.5')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return sql_literal(value) if isinstance(value, str) else repr(value)


def columns_of(order: Mapping[str, Any]) -> list[str]:
    """Return the columns of the training set in their order."""
    return [*order["spine"]["columns"], *(name for _, _, name in order["names"])]


def digest(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> str:
    """Sum up the rows whatever their order."""
    row = f"md5_number_lower(CAST(row({', '.join(map(sql_name, columns))}) AS VARCHAR))"
    found = con.execute(f"SELECT count(*), sum(CAST({row} AS HUGEINT)) FROM {RESULT}").fetchall()  # noqa: S608 quoted
    return sha256(repr((list(columns), found)).encode()).hexdigest()


def report(con: duckdb.DuckDBPyConnection, order: Mapping[str, Any]) -> dict[str, Any]:
    """Tell how many rows each view knew something about, whether anything is of the future, and what gives the label away."""
    views = [_coverage(con, i, view) for i, view in enumerate(order["views"])]
    spine = order["spine"]
    counts = f'SELECT count(*), count(*) FILTER ("aimass at" IS NULL) FROM {RESULT}'  # noqa: S608 quoted
    (rows, without), *_ = con.execute(counts).fetchall()
    features = [(name, feature["type"]) for name, feature in _features(order)]
    found = leaks(con, RESULT, spine["label"], features) if spine["label"] else []
    newer = sum(view["newer"] for view in views)
    return {"rows": rows, "without_moment": without, "views": views, "newer": newer, "leaks": found}


def _features(order: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names = {(view, feature): name for view, feature, name in order["names"]}
    for view in order["views"]:
        for feature in view["features"]:
            yield names[view["view"], feature["name"]], feature


def _coverage(con: duckdb.DuckDBPyConnection, i: int, view: Mapping[str, Any]) -> dict[str, Any]:
    ev, cr, at = f'"aimass ev{i}"', f'"aimass cr{i}"', '"aimass at"'
    old = f"{ev} < {at} - to_seconds({int(view['ttl_s'])})" if view["ttl_s"] else "false"
    counted = (
        f"SELECT count({ev}), count(*) FILTER ({ev} IS NOT NULL AND {old}), "  # noqa: S608 quoted
        f"count(*) FILTER ({ev} > {at} OR {cr} > {at}) FROM {RESULT}"
    )
    (known, old_, newer), *_ = con.execute(counted).fetchall()
    there = " AND ".join(f"{sql_name(name)} IS NOT NULL" for name in (*view["entity"], view["event_time"]))
    skipped = con.execute(f"SELECT count(*) FILTER (({there}) IS NOT TRUE) FROM {source_of(view)}").fetchall()  # noqa: S608 quoted
    return {"view": view["view"], "known": known - old_, "too_old": old_, "newer": newer, "skipped": skipped[0][0]}


def _findings(con: duckdb.DuckDBPyConnection, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is known of personal data: what the sources know goes before what a sample tells."""
    known = order["describe"].get("classification")
    if known is not None:
        return known
    columns = ", ".join(map(sql_name, columns_of(order)))
    rows = con.sql(f"SELECT {columns} FROM {RESULT}").limit(SAMPLE)  # noqa: S608 quoted
    found = {finding["column"]: finding for finding in classify_frame(pl.DataFrame(Table.from_arrow(rows)))}
    return list({**found, **order["inherited"]}.values())


def _write(
    con: duckdb.DuckDBPyConnection, order: Mapping[str, Any], target: Commit, findings: Sequence[Mapping[str, Any]]
) -> int:
    columns = ", ".join(map(sql_name, columns_of(order)))
    reader = select(con, f"SELECT {columns} FROM {RESULT}")  # noqa: S608 quoted
    private = frozenset([f["column"] for f in findings if f["private"]] + order["describe"]["keys"])
    kept = Commit(app_id=target.app_id, batch=target.batch, mode="overwrite", private=private)
    return commit(order["path"], Stream(reader.schema, iter(reader)), kept).version
