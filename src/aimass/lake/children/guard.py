"""What a statement may do: read the datasets it was given, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aimass.kernel.errors import Invalid

SAFE_FUNCTIONS = frozenset(
    [
        "age",
        "array_agg",
        "array_length",
        "arg_max",
        "arg_min",
        "bit_count",
        "bool_and",
        "bool_or",
        "ceiling",
        "century",
        "chr",
        "contains",
        "corr",
        "cot",
        "count_if",
        "covar_pop",
        "covar_samp",
        "cume_dist",
        "current_date",
        "date_diff",
        "date_part",
        "date_sub",
        "date_trunc",
        "datediff",
        "datepart",
        "datesub",
        "datetrunc",
        "day",
        "dayname",
        "dayofmonth",
        "dayofweek",
        "dayofyear",
        "decade",
        "degrees",
        "dense_rank",
        "editdist3",
        "ends_with",
        "entropy",
        "epoch",
        "epoch_ms",
        "epoch_us",
        "even",
        "factorial",
        "favg",
        "fdiv",
        "first_value",
        "flatten",
        "fmod",
        "format",
        "fsum",
        "gamma",
        "gcd",
        "greatest",
        "hamming",
        "hash",
        "histogram",
        "hour",
        "ilike_escape",
        "instr",
        "isfinite",
        "isinf",
        "isnan",
        "isodow",
        "isoyear",
        "jaccard",
        "jaro_similarity",
        "jaro_winkler_similarity",
        "json_array_length",
        "json_extract",
        "json_extract_string",
        "json_keys",
        "json_type",
        "json_valid",
        "kurtosis",
        "lag",
        "last_day",
        "last_value",
        "lcm",
        "lead",
        "least",
        "len",
        "levenshtein",
        "lgamma",
        "list_aggregate",
        "list_avg",
        "list_contains",
        "list_count",
        "list_distinct",
        "list_extract",
        "list_filter",
        "list_has",
        "list_max",
        "list_min",
        "list_position",
        "list_reverse",
        "list_slice",
        "list_sort",
        "list_sum",
        "list_transform",
        "list_unique",
        "list_value",
        "ln",
        "log10",
        "log2",
        "lpad",
        "ltrim",
        "mad",
        "make_date",
        "make_timestamp",
        "map_keys",
        "map_values",
        "md5",
        "median",
        "microsecond",
        "millennium",
        "millisecond",
        "minute",
        "mode",
        "month",
        "monthname",
        "now",
        "nth_value",
        "ntile",
        "percent_rank",
        "pi",
        "position",
        "prefix",
        "product",
        "quantile",
        "quantile_cont",
        "quantile_disc",
        "quarter",
        "radians",
        "random",
        "range",
        "rank",
        "regexp_extract",
        "regexp_extract_all",
        "regexp_full_match",
        "regexp_matches",
        "regexp_replace",
        "regexp_split_to_array",
        "repeat",
        "replace",
        "reservoir_quantile",
        "reverse",
        "round_even",
        "row_number",
        "rpad",
        "rtrim",
        "second",
        "sem",
        "sha256",
        "sign",
        "skewness",
        "split_part",
        "starts_with",
        "stddev_pop",
        "stddev_samp",
        "str_split",
        "strftime",
        "string_agg",
        "string_split",
        "strip_accents",
        "strlen",
        "strpos",
        "strptime",
        "struct_extract",
        "suffix",
        "sum_no_overflow",
        "tan",
        "time_bucket",
        "to_base",
        "to_days",
        "to_hours",
        "to_minutes",
        "to_months",
        "to_seconds",
        "to_timestamp",
        "to_years",
        "translate",
        "trunc",
        "try_strptime",
        "typeof",
        "unicode",
        "unnest",
        "url_decode",
        "url_encode",
        "uuid",
        "var_pop",
        "var_samp",
        "week",
        "weekday",
        "weekofyear",
        "year",
        "yearweek",
        "list_zip",
        "generate_series",
        "regr_slope",
        "regr_intercept",
        "regr_r2",
        "approx_count_distinct",
        "approx_quantile",
        "any_value",
        "bar",
        "nullif",
        "today",
    ]
)
_FORBIDDEN = (
    exp.Command,
    exp.Into,
    exp.ReadCSV,
    exp.ReadParquet,
    exp.Pragma,
    exp.Set,
    exp.Copy,
    exp.Placeholder,
    exp.Parameter,
)


def check_select(sql: str, known: Iterable[str]) -> str:
    """Return the statement in canonical form, or refuse it.

    Parameters
    ----------
    sql
        One SELECT (or UNION, WITH ...) in DuckDB's dialect.
    known
        Names of the datasets that may be read.

    Raises
    ------
    Invalid
        The statement is no query, reads something unknown, or calls a function that is not on the list.

    Examples
    --------
    >>> check_select("select count(*) from churn", ["churn"])
    'SELECT COUNT(*) FROM churn'
    """
    tree = _parse(sql)
    names = {name.lower() for name in known}
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            raise Invalid(
                f"{node.sql(dialect='duckdb')[:80]!r} is not allowed in a query",
                field="sql",
                allowed="SELECT over datasets",
            )
        if isinstance(node, exp.Table):
            _check_table(node, names)
        elif isinstance(node, exp.Anonymous) and node.name.lower() not in SAFE_FUNCTIONS:
            raise Invalid(
                f"function {node.name!r} is not allowed in a query",
                field="sql",
                value=node.name,
                hint="see the list of functions in the manual",
            )
    return tree.sql(dialect="duckdb")


def _parse(sql: str) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except (SqlglotError, RecursionError) as reason:
        raise Invalid(
            f"the query cannot be read: {str(reason).splitlines()[0]}", field="sql", value=sql[:200]
        ) from reason
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise Invalid(
            "only one SELECT statement is allowed", field="sql", value=sql[:200], allowed="SELECT ... FROM <dataset>"
        )
    return trees[0]


def _check_table(table: exp.Table, known: set[str]) -> None:
    if not isinstance(table.this, exp.Identifier):
        _check_source(table)
        return
    if table.db or table.catalog:
        raise Invalid(f"{table.sql(dialect='duckdb')!r} is not a dataset", field="sql", allowed=sorted(known)[:50])
    if table.name.lower() not in known and not _is_cte(table):
        raise Invalid(
            f"there is no dataset {table.name!r} here",
            field="sql",
            value=table.name,
            allowed=sorted(known)[:50],
            hint="datasets are named by their slug; write one with '-' in double quotes",
        )


def _check_source(table: exp.Table) -> None:
    """Refuse table functions but for those that make rows from nothing."""
    source = table.this
    name = (source.name if isinstance(source, exp.Anonymous) else type(source).__name__).lower()
    if name not in {"range", "generateseries", "generate_series", "unnest", "values"}:
        raise Invalid(
            f"table function {name!r} is not allowed in a query",
            field="sql",
            value=name,
            allowed="range, unnest, VALUES",
        )


def _is_cte(table: exp.Table) -> bool:
    """Tell whether the name is that of a WITH clause around the table."""
    node: exp.Expr | None = table
    while node is not None:
        clause = node.args.get("with_") or node.args.get("with")
        if isinstance(clause, exp.With) and any(cte.alias.lower() == table.name.lower() for cte in clause.expressions):
            return True
        node = node.parent
    return False
