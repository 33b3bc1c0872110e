"""SQL over datasets through DuckDB: read-only, without files, extensions or settings, within limits."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
from arro3.core import RecordBatchReader, Table
from sqlglot import exp

from aimass.kernel.errors import Invalid, TooLarge
from aimass.lake.children.engines import ENGINES, MEMORY_MB, Limits, close_all_but, opened
from aimass.lake.children.rewrite import Asked, Prepared, ask, prepare, readable
from aimass.lake.children.said import engine_error, engine_said, polars_said
from aimass.lake.children.values import columns_of, plain_rows

MAX_ROWS = 10_000
TIMEOUT_S = 30.0
MAX_BYTES = 64 * 2**20
UNKEPT = frozenset({"INTERVAL", "TIME", "TIME WITH TIME ZONE"})


@contextmanager
def time_limit(con: duckdb.DuckDBPyConnection, seconds: float, said: Mapping[str, str] | None = None) -> Iterator[None]:
    """Interrupt a query that runs too long, and say so; ``said`` maps names of the engine to those of datasets."""
    timer = threading.Timer(seconds, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as reason:
        told = engine_error(reason)
        if told is None:
            raise
        raise problem_of(told, seconds, said or {}) from None
    finally:
        timer.cancel()


def problem_of(reason: duckdb.Error, seconds: float, said: Mapping[str, str]) -> Invalid | TooLarge:
    """Say what went wrong, without the text of the rewritten query and without values."""
    if isinstance(reason, duckdb.InterruptException):
        return TooLarge(f"the query ran longer than {seconds:g} s", hint="ask for less, or raise timeout_s")
    if isinstance(reason, duckdb.OutOfMemoryException):
        return TooLarge("the query needs more memory than it may use", hint="aggregate or filter earlier")
    message = Prepared(text="", names=said).said(engine_said(reason))
    return Invalid(f"the query failed: {message}", field="sql")


def query(args: dict[str, Any]) -> dict[str, Any]:
    """Run one SELECT over datasets.

    Parameters
    ----------
    args
        ``sql``; ``tables``: name in SQL to ``{path, version, policy}``; ``known``: names for the error message;
        ``parameters``: name to value; ``key``: what tokens are made with; ``limit`` (rows), ``timeout_s``, ``memory_mb``,
        ``max_bytes``; ``spill`` (folder for what is too large for the memory) and ``spill_mb``, or ``keep``: the engine may be
        kept for the next query of the same files, and spills into a folder of its own.

    Returns
    -------
    dict
        ``columns`` (name, type), ``rows`` (lists), ``truncated`` (more rows were there), ``bytes``, ``sql`` in
        canonical form, ``used`` (datasets), ``seconds``.
    """
    began = time.monotonic()
    asked = ask(str(args["sql"]), args.get("known") or args["tables"])
    limit = max(1, min(int(args.get("limit") or 1000), MAX_ROWS))
    with running(args, asked) as (relation, _):
        frame = _collected(relation.limit(limit + 1), int(args.get("max_bytes") or MAX_BYTES))
    rows = plain_rows(frame.head(limit))
    told = {"columns": columns_of(dict(frame.schema)), "rows": rows, "truncated": len(frame) > limit}
    told |= {"bytes": int(frame.estimated_size()), "sql": asked.text, "used": asked.used}
    return {**told, "seconds": time.monotonic() - began}


@contextmanager
def running(args: Mapping[str, Any], asked: Asked) -> Iterator[tuple[duckdb.DuckDBPyRelation, Prepared]]:
    """Run a checked query within its limits."""
    seconds = float(args.get("timeout_s") or TIMEOUT_S)
    given = args.get("parameters") or {}
    tables = {name: readable(args["tables"][name], asked, name, given) for name in asked.used}
    with _lent(args, sorted({file for table in tables.values() for file in table.files})) as con:
        prepared = Prepared(text="")
        try:
            with time_limit(con, seconds):
                prepared = prepare(con, asked, tables, args.get("key"))
            with time_limit(con, seconds, prepared.names):
                yield con.sql(prepared.text, params=given) if given else con.sql(prepared.text), prepared
        except Invalid as reason:
            raise Invalid(placed(reason.message, str(args["sql"])), field="sql") from None
        except pl.exceptions.PolarsError as reason:
            raise Invalid(f"the query failed: {polars_said(reason)}", field="sql") from None


@contextmanager
def _lent(args: Mapping[str, Any], files: list[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine that reads some files alone, or take one that was kept."""
    limits = Limits(
        memory_mb=int(args.get("memory_mb") or MEMORY_MB), spill=args.get("spill") or "", spill_mb=args.get("spill_mb")
    )
    if args.get("keep"):
        with ENGINES.lent(files, limits) as con:
            yield con
        return
    with opened(limits) as con:
        close_all_but(con, files)
        yield con


def placed(message: str, sql: str) -> str:
    r"""Add to a message of the engine where the first name that it quotes stands in what was sent.

    Examples
    --------
    >>> placed('the query failed: there is no column "agee"', "select id,\n  agee from t")
    'the query failed: there is no column "agee" (line 2, column 3)'
    """
    quoted = re.search(r'"([^"]+)"|Function with name (\w+)', message)
    name = quoted and (quoted[1] or quoted[2])
    found = name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE)
    if not found:
        return message
    before = sql[: found.start()]
    return f"{message} (line {before.count(chr(10)) + 1}, column {len(before.rpartition(chr(10))[2]) + 1})"


def _collected(relation: duckdb.DuckDBPyRelation, most: int) -> pl.DataFrame:
    """Take the rows, as long as they fit."""
    reader, size = batches(relation), 0
    frames = [pl.DataFrame(Table.from_batches([], schema=reader.schema))]
    for batch in reader:
        frames.append(pl.DataFrame(batch))
        size += int(frames[-1].estimated_size())
        if size > most:
            raise too_many_bytes(most)
    return pl.concat(frames)


def too_many_bytes(most: int) -> TooLarge:
    """Say that an answer is too large."""
    return TooLarge(
        f"the answer is larger than {most / 2**20:g} MB", hint="aggregate, choose columns, or ask for a file"
    )


def batches(relation: duckdb.DuckDBPyRelation) -> RecordBatchReader:
    """Stream the rows of a query."""
    return RecordBatchReader.from_arrow(relation)


def select(con: duckdb.DuckDBPyConnection, sql: str) -> RecordBatchReader:
    """Stream the rows of a statement that was checked, on a connection with its tables."""
    return batches(con.sql(sql))


def columns(args: dict[str, Any]) -> dict[str, Any]:
    """Say which columns a SELECT over datasets gives, without running it.

    Parameters
    ----------
    args
        What :func:`query` takes.
    """
    asked = ask(str(args["sql"]), args.get("known") or args["tables"])
    if not isinstance(asked.tree, exp.Query):
        raise Invalid("only one SELECT statement is allowed", field="sql", value=str(args["sql"])[:200])
    with running(args, replace(asked, tree=asked.tree.limit(0))) as (relation, _):
        names, types = list(relation.columns), [str(kind) for kind in relation.types]
    twice = next((name for n, name in enumerate(names) if name.lower() in {one.lower() for one in names[:n]}), None)
    if twice is not None:
        raise Invalid(f"two columns are called {twice!r}", field="sql", value=twice, hint="name one of them with AS")
    odd = next((pair for pair in zip(names, types, strict=True) if pair[1] in UNKEPT), None)
    if odd is not None:
        told = f"a dataset keeps no {odd[1]}, which column {odd[0]!r} is"
        raise Invalid(told, field="sql", value=odd[0], hint="cast it, for example to VARCHAR or DOUBLE")
    return {"columns": names, "used": asked.used}


def sample(sql: str, tables: Mapping[str, Mapping[str, Any]], rows: int, **more: Any) -> pl.DataFrame:
    """Return the first rows of a SELECT over datasets; ``more`` is what :func:`query` takes besides."""
    with running({**more, "sql": sql, "tables": tables}, ask(sql, tables)) as (relation, _):
        return _collected(relation.limit(rows), MAX_BYTES)
