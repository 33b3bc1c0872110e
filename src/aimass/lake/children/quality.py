"""Rules on a dataset: proposed from its profile, checked in one pass, told as a report with a score."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.lake.children.long_texts import Slices, many_of
from aimass.lake.children.said import polars_said
from aimass.lake.children.values import plain, type_name

SAMPLES = 10
EXAMPLES = 100
FEW = 20
_MANY_ROWS = 100
_SHOWN = ("id", "kind", "column", "severity", "params")
_WEIGHT = {"error": 1.0, "warning": 0.5}
TABLE_RULES = frozenset({"row_count", "freshness"})


def propose_rules(profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Propose rules that the profiled version keeps and that later versions should keep too.

    Examples
    --------
    >>> column = {"name": "age", "type": "integer", "count": 9, "nulls": 0, "distinct": 5, "min": 3, "masked": False}
    >>> [rule["kind"] for rule in propose_rules({"rows": 9, "columns": [column]})]
    ['not_null', 'range', 'row_count']
    """
    rows = int(profile["rows"])
    rules = [rule for column in profile["columns"] for rule in _for_column(column, rows)]
    if rows:
        rules.append(_rule("row_count", None, severity="error", min=1, max=None))
    return rules


def _for_column(column: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
    name, kind, distinct = column["name"], column["type"], column.get("distinct") or 0
    rules: list[dict[str, Any]] = []
    if rows and not column["nulls"]:
        rules.append(_rule("not_null", name, severity="error", max_share=0.0))
    if kind == "string" and rows > 1 and distinct == rows:
        rules.append(_rule("unique", name, severity="error"))
    top = column.get("top") or []
    if kind == "string" and rows >= _MANY_ROWS and 0 < distinct <= min(FEW, len(top)):
        rules.append(_rule("in_set", name, severity="warning", values=sorted(item["value"] for item in top)))
    if kind in {"integer", "float"} and (column.get("min") is not None) and column["min"] >= 0:
        rules.append(_rule("range", name, severity="warning", min=0, max=None))
    return rules


def _rule(kind: str, column: str | None, *, severity: str, **params: Any) -> dict[str, Any]:
    identity = kind if column is None else f"{kind}:{column}"
    return {"id": identity, "kind": kind, "column": column, "severity": severity, "params": params}


def _not_null(rule: Mapping[str, Any]) -> pl.Expr:
    return pl.col(rule["column"]).is_null()


def _unique(rule: Mapping[str, Any]) -> pl.Expr:
    columns = rule["params"].get("columns") or [rule["column"]]
    if len(columns) == 1:
        return pl.col(columns[0]).is_duplicated() & pl.col(columns[0]).is_not_null()
    return pl.struct(columns).is_duplicated() & pl.all_horizontal(pl.col(c).is_not_null() for c in columns)


def _range(rule: Mapping[str, Any]) -> pl.Expr:
    column, low, high = pl.col(rule["column"]), rule["params"].get("min"), rule["params"].get("max")
    bad = pl.lit(value=False)
    if low is not None:
        bad = bad | (column < _bound(low))
    if high is not None:
        bad = bad | (column > _bound(high))
    return bad.fill_null(value=False)


def _bound(value: Any) -> Any:
    """Read a limit: numbers as they are, texts as moments."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as reason:
        raise Invalid(
            f"limit {value!r} is no number and no moment", field="min", value=value, allowed="2026-05-01"
        ) from reason
    return pl.lit(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).dt.convert_time_zone("UTC")


def _in_set(rule: Mapping[str, Any]) -> pl.Expr:
    return pl.col(rule["column"]).is_in(rule["params"]["values"]).not_().fill_null(value=False)


def _regex(rule: Mapping[str, Any]) -> pl.Expr:
    pattern = rule["params"]["pattern"]
    try:
        re.compile(pattern)
    except re.error as reason:
        raise Invalid(
            f"pattern {pattern!r} is no regular expression: {reason}", field="pattern", value=pattern
        ) from reason
    return pl.col(rule["column"]).cast(pl.String).str.contains(f"^(?:{pattern})$").not_().fill_null(value=False)


ROW_RULES: Mapping[str, Callable[[Mapping[str, Any]], pl.Expr]] = {
    "not_null": _not_null,
    "unique": _unique,
    "range": _range,
    "in_set": _in_set,
    "regex": _regex,
}


def quality(args: dict[str, Any]) -> dict[str, Any]:
    """Check rules on one version of a dataset.

    Parameters
    ----------
    args
        ``path``, ``version``; ``rules``: as proposed; ``keys``: columns that name a row in the samples; ``masked``: columns
        whose values are never told; ``now``: the moment against which freshness is measured (ISO 8601).

    Returns
    -------
    dict
        ``score`` (0 to 100, the weighted share of what was kept), ``passed``, ``rows`` and ``rules``: per rule ``passed``,
        ``failed`` (rows), ``share`` kept, ``samples`` (row numbers and keys).
    """
    slices = Slices.of(args["path"], args.get("version"))
    schema = dict(slices.frame.collect_schema())
    rules = [rule for rule in args.get("rules") or [] if rule.get("enabled", True)]
    problems = {rule["id"]: problem for rule in rules if (problem := _problem(rule, schema))}
    rows, counts, faults = _count(slices, [r for r in rules if r["id"] not in problems and r["kind"] in ROW_RULES])
    problems |= faults
    told = [_told(rule, rows, counts, problems, args, slices) for rule in rules]
    weight = sum(_WEIGHT.get(r["severity"], 1.0) for r in told)
    score = 100.0 if not weight else 100 * sum(r["share"] * _WEIGHT.get(r["severity"], 1.0) for r in told) / weight
    passed = all(r["passed"] for r in told if r["severity"] == "error")
    return {"score": round(score, 2), "passed": passed, "rows": rows, "rules": told}


def kept(rules: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    """Tell what :func:`quality` would of rules that were proposed from these very rows: all of them were counted already.

    Examples
    --------
    >>> facts = {"rows": 9, "columns": [{"name": "age", "type": "integer", "nulls": 0, "min": 3}]}
    >>> told = kept(propose_rules(facts), 9)
    >>> told["score"], [(rule["id"], rule["failed"]) for rule in told["rules"]]
    (100.0, [('not_null:age', 0), ('range:age', 0), ('row_count', 0)])
    """
    fine = {"passed": True, "failed": 0, "share": 1.0, "note": "", "samples": []}
    told = [{**{key: rule[key] for key in _SHOWN}, **fine} for rule in rules]
    return {"score": 100.0, "passed": True, "rows": rows, "rules": told}


def _problem(rule: Mapping[str, Any], schema: Mapping[str, pl.DataType]) -> str | None:
    """Say why a rule cannot be checked at all."""
    kind = rule["kind"]
    if kind not in ROW_RULES and kind not in TABLE_RULES:
        return f"rule kind {kind!r} is unknown"
    columns = [c for c in [rule.get("column"), *(rule["params"].get("columns") or [])] if c]
    missing = [c for c in columns if c not in schema]
    if missing:
        return f"column {missing[0]!r} is missing"
    if kind == "range" and type_name(schema[columns[0]]) not in {"integer", "float", "timestamp", "date"}:
        return f"column {columns[0]!r} is no number and no moment"
    return None


def _count(slices: Slices, rules: list[dict[str, Any]]) -> tuple[int, dict[str, int], dict[str, str]]:
    """Count rows and the rows that break each rule; say why a rule cannot be checked, which never stops the others."""
    apart = [rule for rule in rules if slices.names(_columns(rule)) or _is_counted(slices, rule)]
    try:
        rows, counts = _in_one_pass(slices, [rule for rule in rules if rule not in apart])
        rules = apart
    except (Invalid, pl.exceptions.PolarsError):
        rows, counts = _in_one_pass(slices, [])
    faults: dict[str, str] = {}
    for rule in rules:
        try:
            counts |= {rule["id"]: _in_slices(slices, rule)} if rule in apart else _in_one_pass(slices, [rule])[1]
        except Invalid as reason:
            faults[rule["id"]] = f"cannot be checked: {reason.message}"
        except pl.exceptions.PolarsError as reason:
            faults[rule["id"]] = f"cannot be checked: {polars_said(reason)}"
    return rows, counts, faults


def _columns(rule: Mapping[str, Any]) -> list[str]:
    columns = rule["params"].get("columns") or [rule["column"]]
    return [str(column) for column in columns if column]


def _in_slices(slices: Slices, rule: Mapping[str, Any]) -> int:
    """Count the rows that break a rule about what is too much to be held at once."""
    if _is_counted(slices, rule):
        with many_of(slices) as many:
            return many.repeated(_columns(rule))
    if rule["kind"] == "unique":
        return int(_repeated(slices, rule).sum())
    broken = ROW_RULES[rule["kind"]](rule).sum()
    return sum(int(part.select(broken).item() or 0) for part in slices.parts(_columns(rule)))


def _is_counted(slices: Slices, rule: Mapping[str, Any]) -> bool:
    """Tell whether an engine that spills to disk looks for values that are there twice."""
    return slices.is_many and rule["kind"] == "unique"


def _repeated(slices: Slices, rule: Mapping[str, Any]) -> pl.Series:
    hashes = slices.hashes(_columns(rule))
    return hashes.is_duplicated() & hashes.is_not_null()


def _in_one_pass(slices: Slices, rules: list[dict[str, Any]]) -> tuple[int, dict[str, int]]:
    wanted = [ROW_RULES[rule["kind"]](rule).sum().alias(f"rule{i}") for i, rule in enumerate(rules)]
    row = slices.collected(slices.frame.select(pl.len().alias("rows"), *wanted)).row(0, named=True)
    return int(row["rows"]), {rule["id"]: int(row[f"rule{i}"] or 0) for i, rule in enumerate(rules)}


def _told(
    rule: dict[str, Any],
    rows: int,
    counts: Mapping[str, int],
    problems: Mapping[str, str],
    args: Mapping[str, Any],
    slices: Slices,
) -> dict[str, Any]:
    base = {key: rule[key] for key in _SHOWN if key in rule}
    if rule["id"] in problems:
        return {**base, "passed": False, "failed": rows, "share": 0.0, "note": problems[rule["id"]], "samples": []}
    if rule["kind"] in TABLE_RULES:
        note = _row_count(rule["params"], rows) if rule["kind"] == "row_count" else _freshness(rule, slices, args)
        return {**base, "passed": not note, "failed": 0, "share": 0.0 if note else 1.0, "note": note, "samples": []}
    failed = counts[rule["id"]]
    share = 1.0 - failed / rows if rows else 1.0
    passed = failed <= float(rule["params"].get("max_share") or 0.0) * rows
    samples = _samples(rule, slices, args) if failed else []
    return {**base, "passed": passed, "failed": failed, "share": round(share, 6), "note": "", "samples": samples}


def _row_count(params: Mapping[str, Any], rows: int) -> str:
    low, high = params.get("min"), params.get("max")
    if low is not None and rows < low:
        return f"{rows} rows, at least {low} wanted"
    return f"{rows} rows, at most {high} wanted" if high is not None and rows > high else ""


def _freshness(rule: Mapping[str, Any], slices: Slices, args: Mapping[str, Any]) -> str:
    newest = slices.collected(slices.frame.select(pl.col(rule["column"]).cast(pl.Datetime("us", "UTC")).max())).item()
    if newest is None:
        return "no moment at all"
    age = datetime.fromisoformat(str(args["now"])) - newest
    limit = timedelta(seconds=float(rule["params"]["max_age_s"]))
    return f"the newest row is {age} old, at most {limit} wanted" if age > limit else ""


def _samples(rule: Mapping[str, Any], slices: Slices, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name the first rows that break a rule by number and key; never a masked value."""
    masked = set(args.get("masked") or ())
    keys = [key for key in args.get("keys") or [] if key not in masked]
    numbered = slices.frame.with_row_index("row§")
    if _is_counted(slices, rule):
        columns = _columns(rule)
        with many_of(slices) as many:
            twice = many.examples(columns, EXAMPLES).lazy()
        same = numbered.join(twice, on=columns, how="semi", maintain_order="left").select("row§", *keys)
        found = slices.collected(same.head(SAMPLES))
    elif slices.names(_columns(rule)):
        bad = _first_of(slices, rule)
        found = pl.concat([numbered.select("row§", *keys).slice(row, 1).collect() for row in bad])
    else:
        found = numbered.filter(ROW_RULES[rule["kind"]](rule)).select("row§", *keys).head(SAMPLES)
        found = slices.collected(found)
    return [{"row": row["row§"], "key": {key: plain(row[key]) for key in keys}} for row in found.iter_rows(named=True)]


def _first_of(slices: Slices, rule: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the first rows that break a rule about long texts."""
    if rule["kind"] == "unique":
        return _repeated(slices, rule).arg_true().head(SAMPLES).to_list()
    found, start = list[int](), 0
    for part in slices.parts(_columns(rule)):
        bad = part.select(ROW_RULES[rule["kind"]](rule).alias("bad"))["bad"].arg_true()
        found += [start + row for row in bad.head(SAMPLES - len(found)).to_list()]
        start += len(part)
        if len(found) >= SAMPLES:
            break
    return found
